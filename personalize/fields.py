"""The types of fields: each reads a node with the value phrase that is wanted there and reports at that node.

A value that is no node is left to pydantic, so that models can also be made in Python, from parsed values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ValidationInfo

from personalize import time_values, values
from personalize.slips import wrong_test
from personalize.suggest import did_you_mean, nearest, quoted, unknown
from personalize.values import (
    Ago,
    Cap,
    Length,
    Moment,
    NumberRange,
    PhraseError,
)
from personalize.words import Reading
from personalize.yaml_nodes import FORBIDDEN_NAMES, Items, Map, Text

Value = TypeVar("Value")
Texts = tuple[str, ...]
Test = NumberRange | tuple[str, ...]

KEPT_DAYS = 90
"""Day counts are kept for so long, so no window can be longer."""

LONGEST_NAME = 100

MOST_POINTS = 1_000_000_000
"""A number of points; sums of larger ones would not show the digits that were added."""

LONGEST_PHRASE = 100
"""A longer text is no value phrase; the patterns that read phrases may take a time that grows with its square."""


def text_of(value: Any, reading: Reading) -> Text:
    """Return the node if it is one text with something in it; else report it."""
    if not isinstance(value, Text):
        shape = "a list" if isinstance(value, Items) else "a map"
        raise reading.reject(value, f"one text is wanted here, not {shape}")
    if not value.strip():
        raise reading.reject(value, "the text is empty")
    return value


def phrase(parse: Callable[[str], Any]) -> BeforeValidator:
    """Return a validator that reads one text with the parser of a value phrase."""
    return reads(lambda value, reading: parsed(parse, text_of(value, reading), reading))


def parsed(parse: Callable[[str], Value], node: Text, reading: Reading) -> Value:
    """Return what the parser makes of a text, or report why it is no such phrase."""
    if len(node) > LONGEST_PHRASE:
        raise reading.reject(node, f"{quoted(node)} is too long for a value here; most have two to five words")
    try:
        return parse(str(node))
    except PhraseError as error:
        raise reading.reject(node, str(error)) from None


def read_texts(value: Any, reading: Reading, *, empty: bool = False) -> Texts:
    """Return one text or a list of texts as a tuple."""
    if isinstance(value, Items):
        if not value and not empty:
            raise reading.reject(value, "this list is empty")
        return tuple(str(text_of(item, reading)) for item in value)
    return (str(text_of(value, reading)),)


def read_line(value: Any, reading: Reading) -> str:
    """Return one text as it is."""
    return str(text_of(value, reading))


def read_test(value: Any, reading: Reading) -> Test:
    """Return a number phrase or texts; a text in quotes is always a text."""
    in_list = isinstance(value, Items)
    for text in value if in_list else [value]:
        if isinstance(text, Text) and len(text) <= LONGEST_PHRASE and (why := wrong_test(text, in_list=in_list)):
            reading.report(text, why, "warning")
    if isinstance(value, Text) and not value.quoted and len(value) <= LONGEST_PHRASE:
        return parsed(values.parse_test, text_of(value, reading), reading)
    return read_texts(value, reading)


def plain_value(value: Any, reading: Reading) -> Any:
    """Return a text, a number or a list of them as JSON holds it."""
    if isinstance(value, Items):
        return [plain_value(text_of(item, reading), reading) for item in value]
    if not isinstance(value, Text):
        raise reading.reject(value, "a text, a number or a list of them is wanted here, not a map")
    number = None if value.quoted else values.as_number(value)
    return str(value) if number is None else number


def reads(read: Callable[[Any, Reading], Any]) -> BeforeValidator:
    """Return a validator that reads a node of any shape."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        return read(value, Reading.of(info)) if isinstance(value, Text | Items | Map) else value

    return BeforeValidator(validate)


def names_of(kind: str) -> BeforeValidator:
    """Return a validator that reads names of things of this kind and notes that they are used."""

    def read(value: Any, reading: Reading) -> Texts:
        names = read_texts(value, reading)
        for node in value if isinstance(value, Items) else [value]:
            reading.refer(kind, node)
        return names

    return reads(read)


def name_of(kind: str) -> BeforeValidator:
    """Return a validator that reads one name of a thing of this kind and notes that it is used."""

    def read(value: Any, reading: Reading) -> str:
        node = text_of(value, reading)
        reading.refer(kind, node)
        return str(node)

    return reads(read)


def warn_if_near(nodes: Iterable[Any], known: Iterable[str], what: str, reading: Reading) -> None:
    """Warn of texts that are nearly, but not quite, one of those that are known where any text may stand."""
    known = tuple(known)
    for node in nodes:
        if not isinstance(node, Text) or node.casefold() in known:
            continue
        # Nearly every slip leaves the first letter or the last as it was, and looking at two costs little.
        alike = [word for word in known if word[0] == node[:1].casefold() or word[-1] == node[-1:].casefold()]
        if guess := nearest(node, alike, 0.8):
            reading.report(node, f"{quoted(node)} is not {what} that is known{did_you_mean(guess)}", "warning")


def one_of(*options: str) -> BeforeValidator:
    """Return a validator that reads one of a few fixed texts."""

    def read(value: Any, reading: Reading) -> str:
        return choice(text_of(value, reading), options, reading)

    return reads(read)


def choice(node: Text, options: tuple[str, ...], reading: Reading) -> str:
    """Return the option that the text is, or report it."""
    if node.casefold() not in options:
        raise reading.reject(node, unknown(node, options, f"{quoted(node)} cannot stand here"))
    return node.casefold()


def map_of(read: Callable[[Any, Reading], Any]) -> BeforeValidator:
    """Return a validator that reads a map with free keys, each value by the reader given."""

    def read_map(value: Any, reading: Reading) -> dict[str, Any]:
        if not isinstance(value, Map):
            raise reading.reject(value, "a map is wanted here, such as {name: value}")
        if not value:
            raise reading.reject(value, "this map is empty")
        return {str(key): read(item, reading) for key, item in value.items()}

    return reads(read_map)


def list_of(thing: str) -> BeforeValidator:
    """Return a validator that wants a list with something in it; pydantic reads its items."""

    def read(value: Any, reading: Reading) -> Items:
        if not isinstance(value, Items):
            raise reading.reject(value, f'a list of {thing} is wanted here: each after "- ", or all inside [ ]')
        if not value:
            raise reading.reject(value, "this list is empty; leave its word out instead")
        return value

    return reads(read)


def read_length(value: Any, reading: Reading) -> Length:
    """Return a length of time that is more than nothing."""
    node = text_of(value, reading)
    length = parsed(values.parse_length, node, reading)
    if length.ms == 0:
        raise reading.reject(node, f"{quoted(node)} is no time at all")
    return length


def days(longest: int, because: str) -> BeforeValidator:
    """Return a validator that reads a length of whole days, at most so many."""
    return reads(lambda value, reading: read_days(text_of(value, reading), reading, longest, because))


def read_days(node: Text, reading: Reading, longest: int, because: str) -> int:
    """Return a length of whole days; a longer one is refused for the reason given."""
    length = parsed(lambda text: values.parse_length(text, longest), node, reading)
    if length.ms == 0:
        raise reading.reject(node, f"{quoted(node)} is no time at all")
    if length.days == 0:
        raise reading.reject(
            node, f"{quoted(node)} is too fine: history is counted by day, so write days or weeks here"
        )
    if length.days > longest:
        raise reading.reject(node, f"{quoted(node)} is longer than {longest} days; {because}")
    return length.days


def _read_name(value: Any, reading: Reading) -> str:
    node = text_of(value, reading)
    if len(node) > LONGEST_NAME or node != " ".join(node.split()):
        raise reading.reject(node, f"a name is one line of at most {LONGEST_NAME} signs, without spaces at its ends")
    if node.casefold() in FORBIDDEN_NAMES:
        raise reading.reject(node, f"{quoted(node)} cannot be used as a name")
    return str(node)


def _read_cap(value: Any, reading: Reading) -> Cap:
    node = text_of(value, reading)
    cap = parsed(values.parse_cap, node, reading)
    if cap.days > KEPT_DAYS:
        message = (
            f'{quoted(node)} is longer than {KEPT_DAYS} days; history is kept for {KEPT_DAYS} days, or write "ever"'
        )
        raise reading.reject(node, message)
    return cap


def _read_number(value: Any, reading: Reading) -> float:
    node = text_of(value, reading)
    number = parsed(values.parse_number, node, reading)
    if abs(number) > MOST_POINTS:
        raise reading.reject(node, f"{quoted(node)} is more than a billion: sums of it would no longer be exact")
    return number


def _read_half_life(value: Any, reading: Reading) -> int:
    node = text_of(value, reading)
    length = read_days(node, reading, 45, "with a slower decay the 90 days that are kept would cut points off")
    if length > 30:
        reading.report(
            node, f"{quoted(node)} is a slow decay; after 90 days the points that are left are lost", "warning"
        )
    return length


Name = Annotated[str, reads(_read_name)]
Line = Annotated[str, reads(read_line)]
TextsField = Annotated[Texts, reads(read_texts)]
TestField = Annotated[Test, reads(read_test)]
Tests = Annotated[dict[str, Test], map_of(read_test)]
PlainValues = Annotated[dict[str, object], map_of(plain_value)]
Number = Annotated[float, reads(_read_number)]
Range = Annotated[NumberRange, phrase(values.parse_range)]
Count = Annotated[int, phrase(values.parse_count)]
AnyCap = Annotated[Cap, phrase(values.parse_cap)]
KeptCap = Annotated[Cap, reads(_read_cap)]
LengthField = Annotated[Length, reads(read_length)]
AgoField = Annotated[Ago, phrase(values.parse_ago)]
MomentField = Annotated[Moment, phrase(time_values.parse_moment)]
Percent = Annotated[float, phrase(values.parse_percent)]
Window = Annotated[int, days(KEPT_DAYS, f"history is kept for {KEPT_DAYS} days")]
HalfLife = Annotated[int, reads(_read_half_life)]
