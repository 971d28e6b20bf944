"""`POST /v1/decide`: events in, content out, in one round trip, and always an answer within the deadline.

The decision is made on the profile as the store confirmed it with this request's events. If the store is too slow or
away, it is made from the request alone (`degraded`), and the events that are not durable come back in `retry`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal
from urllib.parse import parse_qsl

import orjson

from gateway.edge.collect import BATCH_BYTES, counted
from gateway.edge.contacts import read_contact
from gateway.edge.desk import Desk
from gateway.edge.explaining import explanation
from gateway.edge.intake import Intake, late
from gateway.edge.request import Header, Request, Send, answer
from gateway.enrich import enriched
from gateway.envelope import TOO_LATE, Hit
from gateway.errors import BadRequest, Refused, StoreUnavailable
from gateway.identity.consent import allows_reading, in_force
from gateway.jobs import Job
from gateway.ports import VisitorKey
from gateway.wire import segment
from personalize.decide import decide_in, summary_in
from personalize.decision import Decision
from personalize.language import ENGLISH, LANGUAGES, Language
from personalize.model import Context, Facts
from personalize.profiles import Profile
from personalize.receipts import candidates_data
from personalize.recognized import deciding
from personalize.view import View

MOST_PLACEMENTS = 50
STORE_SHARE = 0.4
"""The part of a decision's time that the store has alone; then its events are spooled as well."""

Unread = Literal["", "no_consent", "degraded", "claim"]


class Decisions:
    """The handler of `/v1/decide`; keeps the commits that outlive their answer until they end."""

    def __init__(self) -> None:
        self._late: set[asyncio.Task[None]] = set()

    async def handle(self, desk: Desk, request: Request, send: Send, headers: tuple[Header, ...]) -> None:
        """Answer one decision request."""
        raw = await request.body(BATCH_BYTES, desk.deadlines)
        body = segment.decode_body(raw)
        placements = _placements(body)
        explain = _wants_receipts(desk, request)
        language = _language(request) if explain else ENGLISH
        hit = desk.open(request, body)
        items = segment.items_of(body, required=False)
        intake = await desk.decode(hit, items, raw, "")
        await desk.admit(intake)
        visitor = _visitor(desk, intake)
        reader = _reader(intake, visitor)
        if reader is not None:
            desk.companies.expect(reader.visitor)
        await self._within_deadline(desk, intake, reader)
        outcomes = intake.outcomes(TOO_LATE)
        if intake.withdrawal is not None and not intake.withdrawal.durable:
            # An erasure has no degraded answer: the visitor must not believe in one that did not happen.
            desk.count(desk.take_back(outcomes))
            raise StoreUnavailable("the store did not answer, so nothing was erased yet", hint="send it again")
        facts = _facts(intake)
        degraded = not all(job.done for job in (*intake.jobs, *([reader] if reader else [])))
        profile, context = _what_may_be_read(intake, reader, facts, degraded=degraded)
        if reader is not None and profile is not None:
            context.company = desk.companies.attributes(reader.visitor, profile)
        plan, now = hit.plan, hit.received
        view = View(plan, profile, context, now)
        decisions = decide_in(view, plan, placements, explain=explain)
        token_id = _token_id(intake, visitor)
        answered = counted(outcomes, hit)
        answered["placements"] = {
            d.placement: _shown(
                d,
                desk.tokens.make(hit.site.key, token_id, d, plan.version, now) if token_id and d.block else None,
                language,
            )
            for d in decisions
        }
        if profile is not None:
            answered["visitor"] = summary_in(view, plan)
        if explain:
            answered["explanation"] = explanation(view, plan, language)
        answered["version"] = plan.version
        answered["degraded"] = degraded
        answered["retry"] = late(outcomes)
        desk.count(outcomes)
        for decision in decisions:
            desk.telemetry.count(("decisions", hit.site.key, decision.block or "", decision.reason))
            if decision.block is None:
                name = decision.placement[:100]
                desk.notices.tell(f'a page asks for the placement "{name}", the rules of {hit.site.key} have none such')
        await answer(send, 200, orjson.dumps(answered), [*headers, *desk.cookie_headers(intake, reader)])

    async def _within_deadline(self, desk: Desk, intake: Intake, reader: Job | None) -> None:
        """Run the jobs, but give up waiting at the deadline; what is under way goes on.

        When the store's share of the time is over, the events are spooled beside it: they are durable then, and the
        store may still answer in time for a decision on the profile.
        """
        work: Coroutine[Any, Any, None]
        if intake.jobs:
            work = desk.run(intake)
            jobs = intake.jobs
        elif reader is not None:
            work = desk.visitors.submit(reader)
            jobs = [reader]
        else:
            return
        loop = asyncio.get_running_loop()
        within = desk.settings.decide_deadline_ms / 1000
        deadline = loop.time() + within
        task = self._started(_with_contact(work, desk, intake, reader))
        done, _ = await asyncio.wait((task,), timeout=within * STORE_SHARE)
        if not done:
            keeping = self._started(desk.keep(jobs))
            await asyncio.wait((task,), timeout=deadline - loop.time())
            if not all(job.durable for job in jobs):
                await asyncio.wait((keeping,), timeout=max(0.0, deadline - loop.time()))
        if task.done():
            task.result()
        for job in jobs:
            job.given_up = not job.durable

    def _started(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return task


async def _with_contact(work: Coroutine[Any, Any, None], desk: Desk, intake: Intake, reader: Job | None) -> None:
    """Run the jobs, and then read the contact as whom the browser is recognized, within the same deadline."""
    await work
    if reader is not None and reader.done and reader.profile is not None and reader.profile.contact:
        intake.contact = await read_contact(desk.visitors, intake.hit, reader, intake.clicks)


def _wants_receipts(desk: Desk, request: Request) -> bool:
    """Tell whether the request asks for receipts; raises Refused when it may not have them."""
    if b"explain=1" not in request.query.split(b"&"):
        return False
    if not desk.is_admin(request) and not desk.is_demo_on_this_machine(request):
        raise Refused(
            "explain=1 comes without the admin token",
            code="bad_admin_token",
            hint="send Authorization: Bearer <admin_token> (see secrets.toml), and the write key in the body",
        )
    return True


def _language(request: Request) -> Language:
    """Return the language for the sentences of receipts: the query's `language`, of which the region does not count."""
    asked = dict(parse_qsl(request.query.decode("latin-1"))).get("language", "en")
    code = asked.lower().replace("_", "-").partition("-")[0]
    if code not in LANGUAGES:
        raise BadRequest(
            f'reasons are not said in the language "{asked[:20]}"',
            hint=f"ask for one of {', '.join(sorted(LANGUAGES))}",
        )
    return LANGUAGES[code]


def _placements(body: dict[str, Any]) -> list[str]:
    names = body.get("placements")
    if (
        not isinstance(names, list)
        or not names
        or len(names) > MOST_PLACEMENTS
        or not all(isinstance(name, str) for name in names)
    ):
        raise BadRequest(
            f'"placements" is not a list of 1 to {MOST_PLACEMENTS} names', hint='send "placements": ["home hero"]'
        )
    return list(dict.fromkeys(names))


def _reader(intake: Intake, visitor: VisitorKey | None) -> Job | None:
    """Return the job whose profile the decision is about: this visitor's events, or one that only reads."""
    said = intake.limit if intake.choice is None else intake.choice & intake.limit
    if visitor is None or intake.withdrawal is not None or not allows_reading(said):
        return None
    job = _job_of(intake, visitor)
    if job is not None:
        return job
    if visitor.kind == "c":
        return Job(intake.hit, visitor, [], done=True)  # a claim is never read back
    job = Job(intake.hit, visitor, [])
    if intake.jobs:
        intake.jobs.append(job)
    return job


def _visitor(desk: Desk, intake: Intake) -> VisitorKey | None:
    """Return whom the decision is about: whoever the request itself names, else its first event."""
    visitor = desk.decision_visitor(intake.hit)
    if visitor is not None:
        return visitor
    return next((job.visitor for job in intake.jobs if job.visitor.kind != "g"), None)  # a company decides nothing


def _job_of(intake: Intake, visitor: VisitorKey) -> Job | None:
    """Return the job that brings the visitor's own events; of several the one of the person who was proved last."""
    theirs = [
        job for job in intake.jobs if job.visitor == visitor or (visitor.kind == "k" and job.person == visitor.id)
    ]
    return max(theirs, key=lambda job: (bool(job.person), job.last_index)) if theirs else None


def _token_id(intake: Intake, visitor: VisitorKey | None) -> str:
    """Return the id that a token is bound to: that of the cookie which the reaction brings, else the person's.

    "" when no reaction can be told to be this visitor's.
    """
    if visitor is None or visitor.kind == "c":
        return ""
    job = _job_of(intake, visitor)
    if job is None or (job.person and not job.done):
        return visitor.id  # whether the browser needs another cookie is not known yet
    return job.cookie_id or job.visitor.id


def _what_may_be_read(
    intake: Intake, reader: Job | None, facts: Facts, *, degraded: bool
) -> tuple[Profile | None, Context]:
    """Return the profile for the decision (None: not read) with what the visitor allows."""
    hit = intake.hit
    claim = reader is not None and reader.visitor.kind == "c"
    profile = reader.profile if reader is not None and reader.done and not claim else None
    consent = in_force(intake.choice, profile, hit.site.consent, intake.chosen, intake.limit)
    unread: Unread = ""
    if not allows_reading(consent):
        unread = "no_consent"
    elif claim:
        unread = "claim"
    elif degraded:
        unread = "degraded"
    known = reader is not None and reader.at.kind == "k"
    if profile is not None and not known and not unread:
        profile, known = deciding(hit.plan, profile, intake.contact, hit.received)
    context = Context(facts, consent, known=known, unread=unread)
    return (None, context) if unread else (profile or Profile(), context)


def _facts(intake: Intake) -> Facts:
    """Return the request's facts: from its own context, else from its last event."""
    hit: Hit = intake.hit
    context = hit.body.get("context")
    if isinstance(context, dict) or not intake.envelopes:
        return enriched(hit, context if isinstance(context, dict) else {}, {})
    last = intake.envelopes[-1]
    return enriched(hit, last.raw.get("context") or {}, last.event.properties)


def _shown(decision: Decision, token: str | None, language: Language) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "decision": token,
        "block": decision.block,
        "content": decision.content,
        "variant": decision.variant,
        "reason": decision.reason,
    }
    if decision.html:
        shown["html"] = True
    if decision.receipt is not None:
        shown["receipt"] = candidates_data(decision.receipt, language)
    return shown
