"""YAML text as nodes that know where they stand: the loader's composer over libyaml's events.

Scalars stay text whatever they look like; the schema that reads them decides. What YAML offers beyond maps, lists and
texts is refused: duplicate keys, anchors, aliases, tags, several documents. The composer keeps its own stack, so that
depth costs no recursion, and goes on after each problem that leaves the structure readable. Whatever a file holds, the
limits below bound the time and the memory that it takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from personalize.errors import ParserMissing, Problem
from personalize.suggest import quoted
from personalize.yaml_quotes import slip_of
from personalize.yaml_sentences import QUOTES, sentence_of

MAX_BYTES = 1_000_000
"""The size of all files together; the largest rule sets that were seen have 150 kB."""

TOO_LARGE = f"the rules of one site are at most {MAX_BYTES // 1000} kB large; with this file they are larger"

MAX_NODES = 30_000
"""Words, values, lists and maps of all files together; 150 kB of rules have about 15,000."""

MAX_PROBLEMS = 200
"""A run stops looking after so many: nobody reads them, and each costs a search for a suggestion."""

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
class Room:
    """What the files of one run may still hold."""

    size: int = MAX_BYTES
    nodes: int = MAX_NODES

    @property
    def full(self) -> bool:
        """Whether the files hold more than they may."""
        return self.size < 0 or self.nodes < 0


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
    room: Room
    problems: list[Problem] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    root: Node | None = None
    documents: int = 0

    def note(self, line: int, column: int, message: str) -> None:
        """Note a problem; after very many of them the rest of the file is left unread."""
        self.problems.append(Problem(self.file, line, column, message))
        if len(self.problems) > MAX_PROBLEMS:
            raise _Stop

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the parser."""
        # Told apart by type and with few calls: this runs for every word and value of every file.
        kind = type(event)
        if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self.put(self.stack.pop().node)
            return
        line, column = _spot(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self.count(event, line, column)
            self.put(self.text(event, line, column))
        elif isinstance(event, yaml.CollectionStartEvent):
            self.count(event, line, column)
            self.open(event, line, column)
        elif isinstance(event, yaml.AliasEvent):
            self.note(line, column, QUOTES.format("*"))
            self.put(self.place(Text(f"*{event.anchor}"), line, column))
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.note(line, column, 'a file holds one document; remove this "---" line or make a second file')
                raise _Stop

    def count(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, line: int, column: int) -> None:
        """Count one more node, stop where there are too many, and note an anchor or a tag, as if there were none."""
        room = self.room
        room.nodes -= 1
        if room.nodes < 0:
            message = f"the rules of one site hold at most {MAX_NODES} words and values; here they hold more"
            self.note(line, column, message)
            raise _Stop
        if event.anchor is not None:
            self.note(line, column, QUOTES.format("&"))
        elif event.tag is not None:
            self.note(line, column, QUOTES.format("!"))

    def text(self, event: yaml.ScalarEvent, line: int, column: int) -> Text:
        """Return the scalar as a text."""
        text = self.place(Text(event.value), line, column)
        if event.style:
            text.quoted = True
            if bad := _UNPRINTABLE.search(text):
                self.note(line, column, f"the invisible character U+{ord(bad[0]):04X} cannot stand in a text")
        else:
            end_line, end_column = _spot(event.end_mark)
            # Where the text is the last of its file, its end lies behind the last line.
            rest = self.lines[end_line - 1] if end_line <= len(self.lines) else ""
            text.comment = _COMMENT.match(rest, end_column - 1) is not None
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
        if not (ended and self.stack and self.stack[-1].flow) or slip_of(self.lines):
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


def compose(file: str, source: str | bytes, room: Room | None = None) -> tuple[Node | None, list[Problem], bool]:
    """Return the file's nodes (None when it is empty), its problems, and whether it could be read to its end.

    `room` is what the run has left for this file; its nodes and its size are taken from it.
    """
    if not yaml.__with_libyaml__:
        raise ParserMissing("PyYAML has no libyaml here; install a PyYAML wheel, or libyaml-dev before building it")
    room = room or Room()
    room.size -= len(source)
    if room.size < 0:
        return None, [Problem(file, 1, 1, TOO_LARGE)], False
    text, problem = _decoded(file, source)
    if problem:
        return None, [problem], False
    composer = _Composer(file, re.split("\r\n|\r|\n", text), room)
    # The parser alone, one event at a time, so that the composer can stop it anywhere.
    parser = yaml.cyaml.CParser(text)  # type: ignore[attr-defined]  # its stub only imports the name
    try:
        while event := parser.get_event():
            composer.take(event)
    except _Stop:
        return composer.root, composer.problems, False
    except yaml.MarkedYAMLError as error:
        place = composer.never_closed(error) or sentence_of(error, composer.lines)
        composer.problems.append(Problem(file, *place))
        return composer.root, composer.problems, False
    return composer.root, composer.problems, True


def _spot(mark: Any) -> tuple[int, int]:
    """Return the line and column of a mark, counted from 1; an error may come without one."""
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _decoded(file: str, source: str | bytes) -> tuple[str, Problem | None]:
    """Return the file's text, or the reason why it has none."""
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
