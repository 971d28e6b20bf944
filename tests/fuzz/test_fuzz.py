"""A short form of `make fuzz`: some thousand requests in this process, and those that once broke something."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.fuzz import failures
from tests.fuzz.harness import harness
from tests.fuzz.mutations import Mutator
from tests.fuzz.requests import Sent, samples

REGRESSIONS = failures.read(failures.REGRESSIONS)


async def test_what_clients_send_is_understood() -> None:
    async with harness() as gateway:
        for sample in samples():
            headers = [each for each in sample.headers if each[0] != b"content-encoding"]
            body = orjson.dumps(sample.body)
            status, body = await gateway.send(Sent("POST", sample.path, sample.query, headers, body))
            assert status == 200, (sample.path, body)
        assert gateway.app.outcomes().keys() <= {"stored", "duplicate"}


@pytest.mark.parametrize("seed", [20_261_122, 6])
async def test_mutated_requests_get_an_answer_that_is_documented(seed: int) -> None:
    async with harness() as gateway:
        mutator = Mutator(seed, *gateway.given_out())
        for first in range(0, 2_000, 8):
            await gateway.send_all([mutator.request(number) for number in range(first, first + 8)])
        gateway.read_all(mutator.request(0))
        assert {200, 204, 400, 401, 403, 404, 405, 413, 415} <= gateway.statuses.keys()
        assert gateway.app.outcomes()["stored"] > 500, "mutations must leave something that is good"


@pytest.mark.parametrize("why", [why for why, _ in REGRESSIONS])
async def test_what_once_broke_something_does_not_any_more(why: str) -> None:
    sent = dict(REGRESSIONS)[why]
    async with harness() as gateway:
        await gateway.send_all([sent])
        gateway.read_all(sent)


def test_a_failing_request_is_written_so_that_it_can_be_sent_again(tmp_path: Path) -> None:
    sent = Sent("POST", "/v1/page", b"a=\xff", [(b"cookie", b"\xff\x00")], b"\x00\xff{", "bytes")
    assert failures.read(failures.write(tmp_path, "one", sent, "it broke")) == [("it broke", sent)]
