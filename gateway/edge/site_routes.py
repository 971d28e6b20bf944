"""What is not hot, on Starlette: Segment's settings, liveness, and errors that say what exists."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.edge.assets import asset_routes
from gateway.edge.desk import Desk
from gateway.edge.links import link_routes
from gateway.edge.privacy import rights_report
from gateway.edge.request import RETRY_AFTER_S
from gateway.errors import StoreUnavailable
from gateway.rights.requests import Rights

_KNOWN_POSTS = "POST /v1/{track,page,screen,identify,group,alias,batch,import,decide,links}"


def site_routes(desk: Desk, rights: Rights | None = None, *, demo: bool = False) -> Starlette:
    """Return the application for the public port's other paths, with the demo site if it is on."""

    async def settings(request: Request) -> Response:
        key = request.path_params["key"]
        headers = _cors(desk, request)
        if desk.site(key) is None:
            return _error(404, "bad_write_key", "the write key is not known here", "see tuttu.toml", headers)
        address = request.headers.get("host", "") + desk.prefix(request.scope)
        return JSONResponse(segment_settings(key, address, desk.scheme(request.scope)), headers=headers)

    async def source_config(request: Request) -> Response:
        key = request.query_params.get("writeKey", "")
        headers = _cors(desk, request)
        if desk.site(key) is None:
            return _error(404, "bad_write_key", "the write key is not known here", "see tuttu.toml", headers)
        # RudderStack's browser library starts only with a source that is switched on and has no foreign destinations.
        source = {"id": key, "name": key, "enabled": True, "writeKey": key, "config": {}, "destinations": []}
        return JSONResponse({"source": source}, headers=headers)

    async def metrics_sample(request: Request) -> Response:
        return JSONResponse({"success": True}, headers=_cors(desk, request))

    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    async def http_error(request: Request, error: Exception) -> Response:
        status, said = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
        code = {404: "not_found", 405: "method_not_allowed"}.get(status, "http_error")
        path = request.scope["path"][:200]  # request.url also decodes the query, which may be no UTF-8
        text = f"{request.method} {path} is not served here"
        return _error(status, code, text, f"try {_KNOWN_POSTS}", {**_cors(desk, request), **(said or {})})

    app = Starlette(
        routes=[
            Route("/v1/projects/{key}/settings", settings, methods=["GET"]),
            Route("/v1/m", metrics_sample, methods=["POST"]),
            Route("/sourceConfig/", source_config, methods=["GET"]),
            _report_route(desk, rights),
            Route("/live", live, methods=["GET"]),
            *link_routes(desk),
            *asset_routes(desk, demo=demo),
        ],
        exception_handlers={HTTPException: http_error},
    )
    app.router.redirect_slashes = False  # two SDKs take a redirect for a delivery
    return app


def _report_route(desk: Desk, rights: Rights | None) -> Route:
    """Return the route of a deletion's report; its name is the proof of who may read it."""

    async def report(request: Request) -> Response:
        headers = _cors(desk, request)
        try:
            found = await rights_report(rights, request.path_params["name"])
        except StoreUnavailable as err:
            return _error(503, err.code, err.message, err.hint, headers | {"retry-after": str(RETRY_AFTER_S)})
        if found is None:
            text = "there is no such report; reports are kept for 400 days"
            return _error(404, "not_found", text, "ask under the report's full name", headers)
        return JSONResponse(found, headers=headers)

    return Route("/v1/privacy/reports/{name}", report, methods=["GET"])


def segment_settings(key: str, address: str, scheme: str) -> dict[str, object]:
    """Return what analytics-next wants: without `apiKey` it sends no key, without `Segment.io` it sends elsewhere.

    `address` is host, port and path at which browsers find the gateway.
    """
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{address}/v1",
                "protocol": scheme,
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
            }
        },
        "plan": {"track": {"__default": {"enabled": True}}},
        "edgeFunction": {},
        "metrics": {"sampleRate": 0},
    }


def _cors(desk: Desk, request: Request) -> dict[str, str]:
    origin = request.headers.get("origin")
    pairs = desk.cors.headers(origin.encode("latin-1") if origin else None)
    return {"cache-control": "no-store"} | {name.decode(): value.decode("latin-1") for name, value in pairs}


def _error(status: int, code: str, message: str, hint: str, headers: dict[str, str]) -> Response:
    return JSONResponse({"code": code, "message": message, "hint": hint}, status, headers)
