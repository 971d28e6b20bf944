"""What waits in the spool and backups: a backup says that it lacks it, a restore brings erasures to it and no more."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.ports import Erasure, VisitorKey
from gateway.rights.ledger import Ledger
from gateway.spool.segments import listed
from gateway.store.embedded import EmbeddedStore
from tests.gateway.command import tuttu
from tests.gateway.test_spool_rewrite import messages, put, record


async def begun(data: Path) -> None:
    """Leave a store behind that holds nothing."""
    store = EmbeddedStore(data / "store", on_event=print)
    await store.start()
    await store.stop()


def test_a_backup_names_what_waits_and_a_restore_erases_in_it_and_leaves_the_rest(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "backup"
    asyncio.run(begun(data))
    done = tuttu("backup", file, "--data", data)
    assert "spool" not in done.stderr
    put(data / "spool", record("gone", "gone-1"), record("stays", "stays-1"))
    before = [path.read_bytes() for path in listed(data / "spool")]
    done = tuttu("backup", file, "--data", data)
    assert (done.returncode, "bytes that wait in the spool" in done.stderr) == (0, True), done.stderr
    assert tuttu("restore", file, "--merge", "--data", data).returncode == 0
    assert [path.read_bytes() for path in listed(data / "spool")] == before
    others = Ledger(tmp_path / "other")
    others.append([Erasure(VisitorKey("demo", "a", "gone"), 1_000)], 2_000)
    done = tuttu("restore", file, "--merge", "--data", data, "--erasures", others.path)
    assert done.returncode == 0, done.stderr
    assert [each for path in listed(data / "spool") for each in messages(path)] == ["stays-1"]


def test_a_deletion_by_command_reaches_what_a_gateway_that_does_not_run_has_left(tmp_path: Path) -> None:
    data = tmp_path / "data"
    asyncio.run(begun(data))
    put(data / "spool", record("gone", "gone-1"), record("stays", "stays-1"))
    assert '"gone-1"' in tuttu("privacy", "export", "--site", "demo", "--visitor", "gone", "--data", data).stdout
    done = tuttu("privacy", "delete", "--site", "demo", "--visitor", "gone", "--yes", "--data", data)
    assert done.returncode == 0, done.stderr
    assert [each for path in listed(data / "spool") for each in messages(path)] == ["stays-1"]
