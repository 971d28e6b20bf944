from __future__ import annotations

import pytest

from tests.gateway.app import running
from tests.gateway.making import site


async def test_the_log_says_once_what_a_browser_hides(caplog: pytest.LogCaptureFixture) -> None:
    async with running(sites=[site()]) as app:
        for _ in range(2):
            await app.http.post("/v1/page", json={"writeKey": "wwww"})
            await app.post("/v1/page", headers={"origin": "https://evil.example"})
            await app.http.get("/tuttu.js", headers={"origin": "https://evil.example"})
            await app.post("/v1/decide", placements=["home\nheroo"])
    told = [record.getMessage() for record in caplog.records if record.name == "tuttu"]
    assert len(told) == 4
    assert "the write key is not known here" in told[0]
    assert "the origin https://evil.example is not on the site's list" in told[1]
    assert "asks for the SDK" in told[2]
    assert '"home\\nheroo"' in told[3]


async def test_a_flood_of_wrong_requests_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with running(sites=[site()]) as app:
        for number in range(80):
            await app.post("/v1/decide", placements=[f"slot {number}"])
    assert len([record for record in caplog.records if record.name == "tuttu"]) == 50
