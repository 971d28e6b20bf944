"""The decoders alone: whatever bytes come, they return, or raise what their documentation names."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity.visitor import Cookies
from tests.fuzz.decoders import DECODERS, KEYS
from tests.fuzz.hostile_values import ADDRESSES, COOKIES, HEADER_VALUES, IDS, TEXTS, TIMES
from tests.fuzz.requests import samples
from tests.gateway.making import site

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.sampled_from((*IDS, *TIMES)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
KNOWN = (
    *(text.encode() for text in (*IDS, *TIMES, *ADDRESSES, *TEXTS)), *COOKIES, *HEADER_VALUES,
    *(orjson.dumps(sample.body) for sample in samples()),
    f"__Host-tuttu_id={Cookies(KEYS).value(site(), 'v')}".encode(),
)  # fmt: skip


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_takes_whatever_is_known_to_be_hostile(name: str) -> None:
    for data in KNOWN:
        DECODERS[name](b"\x01" + data if name == "events" else data)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_takes_any_bytes(name: str) -> None:
    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
    def decoded(data: bytes) -> None:
        DECODERS[name](data)

    decoded()


@pytest.mark.parametrize("name", ["events", "consent_words", "moments"])
def test_a_decoder_takes_any_json(name: str) -> None:
    @settings(max_examples=100, deadline=None)
    @given(
        st.binary(min_size=1, max_size=1),
        VALUES | st.dictionaries(st.sampled_from(["batch", "context", "type"]), VALUES),
    )
    def decoded(first: bytes, value: object) -> None:
        DECODERS[name](first + orjson.dumps(value) if name == "events" else orjson.dumps(value))

    decoded()
