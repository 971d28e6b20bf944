"""What can be done to a rig: each function begins or ends one fault. The table of them is in scenarios.py."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.faults.proxy import StoreProxy
from tests.faults.rig import Act, Rig, Setting, busy_disk
from tests.faults.stores import Store
from tests.integration.process import alive, eventually

ROOM_BYTES = 50_000
LAG_S = 1.0
LONGER_THAN_THE_TAIL_S = 7.5


def nothing(_rig: Rig) -> None:
    """Do nothing."""


# -- the line --------------------------------------------------------------------------------------------------------


def line(**changes: bool | float | str) -> Act:
    """Return an act that makes the line so."""
    return lambda rig: rig.proxy.become(**changes)


def heal(rig: Rig) -> None:
    rig.proxy.heal()


def reset_often(rig: Rig) -> None:
    for _ in range(8):
        rig.proxy.cut(reset=True)
        time.sleep(0.25)


# -- the store -------------------------------------------------------------------------------------------------------


def kill_store(rig: Rig) -> None:
    rig.store.kill()


def start_store(rig: Rig) -> None:
    rig.store.start()


def kill_store_on_busy_disk(rig: Rig) -> None:
    rig.stack.enter_context(busy_disk(rig.folder))
    time.sleep(0.3)
    kill_store(rig)


def lose_power(rig: Rig) -> None:
    rig.notes.append(f"{rig.store.lose_power()} bytes of the append-only file were lost")


def long_script(rig: Rig) -> None:
    seconds = 1.5 * rig.size.hold_s
    script = threading.Thread(target=rig.store.keep_busy, args=(seconds,), name="long script")
    script.start()
    rig.stack.callback(script.join)


def busy(rig: Rig) -> None:
    rig.store.configure(**{"busy-reply-threshold": 50})
    long_script(rig)


def script_over(rig: Rig) -> None:
    eventually(rig.store.answers, 30)
    rig.store.configure(**{"busy-reply-threshold": 5000})


def fill_memory(rig: Rig) -> None:
    rig.store.fill(ROOM_BYTES)


def more_memory(rig: Rig) -> None:
    rig.store.configure(maxmemory=0)


def forget_scripts(rig: Rig) -> None:
    with rig.store.client() as client:
        client.script_flush()


def _refuse(rig: Rig) -> None:
    rig.proxy.refuse()


DOWN_AT_START = Setting(prepare=_refuse)
WITHOUT_SPOOL = Setting(env={"TUTTU_SPOOL": "off"})


# -- the embedded store ----------------------------------------------------------------------------------------------

EMBEDDED = Setting(embedded=True)


def kill_embedded(rig: Rig) -> None:
    """Kill the gateway's own store, which starts it again by itself."""
    os.kill(rig.running.store_pid(), signal.SIGKILL)


def kill_and_start_parent(rig: Rig) -> None:
    """Kill the parent alone and start another at once; the store is adopted or gone, and the old workers go."""
    store, workers = rig.running.store_pid(), rig.workers()
    rig.running.kill()
    rig.running.start()
    assert rig.running.store_pid() == store or not alive(store), "two stores on one folder"
    eventually(lambda: not any(alive(pid) for pid in workers), within=5)


# -- replicas --------------------------------------------------------------------------------------------------------


def attach_replica(rig: Rig) -> None:
    """Start a replica behind a line of its own."""
    rig.replica = rig.new_store("replica")
    rig.replica_line = rig.stack.enter_context(StoreProxy(rig.store.address))
    rig.replica.follow(("127.0.0.1", rig.replica_line.port))


def _attach_lagging(rig: Rig) -> None:
    attach_replica(rig)
    _line(rig).become(delay_s=LAG_S)


WITH_REPLICA = Setting(prepare=attach_replica)
WITH_LAGGING_REPLICA = Setting(prepare=_attach_lagging)


def to_replica(rig: Rig) -> None:
    rig.proxy.retarget(_replica(rig).address)


def to_primary(rig: Rig) -> None:
    rig.proxy.retarget(rig.store.address)


def fail_over(rig: Rig) -> None:
    """Lose the primary, and let the address lead to the replica, which gets nothing more of it."""
    with rig.store.client() as primary, _replica(rig).client() as replica:
        missing = primary.info("replication")["master_repl_offset"] - replica.info("replication")["slave_repl_offset"]
    rig.notes.append(f"{max(0, missing)} bytes had not reached the replica")
    rig.store.kill()
    rig.fault_at = time.monotonic()
    _line(rig).cut(reset=True)
    _replica(rig).promote()
    rig.use(_replica(rig))


def fail_over_late(rig: Rig) -> None:
    """Let the replica get nothing for longer than the workers keep their tail, then fail over to it."""
    rig.lag_since = time.monotonic()
    _line(rig).become(to_gateway=False)
    time.sleep(LONGER_THAN_THE_TAIL_S)
    fail_over(rig)


def attach_spare(rig: Rig) -> None:
    """Give the promoted store a replica: with this grade nothing is taken as stored until there is one."""
    rig.new_store("spare").follow(rig.store.address)


def start_gateway_with_spare(rig: Rig) -> None:
    attach_spare(rig)
    start_gateway(rig)


def lose_gateway_and_primary(rig: Rig) -> None:
    rig.kill_gateway()
    fail_over(rig)


def _replica(rig: Rig) -> Store:
    assert rig.replica
    return rig.replica


def _line(rig: Rig) -> StoreProxy:
    assert rig.replica_line
    return rig.replica_line


# -- the gateway -----------------------------------------------------------------------------------------------------


def kill_gateway(rig: Rig) -> None:
    rig.kill_gateway()


def kill_parent(rig: Rig) -> None:
    rig.running.kill()


def start_gateway(rig: Rig) -> None:
    rig.running.start()


def kill_gateway_on_busy_disk(rig: Rig) -> None:
    rig.stack.enter_context(busy_disk(rig.folder))
    time.sleep(0.3)
    rig.kill_gateway()


def kill_gateway_in_fault(rig: Rig) -> None:
    """Kill the gateway after the store has been away for a while, so that there is something in the spool."""
    rig.store.kill()
    time.sleep(rig.size.hold_s)
    rig.kill_gateway()


def terminate_in_fault(rig: Rig) -> None:
    rig.proxy.become(to_store=False, to_gateway=False)
    time.sleep(rig.size.hold_s)
    begun = time.monotonic()
    rig.running.stop()
    rig.notes.append(f"exit code {rig.running.exit_code} after {time.monotonic() - begun:.1f} s")


def restart_all(rig: Rig) -> None:
    """Bring the store back first if it is gone, then the gateway."""
    if not rig.store.answers():
        rig.store.start()
    rig.proxy.heal()
    rig.running.start()


def kill_worker(rig: Rig) -> None:
    if workers := rig.workers():
        os.kill(workers[0], signal.SIGKILL)


def freeze_worker(rig: Rig) -> None:
    if workers := rig.workers():
        rig.frozen = workers[0]
        os.kill(rig.frozen, signal.SIGSTOP)


def thaw_workers(rig: Rig) -> None:
    if rig.frozen in rig.workers():
        os.kill(rig.frozen, signal.SIGCONT)


def always_fsync(rig: Rig) -> None:
    rig.store.fsync_always()


def lose_power_of_both(rig: Rig) -> None:
    rig.kill_gateway()
    rig.fault_at = time.monotonic()
    lose_power(rig)


# -- the machine -----------------------------------------------------------------------------------------------------


STEP_KNOWN_S = 1.1


def _faketime() -> str:
    return next(map(str, Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")


def no_faketime() -> str:
    """Say why the clock of a child cannot be stepped."""
    return "" if _faketime() else "libfaketime is not here (Debian: apt-get install faketime)"


def _fake_clock(rig: Rig) -> None:
    rig.clock_file.write_text("+0", "utf-8")


FAKED_CLOCK = Setting(prepare=_fake_clock, clock=_faketime)
"""The gateway's processes read the time through libfaketime, which takes its offset from a file."""


def clock(offset: str) -> Act:
    """Return an act that sets the gateway's clock off by so many seconds; its monotonic clock goes on as it was."""
    return lambda rig: _step(rig, offset)


def _step(rig: Rig, offset: str) -> None:
    draft = rig.clock_file.with_suffix(".new")
    draft.write_text(offset, "utf-8")
    draft.replace(rig.clock_file)


def clock_in_fault(rig: Rig) -> None:
    rig.proxy.refuse()
    time.sleep(rig.size.hold_s / 2)
    _step(rig, "+7200")


def clock_then_power(rig: Rig) -> None:
    """Step the clock ahead, and as soon as all processes know let the store lose what it had not fsynced."""
    _step(rig, "+3600")
    time.sleep(STEP_KNOWN_S)
    lose_power(rig)


def clock_back(rig: Rig) -> None:
    rig.proxy.listen()
    time.sleep(0.2)
    _step(rig, "-60")


def no_mount() -> str:
    """Say why no small disk can be had."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "a small disk needs Linux and unshare"
    tried = subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "a small disk needs root and the right to mount"


SMALL_DISK = Setting(small_disk=True, env={"TUTTU_SPOOL_FREE_BYTES": "0"})
"""The spool's folder is a small tmpfs in a mount namespace of the gateway's own, which goes with it."""


SMALL_SPOOL = Setting(env={"TUTTU_SPOOL_MAX_BYTES": "1000000"})


def _spool(rig: Rig) -> Path:
    """Return the spool's folder as the gateway sees it."""
    return Path(f"/proc/{rig.running.pid}/root{rig.running.data / 'spool'}")


def fill_disk(rig: Rig) -> None:
    with (_spool(rig) / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"\0" * 4096)
        except OSError as error:
            rig.notes.append(f"the disk was filled until: {error.strerror}")


def empty_disk(rig: Rig) -> None:
    (_spool(rig) / "filler").unlink(missing_ok=True)


def fill_disk_and_refuse(rig: Rig) -> None:
    fill_disk(rig)
    rig.proxy.refuse()


def empty_disk_and_listen(rig: Rig) -> None:
    rig.proxy.listen()
    empty_disk(rig)
