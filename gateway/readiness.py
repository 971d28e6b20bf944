"""Whether the gateway can take a hit, told from what its workers said last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway.edge.ops import Readiness
from gateway.running_worker import RunningWorker

SPOOL_OFF = "the spool is off"
_SILENT_S = 5.0
"""How long a worker may leave every question open before that is said."""


def readiness(workers: Sequence[RunningWorker], notes: Sequence[str], now: float, *, stopping: bool) -> Readiness:
    """Return whether a worker's store or spool takes hits; `now` is the loop's time, `notes` are the parent's own."""
    reasons = ["the gateway is stopping"] if stopping else []
    ready = [worker for worker in workers if worker.ready.is_set()]
    if not ready:
        reasons.append("no worker is ready")
    elif all(worker.store_trouble and worker.spool_trouble for worker in ready):
        reasons.append(f"{ready[0].store_trouble}; {ready[0].spool_trouble}")
    return Readiness(tuple(reasons), (*_elsewhere(ready), *_silent(ready, now), *notes))


def _elsewhere(ready: Sequence[RunningWorker]) -> list[str]:
    """Return one sentence for each way in which hits do not go to the store, or could not go to the spool."""
    cases: Counter[str] = Counter()
    for worker in ready:
        if worker.snapshot is None:
            continue  # it has just come, and has said nothing yet
        if worker.store_trouble:
            cases[f"{worker.store_trouble}; {worker.spool_trouble or 'hits go to the spool'}"] += 1
        elif worker.spool_trouble and worker.spool_trouble != SPOOL_OFF:
            cases[f"the spool would take nothing: {worker.spool_trouble}"] += 1
    return [f"{number} of {len(ready)} workers: {case}" for case, number in sorted(cases.items())]


def _silent(ready: Sequence[RunningWorker], now: float) -> list[str]:
    """Return one sentence for each worker that leaves the parent without an answer."""
    return [
        f"worker {w.number} (process {w.process.pid}) has said nothing for {now - w.heard:.0f} s; "
        "new rules and keys wait until it does or is ended"
        for w in ready
        if w.owed and now - w.heard > _SILENT_S
    ]
