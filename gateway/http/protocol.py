"""One connection: uvicorn's HTTP protocol with limits, one reading of every request, and refusals that can be read.

A request takes no timer and no extra step here: `Connections` looks at all connections once a second, and what a
connection does is told from what uvicorn keeps anyway (`stage`).
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.errors import BadRequest, Busy, GatewayError, HeadTooLarge
from gateway.http.cycle import Cycle
from gateway.http.limits import MOST_REFUSED
from personalize.percent import percent_decoded

if TYPE_CHECKING:
    from gateway.http.connections import Connections

MOST_HEAD_BYTES = 65_536
"""Request line and headers together."""
_MOST_PIPELINED = 64
_FREE_FRAMING = 65_536
_FRAMING_SHARE = 8
"""Chunk sizes, extensions and trailers may take 64 kB, and 8 bytes for each byte of the body."""

_WATCHED = frozenset({b"host", b"expect", b"transfer-encoding"})

_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class Stage(Enum):
    """What a connection is doing."""

    IDLE = "waits for a request"
    HEAD = "is receiving a request's headers"
    BUSY = "is being answered, or its body is read"
    TAIL = "sends a body that nobody reads any more"
    UNREAD = "has not read its answer"
    FAREWELL = "was refused"


class _Deaf:
    """Stands in for the parser of a connection that was refused: whatever still comes is dropped."""

    def feed_data(self, data: bytes) -> None:
        """Drop it."""


class _Trailers(list[tuple[bytes, bytes]]):
    """Takes headers that come behind a body, and keeps none."""

    def append(self, header: tuple[bytes, bytes], /) -> None:
        """Let it go."""


_TRAILERS = _Trailers()


class Connection(HttpToolsProtocol):
    """A connection of the public port; `keeper` has the limits and counts."""

    cycle: Cycle

    def __init__(self, *args: Any, keeper: Connections, **named: Any) -> None:
        super().__init__(*args, **named)
        self.keeper = keeper
        # uvicorn lets llhttp read on behind `Connection: close`; nothing may follow there.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self.refused = False
        self._last_word: GatewayError | None = None
        self._hosts = 0
        self._chunked = False
        self._framing = 0
        self._look_closely = False
        """Whether a head has come in more than one piece, or in a very large one."""
        self._head_bytes = 0
        self.seen: tuple[Stage, Cycle | None, int] | None = None
        """What it did when it was last looked at; `since` when that began, by the loop's clock."""
        self.since = 0.0

    # -- what the connection is doing ------------------------------------------------------------------------------

    @property
    def _head_is_open(self) -> bool:
        # uvicorn makes a scope when a request begins, and a cycle with that scope when its headers are complete
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    @property
    def stage(self) -> Stage:
        """What the connection is doing now."""
        if self.refused:
            return Stage.FAREWELL
        if self.transport.get_write_buffer_size():
            return Stage.UNREAD
        if self._head_is_open:
            return Stage.HEAD
        if self.cycle is None or (self.cycle.response_complete and not self.cycle.more_body):
            return Stage.IDLE
        return Stage.TAIL if self.cycle.response_complete else Stage.BUSY

    # -- the transport's calls -------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Take the connection, if there is room for it."""
        super().connection_made(transport)
        over = len(self.connections) - self.keeper.limits.connections
        if over > 0 and not self.keeper.make_room(self):
            if over > MOST_REFUSED:
                transport.abort()
            else:
                self.refuse(Busy("too many connections are open", hint="send it again in a few seconds"))

    def data_received(self, data: bytes) -> None:
        """Parse what came, and refuse what cannot be read in just one way."""
        begun = self._look_closely
        if len(data) > MOST_HEAD_BYTES:
            self._look_closely = True
        delivered = len(self.cycle.body) if self._chunked and self.cycle is not None else 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._decline_upgrade()
            return
        except httptools.HttpParserError as err:
            self.refuse(_reason_of(err))
            return
        cycle = self.cycle
        if cycle is None or cycle.scope is not self.scope:
            self._look_closely = True
            if begun:
                self._head_bytes += len(data)
                if self._head_bytes > MOST_HEAD_BYTES:
                    self.refuse(HeadTooLarge())
        elif self._chunked:
            self._count_framing(len(data), delivered)

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio's own signature; uvicorn always says None
        """Answer what was received whole, although the client will say no more."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body or self._head_is_open:
            return False
        self._hear_no_more()
        self.close_after_answer()
        return True

    # -- the parser's calls ----------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head; trailers are let go (RFC 9110, section 6.5.1)."""
        name = name.lower()
        if name in _WATCHED and self.headers is not _TRAILERS:
            self._watch(name, value)
        self.headers.append((name, value))

    def _watch(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = self.expect_100_continue or value.lower() == b"100-continue"
        elif value.lower() == b"chunked" and self.parser.get_http_version() == "1.1":
            self._chunked = True
            self._framing = 0
        else:
            raise BadRequest(
                "this Transfer-Encoding is not read here", hint='send "chunked" alone over HTTP/1.1, or Content-Length'
            )

    def on_headers_complete(self) -> None:
        """Let a request begin that can be understood in one way."""
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() == "1.1"):
            raise BadRequest("the request has no Host header, or several", hint="send one (RFC 9112, section 3.2)")
        if self._look_closely:
            if sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url) > MOST_HEAD_BYTES:
                raise HeadTooLarge
            self._look_closely = False
            self._head_bytes = 0
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise BadRequest(
                f"over {_MOST_PIPELINED} requests wait for their answers on one connection",
                hint="wait for answers, or open more connections",
            )
        before = self.cycle
        self._begin(before)
        self.headers = _TRAILERS
        self._hosts = 0
        if self.keeper.draining:
            self._close_behind(before)

    def _begin(self, before: Cycle | None) -> None:
        """Begin the request whose head is complete, or let it wait for the one before: uvicorn's way, in short."""
        scope, version = self.scope, self.parser.get_http_version()
        target = httptools.parse_url(self.url)
        path = target.path.decode("ascii")
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = percent_decoded(path)
        scope["raw_path"] = target.path
        scope["query_string"] = target.query or b""
        self.cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _decline_upgrade(self) -> None:
        """Answer a request that offers another protocol (RFC 9110, section 7.8), and read nothing behind it.

        The parser takes what follows its headers for the other protocol, so a body cannot be had from it.
        """
        if any(name in _BODY_HEADERS for name, _ in self.scope["headers"]):
            self.cycle.more_body = True
            self.refuse(BadRequest("Upgrade with a body is not read here", hint="send it as HTTP/1.1 without Upgrade"))
        else:
            self._hear_no_more()
            self.close_after_answer()

    def _count_framing(self, received: int, delivered: int) -> None:
        """Bound what a chunked body may have besides itself: endless trailers would grow the parser's memory."""
        body = max(len(self.cycle.body) - delivered, 0)
        self._framing += received - body * (1 + _FRAMING_SHARE)
        if not self.cycle.more_body:
            self._chunked = False
        elif self._framing > _FREE_FRAMING:
            self.refuse(
                BadRequest("the body's chunks are mostly framing", hint="send larger chunks, or Content-Length")
            )

    def on_response_complete(self) -> None:
        """Go on with the next request, or say the last word; the end of idle connections needs no timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._last_word is not None:
            self._say_farewell(self._last_word)

    # -- the end ---------------------------------------------------------------------------------------------------

    def close_after_answer(self) -> None:
        """Let the answer to the latest request say that it is the last one."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _close_behind(self, before: Cycle | None) -> None:
        """Move the word that an answer is the last one from the request before to the latest."""
        if before is not None and not before.response_started and before.scope["http_version"] == "1.1":
            before.keep_alive = True
        self.cycle.keep_alive = False

    def refuse(self, error: GatewayError) -> None:
        """Read no more, answer what was understood before, then send the error and close."""
        if self.refused or self._last_word is not None:
            return
        self.keeper.count(str(error.code))
        self._hear_no_more()
        cycle = self.cycle
        if cycle is not None and cycle.more_body and not self._head_is_open:  # the latest request is what is refused
            cycle.disconnected = True
            cycle.message_event.set()
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline.popleft()
                self._last_word = error
            else:
                self._say_farewell(None if cycle.response_started else error)
        elif cycle is not None and not cycle.response_complete:
            self._last_word = error
        else:
            self._say_farewell(error)

    def _hear_no_more(self) -> None:
        self.parser = cast("httptools.HttpRequestParser", _Deaf())

    def _say_farewell(self, error: GatewayError | None) -> None:
        self.refused = True
        if error is not None:
            self.transport.write(_answer(error))
        # Closing at once would reset the connection while the client still sends, and take the answer along.
        self.flow.resume_reading()
        self.transport.write_eof()

    def shutdown(self) -> None:
        """Do what uvicorn asks at the end of a process; `Server` has done it by then."""
        self.transport.close()


def _reason_of(err: httptools.HttpParserError) -> GatewayError:
    ours = err.__context__
    if isinstance(ours, GatewayError):
        return ours
    said = str(err).partition("\n")[0][:100] if not isinstance(err, httptools.HttpParserCallbackError) else "its target"
    return BadRequest(f"the request is not HTTP/1.1 as it should be: {said}", hint="see RFC 9112")


def _answer(error: GatewayError) -> bytes:
    body = orjson.dumps({"code": error.code, "message": error.message, "hint": error.hint})
    lines = [
        STATUS_LINE[error.status],
        b"content-type: application/json\r\ncache-control: no-store\r\nconnection: close\r\n",
        b"retry-after: 2\r\n" if error.status == Busy.status else b"",
        b"content-length: %d\r\n\r\n" % len(body),
        body,
    ]
    return b"".join(lines)
