"""Why data could not be brought here: one sentence for the operator, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

from gateway.errors import GatewayError


class FetchFailed(GatewayError):
    """Fetching ended early; what was current stays current, and what is complete is not fetched again."""

    code = "fetch_failed"


def of_system(err: OSError, folder: Path) -> FetchFailed:
    """Return what an error of the operating system means for whoever fetches into this folder."""
    where = err.filename or folder
    if err.errno in (errno.ENOSPC, errno.EDQUOT):
        return FetchFailed(f"{folder}: the disk is full; the data needs about 500 MB while it is fetched, then 150 MB")
    if err.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FetchFailed(f"{where}: this cannot be written; choose another folder with --data, or mend its rights")
    if err.errno in (errno.ENOTDIR, errno.EEXIST):
        return FetchFailed(f"{where}: there is a file where a folder is wanted; choose another folder with --data")
    return FetchFailed(f"{where}: {err.strerror or err}")
