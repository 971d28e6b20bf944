"""A person as a merge leaves them, with two browsers, an older id and what was only claimed, written into a store."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.identity.visitor import hashed
from gateway.ports import Committed, VisitorKey, Write
from personalize import aliases, documents
from personalize.aliases import Alias
from personalize.profiles import Profile
from tests.contract.subjects import Subject
from tests.gateway.making import NOW

USER, OLD_USER = "anna@example.com", "anna (old)"
SECRET = "what anna did"  # noqa: S105 - it is none
"""Stands in everything that must go; nothing else has it."""


def key(kind: str, id_: str, site: str = "demo") -> VisitorKey:
    return VisitorKey(site, kind, id_)


PERSON, OLDER = (key("k", hashed("demo", "u", user)) for user in (USER, OLD_USER))
CLAIMED, OLD_CLAIMED = (key("c", visitor.id) for visitor in (PERSON, OLDER))
PHONE, LAPTOP, GONE = key("a", "phone"), key("a", "laptop"), key("a", "released long ago")
TWIN = key("k", PERSON.id, "other")
HERS = (PERSON, OLDER, CLAIMED, OLD_CLAIMED, PHONE, LAPTOP)
OTHERS = (TWIN, GONE, key("a", "bystander"), key("k", "bystander"))


def name(visitor: VisitorKey) -> str:
    return f"{visitor.kind}:{visitor.id}"


def profile_of(text: str, **fields: Any) -> Profile:
    traits = [[(NOW - 5000) << 22, {"note": text}]]
    return Profile(first_visit=NOW - 9000, traits=traits, matchers={"abcdef": [3, 20_700, 3]}, **fields)


def entry(visitor: VisitorKey, text: str, time: int = NOW - 5000, **more: Any) -> bytes:
    return orjson.dumps({"s": visitor.site, "v": name(visitor), "t": time, "r": time, "e": {"said": text}} | more)


async def put(
    subject: Subject, visitor: VisitorKey, document: bytes, *entries: bytes, marks: bytes = b"m" * 9, merging: int = 0
) -> None:
    write = Write(visitor, "", document, 1000, marks, list(entries), merging=merging)
    assert await subject.profiles.commit(write) == Committed(0)


async def move_in(subject: Subject) -> None:
    """Write everybody; whatever is Anna's says SECRET."""
    linked = {name(PHONE): NOW - 7000, name(LAPTOP): NOW - 6000, name(OLDER): NOW - 6500, name(GONE): -(NOW - 100_000)}
    theirs = documents.encode(profile_of(SECRET, aliases=linked, consent=[NOW - 8000, ["analytics"]]), "p1")
    await put(
        subject,
        PERSON,
        theirs,
        entry(PERSON, f"{SECRET} on the phone", w=name(PHONE)),
        entry(PERSON, f"{SECRET} on the laptop", w=name(LAPTOP)),
        entry(PERSON, SECRET),
    )
    phone = aliases.encode(Alias(name(PERSON), NOW - 7000), "f1")
    await put(subject, PHONE, phone, entry(PHONE, f"{SECRET} on the phone", NOW - 8000), marks=b"")
    laptop = aliases.encode(Alias(name(OLDER), NOW - 6000, snapshot=profile_of(SECRET)), "l1")
    await put(subject, LAPTOP, laptop, entry(LAPTOP, f"{SECRET} on the laptop", NOW - 8000), merging=NOW - 6000)
    older = aliases.encode(Alias(name(PERSON), NOW - 6500), "o1")
    await put(subject, OLDER, older, entry(OLDER, f"{SECRET} on the phone", NOW - 8000, w=name(PHONE)), marks=b"")
    for visitor in (CLAIMED, OLD_CLAIMED):
        await put(subject, visitor, documents.encode(profile_of(SECRET), "c1"), entry(visitor, SECRET))
    for visitor in OTHERS:
        await put(subject, visitor, documents.encode(profile_of("another"), "t1"), entry(visitor, "another"))


async def everything(subject: Subject) -> str:
    """Return all documents, and all log entries, as one text."""
    texts = []
    for visitor in (*HERS, *OTHERS):
        stored = await subject.profiles.read(visitor, "")
        texts.append(repr((visitor, stored)))
        texts += [repr(entry) for entry in sorted(await subject.reader.entries(visitor, "", 1000))]
    return "\n".join(texts)
