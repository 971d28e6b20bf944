"""The gateway's connection to one store server: fast, pipelined, and always on its way back after a loss.

It never queues a call for later: while there is no connection, calls fail at once with StoreUnavailable, and whoever
made them decides between the spool and a 503. For anything but the hot path use redis-py.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

from gateway.ending import ended
from gateway.errors import StoreUnavailable, StoreUnfit
from gateway.store.address import Address, parse_address
from gateway.store.breaker import PROBE
from gateway.store.link import Limits, Link
from gateway.store.scripts import SOURCES
from gateway.telemetry import Telemetry

log = logging.getLogger("tuttu")

CONNECT_S = 2.0
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 1.0
LOOK_S = 2.0
"""How often it looks who answers: behind a proxy another server may do so although no connection broke."""


def _say_nothing(_text: str) -> None:
    pass


def _do_nothing() -> None:
    pass


class StoreConnection:
    """An auto-pipelining connection to the store at `url`, which reconnects forever in the background.

    `on_event` hears of losses, returns and unexpected refusals, one sentence each. `refusals` counts error replies by
    code, `losses` the connections that broke and the servers that took another's place: then the store may have lost
    writes which it had answered, and `on_loss` is called in the very same moment, before anything else is sent.
    `usable` is set while a write has a chance.
    """

    def __init__(
        self, url: str, *, limits: Limits | None = None, on_event: Callable[[str], None] = _say_nothing
    ) -> None:
        self._address: Address = parse_address(url)
        self._limits = limits or Limits()
        self._on_event = on_event
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._why = self._told = "not started"
        self._said: set[str] = set()
        self.on_loss: Callable[[], None] = _do_nothing
        self.on_change: Callable[[str], None] = on_event
        """Hears why writes have no chance, each reason once, and when they have one again."""
        self.usable = asyncio.Event()
        self.unfit: StoreUnfit | None = None
        """Why the server that answered last cannot give what is promised; None if it can, or if none answered."""
        self.probe: bytes = PROBE
        """A packed write that means nothing, to be sent by `write`: it fails when others would."""
        self.write: Callable[[bytes], asyncio.Future[Any]] = self.send
        """Sends a packed command that writes; its future is done once the write is as durable as was asked for."""
        self.refusals: Counter[str] = Counter()
        self.losses = 0
        self.run_id = ""
        self.replication_id = ""

    @property
    def connected(self) -> bool:
        """Whether calls go out now."""
        return self._link is not None

    @property
    def answering(self) -> bool:
        """Whether there is a connection, and calls on it are answered in time."""
        return self._link is not None and self._link.answering

    @property
    def trouble(self) -> str:
        """Why a write has no chance now, one sentence; "" while it has one."""
        if self._link is None:
            return f"no connection to the store at {self._address}: {self._why}"
        return self._link.trouble

    def report(self, telemetry: Telemetry) -> None:
        """Put what is counted here where the gateway's numbers are."""
        telemetry.gauges["store_breaker_open"] = int(self.connected and not self.answering)
        telemetry.counters["store_losses",] = self.losses

    async def start(self) -> None:
        """Try to connect once, and go on in the background whether or not that succeeded."""
        await self._try_to_connect()
        self._task = asyncio.create_task(self._stay_connected(), name=f"store {self._address}")

    async def close(self) -> None:
        """Close the connection; calls under way fail."""
        if self._task is not None:
            await ended(self._task)
        self._why = "closed"
        self.usable.clear()
        link, self._link = self._link, None  # forgotten first: this is no loss
        if link is not None:
            link.abort("the gateway closed the connection")
            await link.lost

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
            raise StoreUnavailable(self.trouble)
        return self._link

    async def _stay_connected(self) -> None:
        """Connect again and again; a connection that did not live for a second counts as a failed try."""
        loop = asyncio.get_running_loop()
        wait = FIRST_WAIT_S
        while True:
            if self._link is not None:
                since = loop.time()
                await self._watch_over(self._link)
                if loop.time() - since > LONGEST_WAIT_S:
                    wait = FIRST_WAIT_S
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads workers, guards no secret
            wait = min(2 * wait, LONGEST_WAIT_S)
            await self._try_to_connect()

    async def _watch_over(self, link: Link) -> None:
        """Return when a link is lost; meanwhile look again and again who answers on it, and whether it is fit."""
        while not (await asyncio.wait([link.lost], timeout=LOOK_S))[0]:
            known = self.run_id, self.replication_id
            try:
                if self.run_id:
                    await self._ask_who(link)
                if known != (self.run_id, self.replication_id):
                    self._lose()
                await self._check(link)
            except StoreUnfit as error:
                link.abort(f"{error}")
            except StoreUnavailable:
                continue  # whoever wants something from the store learns of it too

    async def _try_to_connect(self) -> None:
        try:
            self._link = await self._connect()
        except (OSError, StoreUnavailable, UnicodeError) as error:
            self.unfit = error if isinstance(error, StoreUnfit) else None
            self._why = f"{error}" or f"no answer within {CONNECT_S:g} s"
        else:
            self.unfit = None
        self._tell()

    def _tell(self) -> None:
        """Say whether a write has a chance, if that has changed."""
        trouble = self.trouble
        if trouble == self._told:
            return
        self._told = trouble
        if trouble:
            self.usable.clear()
        else:
            self.usable.set()
            self._said.clear()
        # A server that is away may fail each try in another way; every way is said once.
        if trouble not in self._said:
            self._said.add(trouble)
            self.on_change(trouble or f"connected to the store at {self._address}, and it takes writes")

    def _link_changed(self) -> None:
        if self._link is not None:  # else it is just being tried
            self._tell()

    def _on_lost(self, link: Link) -> None:
        """Forget a link in the very moment of its loss, so that no call goes to a dead one."""
        if self._link is link:
            self._link = None
            self._why = link.why
            self._lose()
            self._tell()

    def _lose(self) -> None:
        self.losses += 1
        try:
            self.on_loss()
        except Exception:
            # Callers wait for this moment too, and the way back begins here.
            log.exception("a loss of the store could not be dealt with")

    async def _connect(self) -> Link:
        loop = asyncio.get_running_loop()
        address = self._address

        def make_link() -> Link:
            return Link(
                self._limits,
                refusals=self.refusals,
                on_event=self._on_event,
                on_lost=self._on_lost,
                on_change=self._link_changed,
            )

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
        """Log in, choose the database, load the scripts and learn who answers."""
        address = self._address
        needed = []
        if address.password:
            names = (address.username, address.password) if address.username else (address.password,)
            needed.append(link.call("AUTH", *names))
        if address.database:
            needed.append(link.call("SELECT", address.database))
        needed += [link.call("SCRIPT", "LOAD", script) for script in SOURCES]
        await asyncio.gather(*needed)
        await self._ask_who(link)
        await self._check(link)

    async def _check(self, link: Link) -> None:
        """Raise StoreUnfit if the server cannot give what is promised; here nothing is promised beyond its answer."""

    async def _ask_who(self, link: Link) -> None:
        """Learn who answers; an account may lack the right to ask: all but the notice of a failover works without."""
        infos = [link.call("INFO", "server"), link.call("INFO", "replication")]
        replies = await asyncio.gather(*infos, return_exceptions=True)
        info = _parse_info(*(reply for reply in replies if isinstance(reply, bytes)))
        if info.get("role") == "slave" and info.get("slave_read_only") != "0":
            raise StoreUnavailable("the store is a read-only replica")
        if not any(isinstance(reply, BaseException) for reply in replies):
            self.run_id = info.get("run_id", "")
            self.replication_id = info.get("master_replid", "")


def _parse_info(*sections: bytes) -> dict[str, str]:
    lines = b"\n".join(sections).decode(errors="replace").splitlines()
    return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}
