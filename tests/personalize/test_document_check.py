"""What the gateway writes is read, and whatever else is in the store is refused with the place of the damage."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize import documents
from personalize.document_check import Unreadable, checked
from personalize.explain import as_data, explain
from personalize.explain_text import explained_lines
from personalize.view import without_request
from tests.fakes.visitor import plan_of
from tests.personalize.strategies import arrived, habits, moment

PLAN = plan_of("""
scores: [{score: fit, half-life: 7 days, points: [{give: 5, for viewed: /*}, {give: 1, for company: {name: "*"}}]}]
segments:
  - {segment: all, when: [{any of: [{first visit: more than 7 days ago}, {last visit: less than 2 hours ago}]}]}
  - {segment: owner, when: [{owns: pro}, {trait: plan, is: at least 5}, {consent: email}]}
stages move: forward only
stages: [{stage: buyer, when: [{did: buy}]}, {stage: looker}]
placements:
  - placement: hero
    blocks:
      - block: a1
        show at most: once per week
        rest after dismiss: 14 days
        rest after click: forever
        content: {title: x}
      - {block: b1, content: {title: y}}
""")
NOW = moment("2026-11-23 08:00")
WHOLE: dict[str, Any] = {
    "r": "boot1",
    "f": 1,
    "x": 1,
    "s": NOW,
    "l": 20_000,
    "v": [1, 1_795_000_000, 1_795_100_000, 1_795_100_100],
    "m": {"abc": [3, 20_770, 2]},
    "n": {"abc": 20_770},
    "t": [[5, {"plan": "pro", "gone": None}]],
    "o": {"pro": NOW},
    "c": [NOW, ["analytics", "personalization"]],
    "g": [5, "g1", {"name": "Acme"}],
    "u": [5, "u1"],
    "w": [5, "FI", "", "Espoo", "fi", "mobile", "Firefox", "Android"],
    "b": {"a1": [[1, 20_770, 1], NOW, NOW, 0]},
    "h": ["buyer", NOW],
    "k": [NOW, "k1", NOW],
    "p": [(NOW << 22) + 5, "/a", "www.google.com/search"],
    "q": [(NOW << 22) + 5, "/a", "", "autumn", "news", "email", "", "b"],
    "i": {"gclid": [(NOW << 22) + 5, "Cj0K"], "new_kind": [5, "x"]},
    "j": NOW,
}


def read_aloud(document: bytes) -> None:
    profile = checked(document)
    found = explain(PLAN, profile, without_request(profile), NOW)
    assert list(map(str, explained_lines(found)))
    assert orjson.dumps(as_data(found))


def refusal(table: dict[str, Any]) -> str:
    """Return why a document is refused; "" for one that was read and explained."""
    try:
        read_aloud(orjson.dumps(table))
    except Unreadable as error:
        return str(error)
    return ""


@given(habits(NOW))
def test_whatever_the_gateway_writes_is_read(arriving: Any) -> None:
    profile = arrived(PLAN, arriving)
    document = documents.encode(profile, "boot1")
    assert checked(document) == documents.decode(document)
    read_aloud(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)


@given(st.sampled_from(sorted(WHOLE)), JSON)
def test_a_damaged_profile_is_refused_or_read_but_never_fails(key: str, value: Any) -> None:
    why = refusal(WHOLE | {key: value})
    assert not why or why.startswith((f"it is damaged at {key}", "it has the format"))


@given(st.data(), JSON)
def test_damage_within_is_refused_or_read_but_never_fails(data: st.DataObject, value: Any) -> None:
    key = data.draw(st.sampled_from([key for key, it in sorted(WHOLE.items()) if isinstance(it, (list, dict))]))
    whole = orjson.loads(orjson.dumps(WHOLE))
    at = data.draw(st.sampled_from(list(whole[key] if isinstance(whole[key], dict) else range(len(whole[key])))))
    whole[key][at] = value
    why = refusal(whole)
    assert not why or why.startswith(f"it is damaged at {key}")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b'{"r":"1","f":1,"h":["customer",1e300]}', "it is damaged at h.1: input should be a valid integer"),
        (b'{"r":"1","f":1,"b":{"x\\u001b":[[1],1e300,0,0]}}', "it is damaged at b.1: input should be a valid integer"),
        (b'{"r":"1","f":1,"t":5}', "it is damaged at t: "),
        (b'{"r":"1","f":1,"m":{"a":[1,20000]}}', "it is damaged at m: this is no row of day counts"),
        (b'{"r":"1","f":1,"v":[1]}', "it is damaged at v: visits have a beginning and an end"),
        (
            b'{"r":"1","f":99}',
            "it has the format 99, and this release reads formats up to 1; use the release that wrote",
        ),
        (b'{"r":"1","f":1,"t":[[1,{"a":Infinity}]]}', "it is damaged: "),
        (b'{"f":1}', "it is damaged at r: field required"),
        (b"[1]", "it is damaged: "),
        (b"\xff", "it is damaged: "),
    ],
)
def test_the_place_of_the_damage_is_told(document: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as refused:
        checked(document)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
