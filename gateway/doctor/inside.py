"""What only those inside can see: readiness, rules and data by the internal port, the age of data by its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.doctor.asking import Answer, Silence, ask
from gateway.doctor.finding import Finding
from gateway.networks.manifest import read_manifest

_DAY_S = 86_400
_OLD_DAYS = 60
_FETCH = "tuttu data fetch"


def internal(url: str) -> Iterator[Finding]:
    """Yield what the internal port tells."""
    try:
        ready, rules, metrics = (ask("GET", f"{url}/{path}") for path in ("ready", "rules", "metrics"))
    except Silence as silence:
        yield Finding("ready", "bad", f"{url}: {silence}", "name the internal port (8081), where it can be reached")
        return
    if "ready" not in ready.json():
        yield Finding("ready", "bad", f"{url}/ready is not the gateway's: {ready.status}", "name the internal port")
        return
    reasons, notes = (list(map(str, ready.json().get(name, []))) for name in ("reasons", "notes"))
    if reasons:
        yield Finding("ready", "bad", "; ".join(reasons), "the log says more")
    elif notes:
        yield Finding("ready", "warning", "; ".join(notes), "see docs/operations.md")
    else:
        yield Finding("ready", "good", "hits are taken, and nothing needs anybody's eye")
    yield from _rules(rules)
    sets = re.search(r"^tuttu_network_data ([0-9.]+)", metrics.body.decode("utf-8", "replace"), re.MULTILINE)
    if sets and float(sets[1]) == 0:
        yield Finding("network data", "warning", "there is none: places and companies are unknown", _FETCH)
    elif sets:
        yield Finding("network data", "good", "it is in use")


def _rules(answer: Answer) -> Iterator[Finding]:
    sites = answer.json().get("sites", {})
    if not sites:
        yield Finding("rules", "warning", "no site has rules", "name a folder with `rules` in tuttu.toml")
    for site, found in sites.items():
        if found.get("refused"):
            problems = found["refused"].get("problems") or [{}]
            seen = f"those of site {site} are refused: {problems[0].get('message', '')[:200]}"
            yield Finding("rules", "bad", seen, "`tuttu rules check` shows all; older ones are live meanwhile")
        else:
            yield Finding("rules", "good", f"those of site {site} are live, version {found.get('version')}")


def data_age(folder: Path, now_s: float) -> Iterator[Finding]:
    """Yield how old each set of network data in the folder is; raises DataBroken."""
    sets = read_manifest(folder).sets
    if not sets:
        yield Finding("data age", "warning", f"there is no network data in {folder}", _FETCH)
    for name, about in sets.items():
        days = int((now_s - about.built) // _DAY_S)
        if not about.built:
            yield Finding("data age", "open", f"nobody knows when {name} was built", _FETCH)
        elif days > _OLD_DAYS:
            yield Finding("data age", "warning", f"{name} is {days} days old", f"{_FETCH}: networks change hands")
        else:
            yield Finding("data age", "good", f"{name} is {days} days old")
