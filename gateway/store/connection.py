"""The gateway's connection to one store server: fast, pipelined, and always on its way back after a loss.

It never queues a call for later: while there is no connection, calls fail at once with StoreUnavailable, and whoever
made them decides between the spool and a 503. For anything but the hot path use redis-py.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

from gateway.errors import StoreUnavailable
from gateway.store.address import Address, parse_address
from gateway.store.link import Limits, Link
from gateway.store.scripts import SOURCES

CONNECT_S = 2.0
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 1.0


def _say_nothing(_text: str) -> None:
    pass


class StoreConnection:
    """An auto-pipelining connection to the store at `url`, which reconnects forever in the background.

    `on_event` hears of losses, returns and unexpected refusals, one sentence each. `refusals` counts error replies by
    code, `losses` the connections that broke: a change of `losses`, `run_id` or `replication_id` tells that the store
    may have lost writes which it had answered.
    """

    def __init__(
        self, url: str, *, limits: Limits | None = None, on_event: Callable[[str], None] = _say_nothing
    ) -> None:
        self._address: Address = parse_address(url)
        self._limits = limits or Limits()
        self._on_event = on_event
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._why = "not started"
        self.refusals: Counter[str] = Counter()
        self.losses = 0
        self.on_loss: Callable[[], None] | None = None
        self.run_id = ""
        self.replication_id = ""

    @property
    def connected(self) -> bool:
        """Whether calls go out now."""
        return self._link is not None

    async def start(self) -> None:
        """Try to connect once, and go on in the background whether or not that succeeded."""
        self._link = await self._try_to_connect()
        self._task = asyncio.create_task(self._stay_connected(), name=f"store {self._address}")

    async def close(self) -> None:
        """Close the connection; calls under way fail."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._why = "closed"
        if self._link is not None:
            lost = self._link.lost
            self._link.abort("the gateway closed the connection")
            await lost

    def call(self, *parts: bytes | int | str) -> asyncio.Future[Any]:
        """Send one command and return the future of its reply; raise StoreUnavailable at once when that is futile."""
        return self._connected_link().call(*parts)

    def send(self, payload: bytes) -> asyncio.Future[Any]:
        """Send one command that is packed already; else as `call`."""
        link = self._link
        if link is None:
            link = self._connected_link()
        return link.send(payload)

    def _connected_link(self) -> Link:
        if self._link is None:
            raise StoreUnavailable(f"no connection to the store at {self._address}: {self._why}")
        return self._link

    async def _stay_connected(self) -> None:
        """Connect again and again; a connection that did not live for a second counts as a failed try."""
        loop = asyncio.get_running_loop()
        wait = FIRST_WAIT_S
        while True:
            if self._link is not None:
                since = loop.time()
                self._missing(await asyncio.shield(self._link.lost))
                if loop.time() - since > LONGEST_WAIT_S:
                    wait = FIRST_WAIT_S
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads workers, guards no secret
            wait = min(2 * wait, LONGEST_WAIT_S)
            self._link = await self._try_to_connect()

    async def _try_to_connect(self) -> Link | None:
        try:
            link = await self._connect()
        except (OSError, StoreUnavailable, UnicodeError) as error:
            self._missing(f"{error}" or f"no answer within {CONNECT_S:g} s")
            return None
        self._why = ""
        self._on_event(f"connected to the store at {self._address}")
        return link

    def _missing(self, why: str) -> None:
        if why != self._why:
            self._why = why
            self._on_event(f"no connection to the store at {self._address}: {why}")

    def _on_lost(self, link: Link) -> None:
        """Forget a link in the very moment of its loss, so that no call goes to a dead one."""
        if self._link is link:
            self._link = None
            self.losses += 1
            if self.on_loss is not None:
                self.on_loss()

    async def _connect(self) -> Link:
        loop = asyncio.get_running_loop()
        address = self._address

        def make_link() -> Link:
            return Link(self._limits, refusals=self.refusals, on_event=self._on_event, on_lost=self._on_lost)

        async with asyncio.timeout(CONNECT_S):
            if address.path:
                _, link = await loop.create_unix_connection(make_link, address.path)
            else:
                tls = ssl.create_default_context() if address.tls else None
                _, link = await loop.create_connection(make_link, address.host, address.port, ssl=tls)
            try:
                await self._greet(link)
                if link.lost.done():
                    raise StoreUnavailable(link.lost.result())  # noqa: TRY301 - the abort below does no harm
            except BaseException:
                link.abort("it was not fit for use")
                raise
        return link

    async def _greet(self, link: Link) -> None:
        """Log in, choose the database, load the scripts and learn who answers, in one flush."""
        address = self._address
        needed = []
        if address.password:
            names = (address.username, address.password) if address.username else (address.password,)
            needed.append(link.call("AUTH", *names))
        if address.database:
            needed.append(link.call("SELECT", address.database))
        needed += [link.call("SCRIPT", "LOAD", script) for script in SOURCES]
        # An account may lack the right to ask who answers; everything but the notice of a failover works without.
        infos = [link.call("INFO", "server"), link.call("INFO", "replication")]
        replies = await asyncio.gather(*needed, *infos, return_exceptions=True)
        for reply in replies[: len(needed)]:
            if isinstance(reply, BaseException):
                raise reply
        info = _parse_info(*(reply for reply in replies[len(needed) :] if isinstance(reply, bytes)))
        if info.get("role") == "slave" and info.get("slave_read_only") != "0":
            raise StoreUnavailable("the store is a read-only replica")
        self.run_id = info.get("run_id", "")
        self.replication_id = info.get("master_replid", "")


def _parse_info(*sections: bytes) -> dict[str, str]:
    lines = b"\n".join(sections).decode(errors="replace").splitlines()
    return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}
