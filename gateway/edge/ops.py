"""The internal port: is the process alive, can it take hits, what has it counted. Served by the parent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.telemetry import Telemetry, exposition


@dataclass(slots=True, frozen=True)
class Readiness:
    """Whether the gateway can take a hit, and if not, why: one sentence for each reason."""

    reasons: tuple[str, ...]


def ops_app(telemetry: Callable[[], Awaitable[Telemetry]], readiness: Callable[[], Readiness]) -> Starlette:
    """Return the application of the internal port."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_request: Request) -> Response:
        reasons = readiness().reasons
        return JSONResponse({"ready": not reasons, "reasons": list(reasons)}, 503 if reasons else 200)

    async def metrics(_request: Request) -> Response:
        return Response(exposition(await telemetry()), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[Route("/live", live), Route("/ready", ready), Route("/metrics", metrics)],
    )
