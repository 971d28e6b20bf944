"""The internal port: is the process alive, can it take hits, what has it counted, what rules are live.

Served by the parent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.telemetry import Telemetry, exposition


@dataclass(slots=True, frozen=True)
class Readiness:
    """Whether the gateway can take a hit, and if not, why: one sentence for each reason.

    The notes are what an operator should know although hits are taken.
    """

    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()


def ops_app(
    telemetry: Callable[[], Awaitable[Telemetry]],
    readiness: Callable[[], Readiness],
    rules: Callable[[], Mapping[str, Any]],
    more: Sequence[Route] = (),
) -> Starlette:
    """Return the application of the internal port; `rules` returns what there is to know of each site's rules."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_request: Request) -> Response:
        found = readiness()
        body = {"ready": not found.reasons, "reasons": list(found.reasons), "notes": list(found.notes)}
        return JSONResponse(body, 503 if found.reasons else 200)

    async def metrics(_request: Request) -> Response:
        return Response(exposition(await telemetry()), media_type="text/plain; version=0.0.4")

    async def live_rules(_request: Request) -> Response:
        return Response(orjson.dumps({"sites": rules()}, option=orjson.OPT_INDENT_2), media_type="application/json")

    routes = {"/live": live, "/ready": ready, "/metrics": metrics, "/rules": live_rules}
    return Starlette(routes=[*(Route(path, answer) for path, answer in routes.items()), *more])
