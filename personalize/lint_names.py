"""Names that nobody declares and that differ by one letter from others: events, pages, and the keys of contents.

Any event, path or key may be right, so a slip of the pen in one is no error anywhere else. Only long words are
compared, and none with digits: `/docs/v1` and `/docs/v2` are no slips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from personalize.known_values import wrong_value
from personalize.suggest import quoted
from personalize.syntax import Behaviour, Case, Condition, Logic, Placement
from personalize.words import Problems

_SHORTEST, _LONGEST = 7, 40
"""Words of fewer letters differ by one letter too often, longer ones hardly ever are names."""

_Use = tuple[str, str, str]
"""A head word, a name and where it is used."""


def check_names(conditions: Iterable[Condition], cases: Iterable[Case], problems: Problems) -> None:
    """Report events and paths that are used in one place and are nearly one that is used elsewhere."""
    places: dict[tuple[str, str], list[str]] = {}
    for head, name, where in (*_uses(conditions), *_happened(cases)):
        places.setdefault((head, name.casefold()), []).append(where)
    near: dict[tuple[str, str], list[str]] = {}
    for head, name in places:
        for form in _forms(name):
            near.setdefault((head, form), []).append(name)
    reported: set[str] = set()
    for (head, name), used in reversed(places.items()):
        alike = dict.fromkeys(other for form in _forms(name) for other in near[head, form] if other != name)
        other = max(alike, key=lambda other: len(places[head, other]), default="")
        if other and len(used) == 1 and other not in reported:
            reported.add(name)
            message = f"{quoted(name)} stands only here, and {quoted(other)} elsewhere; is one of them misspelt?"
            problems.report(used[0], message, "warning")


def check_pages(case: Case, problems: Problems) -> None:
    """Report what a test's visitor views, if no page has such a path."""
    for event in (*case.events, *case.also):
        if event.verb == "viewed" and (why := wrong_value("viewed", event.object)):
            problems.report(event.where, f"{quoted(event.object)} is what nobody views: {why}", "warning")


def check_content(placement: Placement, problems: Problems) -> None:
    """Report keys of a block's content that are nearly one that all other blocks have, at least two of them."""
    contents = [block.content for block in placement.blocks if block.content]
    if len(contents) < 3:
        return
    number: dict[str, int] = {}
    for content in contents:
        for key in content:
            number[key] = number.get(key, 0) + 1
    common = [key for key, times in number.items() if times == len(contents) - 1]
    for block in placement.blocks:
        lacking = [key for key in common if key not in block.content]
        for key in block.content if lacking else ():
            guess = next((other for other in lacking if number[key] == 1 and _alike(key, other)), "")
            if guess:
                message = f"the content of {quoted(block.name)} has {quoted(key)} where the other blocks have"
                problems.report(block.where, f"{message} {quoted(guess)}; is it misspelt?", "warning")


def _uses(conditions: Iterable[Condition]) -> Iterator[_Use]:
    for condition in conditions:
        if isinstance(condition, Logic):
            yield from _uses(condition.conditions)
        elif isinstance(condition, Behaviour):
            yield from ((condition.head, name, condition.where) for name in condition.names)


def _happened(cases: Iterable[Case]) -> Iterator[_Use]:
    for case in cases:
        for event in (*case.events, *case.also):
            if event.verb in {"viewed", "did"}:
                yield event.verb, event.object, event.where


def _forms(name: str) -> Iterator[str]:
    """Yield what the name has in common with those that differ by one letter of one long word of it."""
    if len(name) > _LONGEST or any(sign.isdigit() for sign in name):
        return
    start = 0
    for word in name.replace("-", "/").replace("_", "/").replace(" ", "/").split("/"):
        if len(word.strip("*")) >= _SHORTEST:
            for at in range(start, start + len(word)):
                if name[at] != "*":
                    yield f"{name[:at]}?{name[at + 1 :]}"
        start += len(word) + 1


def _alike(one: str, other: str) -> bool:
    """Tell whether two keys differ by one letter, be it another one, one too many or one too few."""
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < 3:
        return False
    at = next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )
    return one[at + 1 :] == other[at + 1 :] or one[at:] == other[at + 1 :] or one[at + 1 :] == other[at:]
