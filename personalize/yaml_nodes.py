"""YAML text as nodes that know where they stand: the loader's composer over libyaml's events.

Scalars stay text whatever they look like; the schema that reads them decides. What YAML offers beyond maps, lists and
texts is refused: duplicate keys, anchors, aliases, tags, several documents. The composer keeps its own stack, so that
depth costs no recursion, and goes on after each problem that leaves the structure readable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from personalize.errors import ParserMissing, Problem
from personalize.suggest import quoted
from personalize.yaml_sentences import QUOTES, sentence_of

MAX_BYTES = 1_000_000
"""The size of one file; the largest rule sets that were seen have 150 kB."""

MAX_DEPTH = 40
"""Maps and lists inside one another; the deepest sensible rule has about twelve."""

FORBIDDEN_NAMES = frozenset({"__proto__", "constructor", "prototype"})
"""Keys that change the object itself in a browser; they are no names here either."""

# Everything but YAML's printable characters; NEL, LS and PS break lines for libyaml but for no editor.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COMMENT = re.compile(r"[ \t]*#")


class Text(str):
    """A scalar as written, with its position; `quoted` tells "5" from 5, `comment` that a # followed it unquoted."""

    __slots__ = ("column", "comment", "file", "line", "quoted")
    file: str
    line: int
    column: int
    quoted: bool
    comment: bool

    @property
    def where(self) -> str:
        """The position as file:line:column."""
        return f"{self.file}:{self.line}:{self.column}"


class Items(list["Node"]):
    """A list, with the position of its start."""

    __slots__ = ("column", "file", "line")
    file: str
    line: int
    column: int

    @property
    def where(self) -> str:
        """The position as file:line:column."""
        return f"{self.file}:{self.line}:{self.column}"


class Map(dict[Text, "Node"]):
    """A map, with the position of its start."""

    __slots__ = ("column", "file", "line")
    file: str
    line: int
    column: int

    @property
    def where(self) -> str:
        """The position as file:line:column."""
        return f"{self.file}:{self.line}:{self.column}"


Node: TypeAlias = Text | Items | Map


class _Stop(Exception):
    """The rest of this file cannot be read."""


@dataclass(slots=True)
class _Open:
    """A map or list that is being filled; `key` is the map's key that waits for its value."""

    node: Items | Map
    flow: bool
    key: Text | None = None
    ignored: bool = False
    """The value that comes next belongs to a key that was refused."""


@dataclass(slots=True)
class _Composer:
    """Builds the nodes of one file; everything wrong goes to `problems`."""

    file: str
    lines: list[str]
    problems: list[Problem] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    root: Node | None = None
    documents: int = 0

    def note(self, line: int, column: int, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.file, line, column, message))

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the parser."""
        line, column = _spot(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self.refuse_extras(event.anchor, event.tag, line, column)
            self.put(self.text(event, line, column))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self.refuse_extras(event.anchor, event.tag, line, column)
            self.open(event, line, column)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.put(self.stack.pop().node)
        elif isinstance(event, yaml.AliasEvent):
            self.note(line, column, QUOTES.format("*"))
            self.put(self.place(Text(f"*{event.anchor}"), line, column))
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.note(line, column, 'a file holds one document; remove this "---" line or make a second file')
                raise _Stop

    def refuse_extras(self, anchor: str | None, tag: str | None, line: int, column: int) -> None:
        """Note an anchor or a tag; its node is read as if there were none."""
        if anchor is not None:
            self.note(line, column, QUOTES.format("&"))
        elif tag is not None:
            self.note(line, column, QUOTES.format("!"))

    def text(self, event: yaml.ScalarEvent, line: int, column: int) -> Text:
        """Return the scalar as a text."""
        text = self.place(Text(event.value), line, column)
        text.quoted = bool(event.style)
        if text.quoted and (bad := _UNPRINTABLE.search(text)):
            self.note(line, column, f"the invisible character U+{ord(bad[0]):04X} cannot stand in a text")
        end_line, end_column = _spot(event.end_mark)
        line_text = self.lines[end_line - 1] if end_line <= len(self.lines) else ""
        text.comment = not text.quoted and _COMMENT.match(line_text, end_column - 1) is not None
        return text

    def place(self, node: Text, line: int, column: int) -> Text:
        """Give a text its position."""
        node.file, node.line, node.column = self.file, line, column
        node.quoted = node.comment = False
        return node

    def open(self, event: yaml.CollectionStartEvent, line: int, column: int) -> None:
        """Open a map or a list."""
        if len(self.stack) >= MAX_DEPTH:
            self.note(line, column, f"lists and maps are nested more than {MAX_DEPTH} deep here")
            raise _Stop
        node: Items | Map = Map() if isinstance(event, yaml.MappingStartEvent) else Items()
        node.file, node.line, node.column = self.file, line, column
        self.stack.append(_Open(node, flow=bool(event.flow_style)))

    def never_closed(self, error: yaml.MarkedYAMLError) -> tuple[int, int, str] | None:
        """Return the bracket that is still open where the file ends, if that is the error."""
        ended = _spot(error.problem_mark)[0] >= len(self.lines) and not self.lines[-1].strip()
        if not (ended and self.stack and self.stack[-1].flow):
            return None
        node = self.stack[-1].node
        brackets = "[]" if isinstance(node, Items) else "{}"
        message = f"this {brackets[0]} has no {brackets[1]} that fits"
        return node.line, node.column, f"{message}; texts with , : # {brackets[0]} or {brackets[1]} in them need quotes"

    def put(self, node: Node) -> None:
        """Put a finished node where it belongs."""
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.node, Items):
            if isinstance(node, Text) and not node and not node.quoted:
                self.note(node.line, node.column, "this item of a list has no value")
            top.node.append(node)
        elif top.key is None and not top.ignored:
            self.put_key(top, node)
        else:
            self.put_value(top, node)

    def put_key(self, top: _Open, node: Node) -> None:
        """Take the node as the key of the value that follows."""
        if not isinstance(node, Text):
            self.refuse_key(node)
            top.ignored = True
        elif not node and not node.quoted:
            self.note(node.line, node.column, "the word before the colon is missing")
            top.ignored = True
        elif node.casefold() in FORBIDDEN_NAMES:
            self.note(node.line, node.column, f"{quoted(node)} cannot be used as a word or a name")
            top.ignored = True
        elif node in top.node:
            self.note(node.line, node.column, f"{quoted(node)} is written twice in one place; YAML would keep only one")
            top.ignored = True
        else:
            top.key = node

    def refuse_key(self, node: Items | Map) -> None:
        """Note that a map or a list cannot be a key; mostly it is a template without quotes."""
        start = (node.line, node.column)
        if node.column > 1 and self.lines[node.line - 1].startswith("{{", node.column - 2):
            # What was noted inside the template follows from the same lack of quotes.
            self.problems = [problem for problem in self.problems if (problem.line, problem.column) < start]
            self.note(node.line, node.column - 1, QUOTES.format("{{"))
        else:
            self.note(*start, "a word is wanted before the colon, not a list or a map")

    def put_value(self, top: _Open, node: Node) -> None:
        """Take the node as the value of the waiting key."""
        key, top.key, top.ignored = top.key, None, False
        if key is None:
            return
        if isinstance(node, Text) and not node and not node.quoted:
            hint = "; if it is part of a text with a comma, put the text in quotes" if top.flow else ""
            self.note(key.line, key.column, f"{quoted(key)} has no value{hint}")
            # The value stands where its key does, so that what is wrong with it is not told twice.
            node.line, node.column = key.line, key.column
        if isinstance(top.node, Map):
            top.node[key] = node


def compose(file: str, source: str | bytes) -> tuple[Node | None, list[Problem], bool]:
    """Return the file's nodes (None when it is empty), its problems, and whether it could be read to its end."""
    if not yaml.__with_libyaml__:
        raise ParserMissing("PyYAML has no libyaml here; install a PyYAML wheel, or libyaml-dev before building it")
    text, problem = _decoded(file, source)
    if problem:
        return None, [problem], False
    composer = _Composer(file, re.split("\r\n|\r|\n", text))
    try:
        for event in _events(text):
            composer.take(event)
    except _Stop:
        return composer.root, composer.problems, False
    except yaml.MarkedYAMLError as error:
        composer.note(*(composer.never_closed(error) or sentence_of(error, composer.lines)))
        return composer.root, composer.problems, False
    return composer.root, composer.problems, True


def _events(text: str) -> Iterator[yaml.Event]:
    """Return the parser's events, one at a time, so that the composer can stop it anywhere."""
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.CLoader)
    return events


def _spot(mark: object) -> tuple[int, int]:
    """Return the line and column of a mark, counted from 1."""
    return getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1


def _decoded(file: str, source: str | bytes) -> tuple[str, Problem | None]:
    """Return the file's text, or the reason why it has none."""
    if len(source) > MAX_BYTES:
        return "", Problem(file, 1, 1, f"the file is larger than {MAX_BYTES // 1000} kB; split it into several")
    if isinstance(source, bytes):
        try:
            text = source.decode()
        except UnicodeDecodeError as error:
            line, column = _position(source[: error.start].decode())
            return "", Problem(file, line, column, "this is not UTF-8; save the file in that encoding")
    else:
        text = source
    text = text.removeprefix("\ufeff")
    if bad := _UNPRINTABLE.search(text):
        line, column = _position(text[: bad.start()])
        return "", Problem(file, line, column, f"the invisible character U+{ord(bad[0]):04X} cannot stand here")
    return text, None


def _position(before: str) -> tuple[int, int]:
    """Return the line and column that follow a text."""
    lines = re.split("\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1
