"""Files that browsers fetch: the SDK, and the demo site where it is on.

All are read once at start and kept zipped as well. A strict content security policy goes out with every page of the
demo, so that what the SDK promises about such pages is shown by our own.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from hashlib import blake2b
from importlib import resources

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.demo import site as demo_site
from gateway.edge.desk import Desk

_WORTH_ZIPPING = 500  # bytes

_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
    ),
    "referrer-policy": "strict-origin-when-cross-origin",
}


class Asset:
    """One file: its body plain and zipped, and the headers that go with it."""

    def __init__(self, body: bytes, media_type: str, headers: Mapping[str, str]) -> None:
        self._plain = body
        self._zipped = gzip.compress(body, 9, mtime=0) if len(body) > _WORTH_ZIPPING else b""
        self._headers = {
            "content-type": media_type,
            "etag": f'"{blake2b(body, digest_size=9).hexdigest()}"',
            "x-content-type-options": "nosniff",
            "vary": "Accept-Encoding, Origin",
            **headers,
        }

    def answer(self, asked: Headers, extra: Mapping[str, str] | None = None) -> Response:
        """Return the file as the client wants it: zipped, or 304 when it has it already (RFC 9110, section 13.1.2)."""
        headers = {**self._headers, **(extra or {})}
        if headers["etag"] in asked.get("if-none-match", "").replace("W/", ""):
            return Response(status_code=304, headers=headers)
        if self._zipped and "gzip" in asked.get("accept-encoding", ""):
            return Response(self._zipped, headers=headers | {"content-encoding": "gzip"})
        return Response(self._plain, headers=headers)


def asset_routes(desk: Desk, *, demo: bool) -> list[Route]:
    """Return the routes of the SDK and, if asked for, of the demo site."""
    body = (resources.files("gateway.web") / "tuttu.js").read_bytes()
    sdk = Asset(body, "text/javascript; charset=utf-8", {"cache-control": "public, max-age=300"})

    async def script(request: Request) -> Response:
        origin = request.headers.get("origin")
        named = desk.cors.headers(origin.encode("latin-1")) if origin else ()
        if origin and len(named) == 1:
            desk.notices.tell(f'a page of {origin[:100]} asks for the SDK: no [[site]] lists it in "origins"')
        allowed = {name.decode(): value.decode("latin-1") for name, value in named if name != b"vary"}
        return sdk.answer(request.headers, allowed)

    routes = [Route("/tuttu.js", script)]
    return routes + _demo_routes() if demo else routes


def _demo_routes() -> list[Route]:
    assets = {
        path: Asset(
            file.body,
            file.media_type,
            {"cache-control": "no-cache"} | (_PAGE_HEADERS if file.media_type.startswith("text/html") else {}),
        )
        for path, file in demo_site.files().items()
    }

    async def page(request: Request) -> Response:
        asset = assets.get(request.path_params["path"].rstrip("/"))
        if asset is None:
            return Response("There is no such page in the demo; it begins at /demo/.\n", 404, media_type="text/plain")
        return asset.answer(request.headers)

    async def front(request: Request) -> Response:
        return assets[""].answer(request.headers)

    async def entrance(_request: Request) -> Response:
        return RedirectResponse("/demo/", 307)

    return [
        Route("/", entrance),
        Route("/demo", entrance),
        Route("/demo/", front),
        Route("/demo/{path:path}", page),
    ]
