"""Every row of the decision table in docs/consent.md, played in one worker's gateway over a real store.

For rows where nothing may be kept, all keys with values and lifetimes and all files of the data folder are compared.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from personalize import aliases
from personalize.aliases import Alias
from tests.gateway import consent_rows
from tests.gateway.consent_bench import Bench, Keys, Sender, opened
from tests.gateway.consent_rows import Row, purposes
from tests.gateway.making import plan, site

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = consent_rows.rows()
UP = [row for row in ROWS if row.store == "up"]
DOWN = [row for row in ROWS if row.store != "up"]
PURPOSES = ("ads", "analytics", "personalization")
ANY = "{block: first, when: [{not: {country: XX}}], content: {title: x}}, {block: other, content: {title: x}}"
RULES = f"placements:\n  - {{placement: any, blocks: [{ANY}]}}\n" + "".join(
    f"  - placement: {purpose}\n    blocks:\n"
    f"      - {{block: with {purpose}, when: [{{consent: {purpose}}}], content: {{title: x}}}}\n"
    f"      - {{block: without {purpose}, content: {{title: x}}}}\n"
    for purpose in PURPOSES
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """One site for each default of the table."""
    rules = plan(RULES)
    defaults = {row.site: purposes(row.default) for row in ROWS}
    sites = [
        site(key=key, secret_key=f"secret {key}", consent=default, plan=rules) for key, default in defaults.items()
    ]
    async with opened(tmp_path_factory.mktemp("consent"), sites) as running:
        yield running


Answers = tuple[httpx.Response, httpx.Response]


@dataclass
class Outage:
    """What a row was answered while the store was down, and what was kept before it and after the replay."""

    sender: Sender
    answers: Answers
    before: Keys
    after: Keys


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def while_down(bench: Bench) -> dict[str, Outage]:
    """Play all rows with the store down, first those that keep nothing, each kind while it is down once."""
    nothing = await _play(bench, [row for row in DOWN if row.kept == "no"])
    return nothing | await _play(bench, [row for row in DOWN if row.kept != "no"])


async def _play(bench: Bench, rows: list[Row]) -> dict[str, Outage]:
    senders = {row.id: Sender(bench, row) for row in rows}
    for sender in senders.values():
        await sender.prepare()
    before = await bench.kept("down")
    await bench.take_down()
    try:
        answers = {name: (await sender.page(), await sender.decide()) for name, sender in senders.items()}
    finally:
        await bench.bring_up()
    for sender in senders.values():
        await sender.meanwhile()
    await bench.replayed()
    after = await bench.kept("down")
    if all(row.kept == "no" for row in rows):
        assert after == before
    return {name: Outage(sender, answers[name], before[0], after[0]) for name, sender in senders.items()}


@pytest.mark.parametrize("row", DOWN, ids=[row.id for row in DOWN])
async def test_a_row_with_the_store_down(bench: Bench, while_down: dict[str, Outage], row: Row) -> None:
    played = while_down[row.id]
    page, decided = played.answers
    _assert_answered(row, page)
    _assert_decided(row, decided)
    for key in played.sender.bystander_keys:
        assert _at(played.before, key) == _at(played.after, key), "nobody else loses anything"
    await _assert_kept(bench, row, played.sender)


@pytest.mark.parametrize("row", UP, ids=[row.id for row in UP])
async def test_a_row_of_the_decision_table(bench: Bench, row: Row) -> None:
    sender = Sender(bench, row)
    await sender.prepare()
    before = await bench.kept("up")
    page = await sender.page()
    decided = await sender.decide()
    _assert_answered(row, page)
    _assert_decided(row, decided)
    after = await bench.kept("up")
    for key in sender.bystander_keys:
        assert _at(before[0], key) == _at(after[0], key), "nobody else loses anything"
    if row.kept == "no":
        assert after == before
    await _assert_kept(bench, row, sender)


async def _assert_kept(bench: Bench, row: Row, sender: Sender) -> None:
    if row.kept == "erased":
        await _assert_erased(bench, row, sender)
        return
    for message in ("page", "decide"):
        entries = await bench.entries(f"{row.id}-{message}")
        found = [frozenset(entry["c"]) for entry in entries]
        in_force = purposes(row.in_force if row.kept == "yes" else row.kept.removeprefix("as "))
        assert found == ([] if row.kept == "no" else [in_force]), "what was in force travels with the event"


def _at(keys: dict[str, tuple[str, int]], name: str) -> list[tuple[str, int]]:
    return [value for key, value in keys.items() if key.endswith(f"}}:{name}")]


def _assert_answered(row: Row, page: httpx.Response) -> None:
    if row.answer == "503":
        assert page.status_code == 503
        assert "set-cookie" not in page.headers
        return
    assert page.status_code == 200
    counts = page.json()
    accepted = row.answer == "accepted"
    assert (counts["accepted"], counts["dropped"], counts["rejected"]) == (int(accepted), int(not accepted), [])
    cookie = page.headers.get("set-cookie", "")
    expected = {"set": "Max-Age=34560000", "taken": "Max-Age=0"}
    assert expected[row.cookie] in cookie if row.cookie in expected else cookie == ""


def _assert_decided(row: Row, decided: httpx.Response) -> None:
    if row.reason == "503":
        assert decided.status_code == 503
        return
    placements = decided.json()["placements"]
    assert placements["any"]["reason"] == row.reason
    allowed = {purpose for purpose in PURPOSES if placements[purpose]["block"] == f"with {purpose}"}
    assert allowed == purposes(row.in_force)
    if row.answer == "no_consent":
        cookie = decided.headers.get("set-cookie", "")
        assert "Max-Age=0" in cookie if row.cookie == "taken" else cookie == ""
        assert "visitor" not in decided.json()


async def _assert_erased(bench: Bench, row: Row, sender: Sender) -> None:
    """Assert that only tombstones are left, and the note that the log entries still have to go."""
    keys = {key.partition("}:")[2]: eval(value) for key, (value, _) in (await bench.all_keys()).items()}  # noqa: S307 - the bytes that we wrote as such
    notes = await bench.notes()
    for name in sender.erased_keys:
        tombstone = aliases.decode(keys[name])
        assert not isinstance(tombstone, Alias)
        assert tombstone.erased
        assert tombstone.consent[1] == []
        assert not tombstone.visits
        assert name.replace("v:", "m:", 1) not in keys, "no marks"
        assert name.rpartition(":")[2].encode() in notes
    if sender.browser_key in keys and sender.browser_key not in (*sender.erased_keys, *sender.bystander_keys):
        browser = aliases.decode(keys[sender.browser_key])
        assert browser.snapshot is None if isinstance(browser, Alias) else browser.erased
    assert await bench.entries(f"{row.id}-page") == []
    if row.store != "up":
        return  # the other rows of the same outage are looked at as they are
    again = await sender.send("again")
    default = purposes(row.default)
    assert again.json()["accepted"] == 0 or default, "what was chosen stays"


async def test_the_table_names_each_case_once() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS) > 60
    assert len({(row.who, row.signals, row.stored, row.default, row.ads, row.store) for row in ROWS}) == len(ROWS)
