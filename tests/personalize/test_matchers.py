from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from personalize import matchers
from personalize.errors import RulesInvalid
from personalize.matchers import Matchers, canonical, matcher_id
from personalize.model import Event, EventType
from personalize.syntax import Behaviour, Test
from personalize.values import NumberRange

numbers = count()


def behaviour(head: str, *names: str, where: dict[str, Test] | None = None, **window: Any) -> Behaviour:
    at = f"rules.yaml:{next(numbers)}:1"
    return Behaviour.model_construct(head=head, names=names, properties=where or {}, where=at, **window)


def event(kind: EventType, *, name: str = "", path: str = "", **properties: Any) -> Event:
    return Event(kind, "m", 0, 0, name=name, path=path, properties=properties)


def test_the_id_depends_on_what_is_counted_and_on_nothing_else() -> None:
    one = behaviour("viewed", "/A/", "/b*", where={"x": ("P", "q"), "n": NumberRange(1, 5)}, at_least=3, within=30)
    same = behaviour("viewed", "/b*", "/a?utm=1", "/a", where={"n": NumberRange(1.0, 5.0), "x": ("Q", "p", "q")})
    assert matcher_id(one) == matcher_id(same)
    assert len({matcher_id(b) for b in (one, behaviour("did", "/a", "/b*"), behaviour("viewed", "/a", "/b*"))}) == 3


def test_ids_are_the_same_for_ever() -> None:
    # Profiles in the store hold these ids: a changed canonical form would let every count go.
    assert matcher_id(behaviour("viewed", "/hinnoittelu*")) == "T71Ejm"
    assert matcher_id(behaviour("did", "download", where={"type": ("whitepaper", "case")})) == "yAbBGL"
    open_range = {"n": NumberRange(5, float("inf"), open_low=True)}
    assert canonical(behaviour("did", "x", where=open_range)) == '["did",["x"],[["n",["number","5.0","inf","10"]]]]'


def test_two_different_matchers_with_one_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matchers, "id_of", lambda _: "same66")
    with pytest.raises(RulesInvalid, match=r"rules\.yaml:\d+:1: by chance"):
        Matchers([behaviour("viewed", "/a"), behaviour("viewed", "/b")])
    assert Matchers([behaviour("viewed", "/a"), behaviour("viewed", "/A/")]).ids == {"same66"}


def test_viewed_matches_paths_of_pages_and_names_of_screens() -> None:
    prices, home, did = behaviour("viewed", "/hinnoittelu*"), behaviour("viewed", "Home"), behaviour("did", "Home")
    found = Matchers([prices, home, did])
    assert found.matching(event("page", path="/Hinnoittelu/yritys/?x=1", name="Home")) == (matcher_id(prices),)
    assert found.matching(event("screen", name="home", path="/hinnoittelu")) == (matcher_id(home),)
    assert found.matching(event("track", name="HOME", path="/hinnoittelu")) == (matcher_id(did),)
    assert found.matching(event("identify", name="Home", path="/hinnoittelu")) == ()


def test_names_of_events_are_no_paths() -> None:
    asked = behaviour("did", "Asked why?")
    assert Matchers([asked]).matching(event("track", name="asked why")) == ()
    assert Matchers([asked]).matching(event("track", name="asked WHY?")) == (matcher_id(asked),)


def test_where_is_asked_of_each_event() -> None:
    paper = behaviour("did", "download", where={"type": ("whitepaper", "case*"), "pages": NumberRange(5, 100)})
    plain = behaviour("did", "down*")
    found = Matchers([paper, plain])
    both = {matcher_id(paper), matcher_id(plain)}
    assert set(found.matching(event("track", name="download", type=["x", "Case study"], pages="12"))) == both
    assert found.matching(event("track", name="download", type="case", pages=3)) == (matcher_id(plain),)
    assert found.matching(event("track", name="download")) == (matcher_id(plain),)


def test_a_matcher_counts_an_event_once_however_many_of_its_globs_fit() -> None:
    many = behaviour("viewed", "/a", "/*", "*a", "/a*")
    assert Matchers([many]).matching(event("page", path="/a")) == (matcher_id(many),)


def test_the_memo_is_bounded_and_changes_nothing() -> None:
    found = Matchers([behaviour("viewed", "/x/*")])
    paths = [f"/x/{n}" for n in range(matchers._MEMO_ENTRIES + 10)] + ["/x/" + "y" * 5000]
    for path in paths + paths:
        assert len(found.matching(event("page", path=path))) == 1
    memo = found._viewed._memo
    assert len(memo) <= matchers._MEMO_ENTRIES
    assert max(map(len, memo)) <= matchers._MEMO_TEXT
