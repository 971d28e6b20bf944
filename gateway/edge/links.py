"""E-mail links at the door: `/v1/go/<token>`, `/v1/open/<token>.gif`, and `POST /v1/links`, which mints them.

Mail scanners open every link, so a GET of a link changes nothing anywhere: no cookie, no event, no call of the store.
Only the page view that follows in a browser tells of a click (see `contacts`). A pixel has nothing that could follow;
it counts as opened when it is fetched, and says by what.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from typing import Any

import orjson
from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.edge.collect import BATCH_BYTES
from gateway.edge.contacts import OPENED, SENT, Noted, contact_hit, job_of
from gateway.edge.desk import Desk
from gateway.edge.minting import BadLink, Mint, Minted
from gateway.edge.request import Header, Request, Send, answer
from gateway.enrich.agent import agent_of
from gateway.errors import BadRequest, Refused, StoreUnavailable
from gateway.identity.links import DEFAULT_LIFETIME_MS, lifetime_ms
from gateway.identity.visitor import hashed
from gateway.wire import segment
from personalize.link_targets import is_listed, with_parameter

log = logging.getLogger("tuttu")

MOST_LINKS = 1_000
_BREATH = 50
"""Links that are made before other requests get a turn."""

_MAX_AGENT = 1_024
_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PRIVATE = {
    "cache-control": "no-store",
    # The webmail page that the visitor comes from is nobody's business; the recognition says that it was a mail.
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_BARE = re.compile(r"Mozilla/\d\.\d")
_PROXIES = ("GoogleImageProxy", "YahooMailProxy", "OutlookImageProxy")


def link_routes(desk: Desk) -> list[Route]:
    """Return the routes that the recipients of mails come by."""

    async def go(request: WebRequest) -> Response:
        return _redirect(desk, request.path_params["token"])

    async def opened(request: WebRequest) -> Response:
        if request.method == "GET":
            await _count_opening(desk, request.path_params["token"], request.headers.get("user-agent", ""))
        return Response(_GIF, media_type="image/gif", headers=_PRIVATE)

    return [
        Route("/v1/go/{token:path}", go, methods=["GET"]),
        Route("/v1/open/{token:path}.gif", opened, methods=["GET"]),
    ]


def _redirect(desk: Desk, token: str) -> Response:
    now = desk.clock()
    link = desk.tokens.links.read(token)
    site = desk.site(link.site) if link is not None else None
    if link is None or site is None or not is_listed(link.target, site.link_targets):
        desk.telemetry.count(("links", "refused"))
        if desk.settings.link_fallback:
            return RedirectResponse(desk.settings.link_fallback, 302, _PRIVATE)
        error = {
            "code": "bad_link",
            "message": "this link cannot be followed",
            "hint": "it was changed or cut off on its way, or its page is not linked to any more; "
            "copy it again from the mail, as a whole",
        }
        return JSONResponse(error, 404, _PRIVATE)
    if now >= link.expires:
        desk.telemetry.count(("links", "expired"))
        return _to(link.target)
    desk.telemetry.count(("links", "redirected"))
    return _to(with_parameter(link.target, desk.tokens.links.recognition(link, now)))


def _to(address: str) -> Response:
    return Response(status_code=302, headers={**_PRIVATE, "location": address})


async def _count_opening(desk: Desk, token: str, agent: str) -> None:
    now = desk.clock()
    link = desk.tokens.links.read_pixel(token)
    site = desk.site(link.site) if link is not None else None
    if link is None or site is None or now >= link.expires:
        desk.telemetry.count(("links", "bad_pixel"))
        return
    desk.telemetry.count(("links", "pixel"))
    properties = {"message": link.message, "via": opened_via(agent), "link": link.id}
    noted = Noted(link.contact, OPENED, f"open-{link.id}", now, properties, link.made)
    try:
        await desk.note([job_of(contact_hit(site, now), [noted])])
    except Exception:  # a mail shows a picture, whatever is wrong here
        log.exception("an opening could not be noted")


def opened_via(agent: str) -> str:
    """Return what fetched a pixel, as far as its User-Agent tells.

    "apple privacy" fetches each mail's pictures whether or not somebody reads it (its agent is nothing but
    "Mozilla/5.0"); an "image proxy" (Gmail, Yahoo, Outlook on the web) mostly fetches when somebody looks; a "bot"
    never reads.
    """
    if _BARE.fullmatch(agent.strip()):
        return "apple privacy"
    if any(proxy in agent for proxy in _PROXIES):
        return "image proxy"
    if not agent or agent_of(agent[:_MAX_AGENT]).bot:
        return "bot"
    return "mail program"


async def mint(desk: Desk, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
    """Handle `POST /v1/links`: links for mails, by the site's own server."""
    body = segment.decode_body(await request.body(BATCH_BYTES, desk.deadlines))
    hit = desk.open(request, body)
    if not hit.secret:
        raise Refused(
            "links are minted with the secret key alone",
            code="secret_key_wanted",
            hint="call from the site's server, with its secret key from secrets.toml as the Basic user name",
        )
    items = body.get("links")
    if not isinstance(items, list) or not 0 < len(items) <= MOST_LINKS:
        raise BadRequest(
            f'"links" is not a list of 1 to {MOST_LINKS} links',
            hint='send {"links": [{"userId": "…", "target": "https://…", "message": "…"}]}',
        )
    base = body.get("base") or f"{desk.scheme(request.scope)}://{_host(request)}{desk.prefix(request.scope)}"
    try:
        made = Mint(desk.tokens.links, hit.site.key, hit.site.link_targets, base if isinstance(base, str) else "")
    except BadLink as err:
        raise BadRequest(str(err), hint='send it as "base": "https://www.example.com/t"') from err
    found = []
    for number, item in enumerate(items, 1):
        found.append(_minted(made, item, hit.received))
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    sent = [
        (each.link.contact, each.link.message)
        for item, each in zip(items, found, strict=True)
        if isinstance(each, Minted) and item.get("sent") is True
    ]
    await _note_sent(desk, hit.site.key, sent, hit.received)
    await answer(send, 200, orjson.dumps({"success": True, "links": list(map(_answered, found))}), headers)


def _minted(made: Mint, item: Any, now: int) -> Minted | BadLink:
    if not isinstance(item, dict):
        return BadLink("link", "the link is not a JSON object")
    expires = item.get("expires")
    try:
        lifetime = DEFAULT_LIFETIME_MS if expires is None else lifetime_ms(str(expires))
    except ValueError as err:
        return BadLink("expires", f'"expires" cannot be used: {err}')
    try:
        return made.make(item.get("userId"), item.get("target"), item.get("message"), now, lifetime)
    except BadLink as err:
        return err


def _answered(found: Minted | BadLink) -> dict[str, Any]:
    if isinstance(found, BadLink):
        return {"error": {"code": "bad_link", "message": str(found), "part": found.part}}
    return {"link": found.url, "pixel": found.pixel, "id": found.link.id, "expires": found.link.expires}


async def _note_sent(desk: Desk, key: str, sent: list[tuple[str, str]], now: int) -> None:
    """Note the messages that were sent: a contact has each message once, however many links are in it."""
    site = desk.site(key)
    if site is None or not sent:
        return
    by_contact: dict[str, list[Noted]] = {}
    for contact, message in dict.fromkeys(sent):
        noted = Noted(contact, SENT, f"sent-{hashed(key, 'm', message)}", now, {"message": message})
        by_contact.setdefault(contact, []).append(noted)
    hit = contact_hit(site, now)
    jobs = [job_of(hit, noted) for noted in by_contact.values()]
    await desk.note(jobs)
    if not all(job.durable for job in jobs):
        raise StoreUnavailable("the store did not note that the messages were sent", hint="send the same request again")


def _host(request: Request) -> str:
    return request.headers.get(b"host", b"").decode("latin-1")
