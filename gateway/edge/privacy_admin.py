"""Export and deletion on the internal port, for whoever has the admin token: whomever the store holds."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.edge.privacy import Gate, store_errors
from gateway.edge.request import RETRY_AFTER_S
from gateway.errors import BadRequest, GatewayError, Refused, TooLarge
from gateway.rights.requests import Rights, Subject, browser, claimed, company, named, person
from personalize.plan import Plan
from personalize.suggest import listed, quoted, unknown

BODY_BYTES = 20_000

_WAYS: Mapping[str, Callable[[str, str], Subject | None]] = {
    "userId": person,
    "anonymousId": claimed,
    "visitor": lambda site, value: browser(site, value.partition(".")[0]),
    "groupId": company,
    "key": named,
}

_WHOM = f'send one text: {", ".join(_WAYS)}; a key as the log has it, "k:…"'

PlanOf = Callable[[str], Awaitable[Plan | None]]
"""Returns the live rules of a site, None for a site that there is not."""


def admin_routes(
    rights: Rights, plan_of: PlanOf, sites: list[str], token: str, deleted: Callable[[str], None]
) -> list[Route]:
    """Return the routes; `deleted` hears of each deletion, by the subject's word."""
    expected = b"Bearer " + token.encode()
    gate = Gate()

    async def opened(request: Request) -> tuple[Subject, Plan]:
        subject, site = subject_of(await _body(request), sites)
        plan = await plan_of(site)
        assert plan is not None, "subject_of has looked"  # noqa: S101 - keeps the types honest
        return subject, plan

    async def export(request: Request) -> Any:
        subject, plan = await opened(request)
        async with gate.passed():
            return await rights.export(subject, plan)

    async def delete(request: Request) -> Any:
        subject, plan = await opened(request)
        async with gate.passed():
            report = await rights.delete(subject, plan.calendar)
        deleted(subject.word)
        return report

    async def report(request: Request) -> Any:
        with store_errors():
            found = await rights.report(request.path_params["name"])
        if found is None:
            raise BadRequest("there is no such report", hint="reports are kept for 400 days", code="not_found")
        return found

    def guarded(act: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                given = request.headers.get("authorization", "").encode("latin-1")
                if not hmac.compare_digest(given, expected):
                    raise Refused(
                        "the admin token is missing or wrong",
                        hint="send Authorization: Bearer with admin_token from secrets.toml in the data folder",
                        code="bad_admin_token",
                    )
                return _json(await act(request), 200)
            except GatewayError as err:
                status = 404 if err.code == "not_found" else err.status
                return _json({"code": err.code, "message": err.message, "hint": err.hint}, status)

        return answer

    return [
        Route("/api/privacy/export", guarded(export), methods=["POST"]),
        Route("/api/privacy/delete", guarded(delete), methods=["POST"]),
        Route("/api/privacy/reports/{name}", guarded(report), methods=["GET"]),
    ]


def subject_of(body: Mapping[str, Any], sites: list[str]) -> tuple[Subject, str]:
    """Return whom a body is about, and the site's key; raises BadRequest."""
    site = body.get("site")
    if not isinstance(site, str) or site not in sites:
        what = f"there is no site {quoted(str(site)[:64])}" if site else "the request names no site"
        raise BadRequest(unknown(str(site)[:64], sites, what), hint=f'send "site": one of {listed(sites)}')
    given = {name: body[name] for name in _WAYS if body.get(name)}
    name, value = next(iter(given.items()), ("", ""))
    subject = _WAYS[name](site, value) if len(given) == 1 and isinstance(value, str) else None
    if subject is None:
        what = f"the request names {' and '.join(given)}, which is nobody" if given else "the request names nobody"
        raise BadRequest(what, hint=_WHOM)
    return subject, site


async def _body(request: Request) -> Mapping[str, Any]:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY_BYTES:
            raise TooLarge(f"the body is over {BODY_BYTES} bytes", hint="a request names one visitor")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as err:
        raise BadRequest(f"the body is not JSON: {err}", hint='send {"site": …, "userId": …}', code="bad_json") from err
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object", hint='send {"site": …, "userId": …}')
    return body


def _json(value: Any, status: int) -> Response:
    headers = {"cache-control": "no-store"} | ({"retry-after": str(RETRY_AFTER_S)} if status in (429, 503) else {})
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return Response(body, status, headers, "application/json")
