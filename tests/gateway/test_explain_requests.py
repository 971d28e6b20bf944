"""Who may ask why, and in which language."""

from __future__ import annotations

import pytest

from tests.gateway.app import App, running

ADMIN = {"authorization": "Bearer an admin token"}
HERE = {"host": "localhost:8080"}


async def asked(app: App, query: str, headers: dict[str, str]) -> tuple[int, str]:
    answer = await app.post(f"/v1/decide?explain=1{query}", headers=headers, placements=["home hero"])
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("query", "finnish"),
    [
        ("", False),
        ("&language=en-GB", False),
        ("&language=fi", True),
        ("&language=%66i", True),
        ("&language=fi-FI", True),
        ("&language=FI_fi", True),
    ],
)
async def test_reasons_are_said_in_the_language_that_was_asked_for(query: str, finnish: bool) -> None:  # noqa: FBT001 - a table's column
    async with running() as app:
        status, text = await asked(app, query, ADMIN)
    assert status == 200
    assert ("Vaatii" in text) is finnish
    assert ("Needs" in text) is not finnish


async def test_a_language_that_is_not_spoken_is_refused_with_the_choices() -> None:
    async with running() as app:
        status, text = await asked(app, "&language=xx", ADMIN)
    assert status == 400
    assert 'language \\"xx\\"' in text
    assert "ask for one of en, fi" in text


@pytest.mark.parametrize(
    "header",
    [
        "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-real-ip", "via",
        "cf-connecting-ip", "cf-ray", "true-client-ip",
    ],
)  # fmt: skip
async def test_the_demo_tells_nobody_behind_a_proxy_why(header: str) -> None:
    async with running() as app:
        app.gateway._desk._demo = True
        assert (await asked(app, "", HERE))[0] == 200
        assert (await asked(app, "", {**HERE, header: "192.0.2.1"}))[0] == 401
