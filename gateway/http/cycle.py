"""One request and its answer: uvicorn's cycle, except that an answer which is whole leaves in one write.

uvicorn writes head and body each on its own, and uvloop makes a system call, and so a packet, of each. An answer on a
hot path is a head that looks like the last one's and 55 bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_BAD_NAME = re.compile(rb'[\x00-\x1f\x7f()<>@,;:\[\]={} \t\\"]')
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What uvicorn refuses in the names and values of an answer's headers."""

_FRAMING = frozenset({b"connection", b"transfer-encoding"})


class Cycle(RequestResponseCycle):
    """Holds an answer's head back until its body comes, as ASGI lets a server do."""

    _start: Any = None
    """The head, while it is held back."""

    async def send(self, message: Any) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._start = message  # a second one comes from whoever answers for an application that failed
            return
        start, self._start = self._start, None
        if start is None:
            await super().send(message)
        elif not (self.flow.write_paused or self.disconnected) and (whole := self._whole(start, message)):
            self.response_started = self.response_complete = True
            self.waiting_for_100_continue = False
            self.transport.write(whole)
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
        else:
            await super().send(start)
            await super().send(message)

    def _whole(self, start: Any, message: Any) -> bytes:
        """Return the answer if its body is whole; b"" for what is left to uvicorn, also to refuse."""
        body = message.get("body")
        if not body or message.get("more_body") or self.scope["method"] == "HEAD":
            return b""
        headers = (*self.default_headers, *map(tuple, start["headers"]))
        head = _head(start["status"], headers, len(body), self.keep_alive)
        return head + body if head else b""


@lru_cache(1024)
def _head(status: int, headers: tuple[tuple[bytes, bytes], ...], length: int, keep_alive: bool) -> bytes:  # noqa: FBT001 - named arguments would be the larger part of what a look-up costs
    """Return the head of an answer with a body of that length; b"" when its headers say anything else of it."""
    names = [name for name, _ in headers]
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    if lengths != [b"%d" % length] or any(name.lower() in _FRAMING for name in names):
        return b""
    if any(map(_BAD_NAME.search, names)) or any(_BAD_VALUE.search(value) for _, value in headers):
        return b""
    lines = [b"%b: %b\r\n" % (name.lower(), value) for name, value in headers]
    return b"".join([STATUS_LINE[status], *lines, b"\r\n" if keep_alive else b"connection: close\r\n\r\n"])
