"""The front door: matches the hot paths on raw ASGI, ahead of Starlette's router, which serves all the rest.

One place turns errors into answers: a GatewayError into its status, anything unforeseen into a 500 that tells the
client nothing and the log everything.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.types import ASGIApp

from gateway.edge.collect import Handler, batch, single
from gateway.edge.decide import Decisions
from gateway.edge.desk import Desk
from gateway.edge.links import mint
from gateway.edge.request import Disconnected, Header, Receive, Request, Scope, Send, answer_empty, answer_error
from gateway.errors import GatewayError, Internal, Refused, WrongMethod

log = logging.getLogger("tuttu")

_SINGLES = {
    "track": "t",
    "page": "p",
    "screen": "s",
    "identify": "i",
    "group": "g",
    "alias": "a",
}

_POST_ALONE: Header = (b"allow", b"POST, OPTIONS")


class FrontDoor:
    """The ASGI application: hot paths here, with `more` that want the same gate and errors; the rest to `other`."""

    def __init__(self, desk: Desk, other: ASGIApp, more: Mapping[str, Handler] | None = None) -> None:
        self._desk = desk
        self._other = other
        self._routes = {**routes(), **(more or {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the lifespan."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        handler = self._routes.get(scope["path"])
        method = scope["method"]
        if method == "OPTIONS":
            await answer_empty(send, self._desk.cors.preflight(_origin(scope)))
        elif handler is None:
            await self._other(scope, receive, send)
        elif method != "POST":
            error = WrongMethod(f"{scope['path']} is not served by this method", hint="send it as POST")
            await answer_error(send, error, (*self._desk.cors.headers(_origin(scope)), _POST_ALONE))
        else:
            await self._serve(handler, scope, receive, send)

    async def _serve(self, handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
        desk = self._desk
        request = Request(scope, receive, desk.body_memory)
        origin = request.headers.get(b"origin")
        headers = tuple(desk.cors.headers(origin))
        status = "200"
        try:
            desk.cors.check_any(origin)
            await handler(desk, request, send, headers)
        except GatewayError as error:
            status = str(error.status)
            if isinstance(error, Refused):
                desk.notices.tell(f"{error.message}: {error.hint}")
            await answer_error(send, error, headers)
        except Disconnected:
            status = "disconnected"
        except Exception:
            log.exception("a request failed")
            status = "500"
            await answer_error(send, Internal("something went wrong here", hint="send it again later"), headers)
        finally:
            if request.share:
                request.release()
        desk.telemetry.count(("hits", status))


def routes() -> dict[str, Handler]:
    """Return the hot paths with their handlers."""
    table: dict[str, Handler] = {"/v1/decide": Decisions().handle, "/v1/links": mint}
    for kind, letter in _SINGLES.items():
        table[f"/v1/{kind}"] = table[f"/v1/{letter}"] = single(kind)
    for path in ("/v1/batch", "/v1/b", "/beacon/v1/batch"):
        table[path] = batch()
    table["/v1/import"] = batch(told=True)
    return table


def _origin(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == b"origin"), None)
