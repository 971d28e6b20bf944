"""Everything that a doctor looks at, in order."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.doctor.calling import calls, strangers
from gateway.doctor.finding import Finding
from gateway.doctor.forwarding import bodies, caching, forwarded
from gateway.doctor.naming import Resolver, naming
from gateway.doctor.reaching import certificate, clock, closed, https, reachable
from gateway.doctor.target import Target
from gateway.doctor.visiting import visit


def examine(target: Target, *, resolver: Resolver, now_s: float, visiting: bool) -> Iterator[Finding]:
    """Yield what is found, as it is found; nothing more once the gateway cannot be reached."""
    found, answer = reachable(target)
    yield found
    if answer is None:
        return
    yield from https(target)
    yield from certificate(answer, now_s)
    yield from clock(answer, now_s)
    yield from naming(target, resolver)
    yield from forwarded(target)
    yield from calls(target)
    yield from strangers(target)
    yield from caching(target)
    yield from bodies(target)
    yield from closed(target)
    if visiting:
        yield from visit(target)
