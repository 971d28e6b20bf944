"""One HTTP request on raw ASGI: its headers as a dict, its body under a limit and a deadline, its answer."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson

from gateway.edge.body_memory import SMALL_BYTES, BodyMemory
from gateway.edge.deadlines import Deadlines
from gateway.errors import BadContentEncoding, BadRequest, Busy, GatewayError, RateLimited, TooLarge, TooSlow

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

RETRY_AFTER_S = 2
_MOST_DIGITS = 18

_JSON: Header = (b"content-type", b"application/json")
_NO_STORE: Header = (b"cache-control", b"no-store")
_GZIP = b"\x1f\x8b"
_EMPTY: MutableMapping[str, Any] = {"type": "http.response.body", "body": b""}


class Disconnected(Exception):
    """The client went away before its body had arrived; there is nobody to answer."""


class Request:
    """A request as ASGI gives it, with its headers by lower-case name (the last of equal ones counts)."""

    __slots__ = ("_memory", "_receive", "_waits", "headers", "query", "scope", "share")

    def __init__(self, scope: Scope, receive: Receive, memory: BodyMemory) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.query: bytes = scope["query_string"]
        self.share = 0
        """What the body has of the memory for large ones; `release` gives it back."""
        self._receive = receive
        self._memory = memory
        self._waits = False

    def forwarded_for(self) -> bytes | None:
        """Return all X-Forwarded-For headers as one list (RFC 9110, section 5.2)."""
        if b"x-forwarded-for" not in self.headers:
            return None
        return b",".join(value for name, value in self.scope["headers"] if name == b"x-forwarded-for")

    async def body(self, limit: int, deadlines: Deadlines) -> bytes:
        """Return the decoded body; raises TooLarge, TooSlow, Busy, BadContentEncoding, BadRequest or Disconnected.

        A body over 64 kB, received or unzipped, waits for a share of the memory.
        """
        length = self.headers.get(b"content-length", b"").lstrip(b"0")  # int() refuses thousands of digits
        if length.isdigit() and (len(length) > _MOST_DIGITS or int(length) > limit):
            raise _too_large(limit)
        try:
            if b"content-encoding" not in self.headers:
                return await deadlines.within(self._all(limit, 0))
            return await deadlines.within(self._decoded(self._encoding(), limit))
        except TimeoutError as err:
            if self._waits:
                raise Busy("many large bodies are under way", hint="send it again, in smaller batches") from err
            raise TooSlow("the body did not arrive in time", hint="send it again, in smaller batches") from err

    def release(self) -> None:
        """Give back the share of the memory, once nobody holds the body any more."""
        self._memory.give_back(self.share)
        self.share = 0

    def _encoding(self) -> bytes:
        """Return what the body is encoded in; all headers of it count, in their order (RFC 9110, section 8.4)."""
        said = b", ".join(value.strip() for name, value in self.scope["headers"] if name == b"content-encoding")
        return said.lower() or b"identity"

    async def _reserve(self, size: int) -> None:
        if not self.share:
            self._waits = True
            self.share = await self._memory.take(size)
            self._waits = False

    async def _all(self, limit: int, unzipped: int) -> bytes:
        """Return the body as it was received; `unzipped` is the most that it can become."""
        message = await self._receive()
        if not message.get("more_body"):
            body = _chunk(message)
            if len(body) > limit:
                raise _too_large(limit)
            if len(body) > SMALL_BYTES:
                await self._reserve(len(body) + unzipped)
            return body
        chunks = [_chunk(message)]
        size = len(chunks[0])
        while message.get("more_body"):
            if size > SMALL_BYTES:
                # Not sooner: who only says that much will come takes nothing from others.
                length = self.headers.get(b"content-length", b"")
                await self._reserve((int(length) if length.isdigit() else limit) + unzipped)
            message = await self._receive()
            chunks.append(_chunk(message))
            size += len(chunks[-1])
            if size > limit:
                raise _too_large(limit)
        return b"".join(chunks)

    async def _decoded(self, encoding: bytes, limit: int) -> bytes:
        if encoding == b"identity":
            return await self._all(limit, 0)
        if encoding not in (b"gzip", b"x-gzip"):  # RFC 9110, section 8.4.1.3
            raise BadContentEncoding(
                f'Content-Encoding "{encoding[:20].decode("latin-1")}" is not known here',
                hint="send gzip or no encoding",
            )
        body = await self._all(limit, limit)
        found = _unzipped(body, min(limit, SMALL_BYTES)) if len(body) <= SMALL_BYTES else None
        if found is None:
            await self._reserve(len(body) + limit)
            found = await asyncio.to_thread(_unzipped, body, limit)  # zlib lets others go on meanwhile
        if found is None:
            raise _too_large(limit)
        return found


async def answer(send: Send, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
    """Send a JSON answer that nobody may store."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [_JSON, _NO_STORE, (b"content-length", b"%d" % len(body)), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def answer_empty(send: Send, headers: Sequence[Header]) -> None:
    """Send a 204."""
    await send({"type": "http.response.start", "status": 204, "headers": list(headers)})
    await send(_EMPTY)


async def answer_error(send: Send, error: GatewayError, headers: Sequence[Header] = ()) -> None:
    """Send an error as flat JSON with `code`, `message` and `hint` (rudder-python reads the first two)."""
    body = orjson.dumps({"code": error.code, "message": error.message, "hint": error.hint})
    if error.status in (429, 503):
        after_s = error.retry_after_s if isinstance(error, RateLimited) else RETRY_AFTER_S
        headers = [*headers, (b"retry-after", b"%d" % after_s)]
    await answer(send, error.status, body, headers)


def _chunk(message: MutableMapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise Disconnected
    chunk: bytes = message.get("body", b"")
    return chunk


def _unzipped(body: bytes, limit: int) -> bytes | None:
    """Return the unzipped body, None when it is over the limit; never makes more than that. Raises BadRequest."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        out = unzip.decompress(body, limit + 1)
    except zlib.error as err:
        raise _bad_gzip(f"the body is not gzip: {err}") from err
    if len(out) > limit:
        return None
    if not unzip.eof:
        raise _bad_gzip("the gzip body is cut off")
    if unzip.unused_data.startswith(_GZIP):
        raise _bad_gzip("the body is several gzip files in a row")
    if unzip.unused_data:
        raise _bad_gzip(f"behind the gzip body come {len(unzip.unused_data)} other bytes")
    return out


def _bad_gzip(message: str) -> BadRequest:
    return BadRequest(message, code="bad_encoding", hint="zip the whole body once")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the decoded body is over {limit} bytes", hint="split it into smaller batches")
