"""Becomes the store's server, tied to the gateway that started it. Run as a program: `launch.py <parent> <command…>`.

On Linux the server gets SIGTERM when the gateway ends in whatever way, kill -9 included (prctl(2), PR_SET_PDEATHSIG,
which outlives execve). This is a program of its own because code between fork and exec is not safe in a process that
has threads. It must be started from a thread that lives as long as the gateway: the signal comes when that thread ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then replace it by the command."""
    parent, binary, *options = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        # The gateway ended before it could be watched; the signal for that will not come.
        return
    # The binary by the name it was found under: Debian's redis-server is a link to a program that looks at argv[0].
    os.execv(binary, [binary, *options])  # noqa: S606 - the gateway chose this binary; a shell would only add risk


if __name__ == "__main__":
    main(sys.argv[1:])
