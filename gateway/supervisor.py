"""The parent: owns the embedded store, the listening socket and the internal port, and keeps N workers running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import uvicorn
from redis.asyncio import Redis

from gateway.app import clock, merge_finisher, rights_over
from gateway.control import NotTaken, open_line
from gateway.edge.ops import Readiness, ops_app
from gateway.edge.privacy_admin import admin_routes
from gateway.ending import ended
from gateway.erasure import Sweep
from gateway.errors import StartupError
from gateway.keys_watch import KeysWatch
from gateway.listening import SETTLE_S, address_of, listener_on, turn_newcomers_away
from gateway.ports import VisitorKey
from gateway.readiness import readiness
from gateway.reload import unpacked
from gateway.rights.ledger import Ledger
from gateway.rights.requests import Rights
from gateway.rules_watch import RulesWatch
from gateway.running_worker import RunningWorker
from gateway.secrets import Secrets
from gateway.settings import Settings
from gateway.spool.erasing import erase_what_waits
from gateway.spool.segments import FOLDER as SPOOL
from gateway.spool.segments import measured
from gateway.store.durability import connection_to
from gateway.store.embedded import EmbeddedStore
from gateway.store.keys import PARTITIONS
from gateway.store.log import RedisLog
from gateway.store.profiles import RedisProfiles
from gateway.telemetry import Telemetry, add_up
from personalize.plan import Plan, empty_plan

log = logging.getLogger("tuttu")

POLL_S = 1.0
READY_WITHIN_S = 30.0
PREPARED_WITHIN_S = 30.0
_GRACE_S = 5.0
"""What workers get beyond `drain_s` to let go of store and files."""
_INTERNAL_DRAIN_S = 2
_SHORT_LIFE_S = 5.0
_LONGEST_PAUSE_S = 5.0
_REPORT_WITHIN_S = 1.0
_SWEEP_WITHIN_S = 10.0


class InternalServer(uvicorn.Server):
    """A server beside the parent's own work: signals stay with the parent."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process' signal handlers alone."""
        yield


class Supervisor:
    """Runs a whole gateway until it is told to stop; `rules` are the sites' rules, checked already."""

    def __init__(self, settings: Settings, secrets: Secrets, rules: RulesWatch) -> None:
        self._settings = settings
        self._rules = rules
        self._packed = rules.packed()
        self._sent = 0
        self._secrets = secrets
        self._keys = KeysWatch(settings.data, secrets, [site.key for site in settings.site])
        self._one_at_a_time = asyncio.Lock()
        self._store: EmbeddedStore | None = None
        self._workers: dict[int, RunningWorker] = {}
        self._own = Telemetry()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Start everything, print the ready line, serve until SIGTERM or SIGINT, then stop everything in order."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, partial(self._stop, at_once=True))
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        async with contextlib.AsyncExitStack() as stack:
            public = stack.enter_context(listener_on(self._settings.gateway.host, self._settings.gateway.port, "port"))
            internal = stack.enter_context(self._internal_listener(public.getsockname()[1]))
            url = self._settings.redis or await self._embedded(stack)
            client = Redis.from_url(url, socket_timeout=_SWEEP_WITHIN_S)
            stack.push_async_callback(client.aclose)
            rights = await self._rights(stack, url, client)
            await self._serve_internal(stack, internal, rights)
            keepers = [
                asyncio.create_task(self._keep(number, public, url)) for number in range(self._settings.gateway.workers)
            ]
            stack.push_async_callback(self._stop_workers, keepers, public)
            await self._all_ready()
            if not self._stopping.is_set():
                stack.push_async_callback(ended, asyncio.create_task(self._rules.run(self._roll_out)))
                stack.push_async_callback(ended, asyncio.create_task(self._keys.run(self._roll_out_keys)))
                print(f"ready http://{address_of(public)} internal http://{address_of(internal)}", flush=True)  # noqa: T201 - whoever started us waits for this line
            await self._stopping.wait()

    def _stop(self, *, at_once: bool = False) -> None:
        """Begin the end; a second signal, or `at_once`, skips the delay."""
        if at_once or self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    def _hang_up(self) -> None:
        """Take SIGHUP: read rules and keys again, but end with the terminal that the gateway was started in."""
        if sys.stdin is not None and sys.stdin.isatty():
            self._stop(at_once=True)
        else:
            self._rules.look_now()
            self._keys.look_now()

    # -- parts ---------------------------------------------------------------------------------------------------

    async def _embedded(self, stack: contextlib.AsyncExitStack) -> str:
        def note(event: str) -> None:
            log.warning("embedded store: %s", event)
            if event.startswith("restarted"):
                self._own.count(("store_restarts",))

        fsync = self._settings.gateway.durability == "disk"
        self._store = EmbeddedStore(self._settings.data / "store", on_event=note, fsync=fsync)
        await self._store.start()
        stack.push_async_callback(self._store.stop)
        return self._store.url

    def _internal_listener(self, public_port: int) -> socket.socket:
        gateway = self._settings.gateway
        port = gateway.internal_port
        if port is None:
            port = public_port + 1 if gateway.port else 0
        return listener_on(gateway.internal_host, port, "internal_port")

    async def _rights(self, stack: contextlib.AsyncExitStack, url: str, client: Redis) -> Rights:
        """Return the visitors' rights over the store, with the sweep running that finishes erasures."""
        connection = connection_to(url, durability=self._settings.gateway.durability, on_event=log.info)
        stack.push_async_callback(connection.close)
        await connection.start()
        if connection.unfit is not None:
            raise StartupError(f"gateway.durability: {connection.unfit}", hint=connection.unfit.hint)
        profiles = RedisProfiles(connection, log_cap=self._settings.gateway.log_entries // PARTITIONS)
        rights = rights_over(profiles, client, self._settings.data)
        finish = merge_finisher(profiles, self._plan_of, self._settings.gateway.store_deadline_ms)
        waiting = partial(erase_what_waits, self._settings.data / SPOOL)
        sweep = Sweep(
            RedisLog(client), rights.eraser, Ledger(self._settings.data), clock, finish, self._forget, waiting
        )
        connection.on_loss = sweep.renew_soon
        stack.push_async_callback(ended, asyncio.create_task(sweep.run()))
        return rights

    def _forget(self, visitors: Sequence[VisitorKey]) -> None:
        """Let no worker remember visitors who were erased; what has not been said when one ends went with it."""
        for worker in self._workers.values():
            worker.line.post({"forget": list(map(list, visitors))})

    async def _plan_of(self, site: str) -> Plan | None:
        """Return a site's live rules, without any an empty plan; None for a site that there is not."""
        for one in self._settings.site:
            if one.key == site:
                packed = self._packed.get(site)
                return await asyncio.to_thread(unpacked, packed, one.time_zone) if packed else empty_plan(one.time_zone)
        return None

    async def _serve_internal(self, stack: contextlib.AsyncExitStack, listener: socket.socket, rights: Rights) -> None:
        sites = [site.key for site in self._settings.site]
        routes = admin_routes(
            rights, self._plan_of, sites, self._secrets.admin_token, lambda word: self._own.count(("erasures", word))
        )
        app = ops_app(self._telemetry, self._readiness, self._rules.report, routes)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_INTERNAL_DRAIN_S,
        )
        server = InternalServer(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))

        async def stop() -> None:
            server.should_exit = True
            await task

        stack.push_async_callback(stop)

    # -- workers -------------------------------------------------------------------------------------------------

    async def _keep(self, number: int, listener: socket.socket, store_url: str) -> None:
        """Keep one worker running: start it again whenever it dies, with a pause if it dies young."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        while not self._stopping.is_set():
            born = loop.time()
            try:
                ending = await self._live(number, listener, store_url)
            except OSError as err:  # no process, descriptor or memory to be had
                ending = f"could not be started: {err}"
            if self._stopping.is_set():
                return
            log.error("worker %d %s; starting it again", number, ending)
            self._own.count(("worker_restarts",))
            pause = min(pause * 2 or 0.1, _LONGEST_PAUSE_S) if loop.time() - born < _SHORT_LIFE_S else 0.0
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause or 0.001)

    async def _live(self, number: int, listener: socket.socket, store_url: str) -> str:
        """Run one worker until it ends and return how it ended."""
        worker = await self._start(number, listener, store_url)
        if self._stopping.is_set():
            worker.process.terminate()
        poll = asyncio.create_task(self._poll(worker))
        try:
            await self._listen(worker)
        finally:
            poll.cancel()
            code = await worker.process.wait()
            del self._workers[number]
            worker.line.close()
            if worker.snapshot is not None:
                self._own = add_up([self._own.snapshot(), {**worker.snapshot, "gauges": {}}])
        return f"(process {worker.process.pid}) ended with code {code}"

    async def _start(self, number: int, listener: socket.socket, store_url: str) -> RunningWorker:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway.worker", str(listener.fileno()), str(theirs.fileno()),
                pass_fds=(listener.fileno(), theirs.fileno()),
                start_new_session=True,  # a Ctrl-C is the parent's to handle
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        worker = RunningWorker(number, process, await open_line(ours), asyncio.Event(), asyncio.Event())
        worker.heard = asyncio.get_running_loop().time()
        # Known from the moment its orders are written: rules that go live after that are sent to it as well.
        self._workers[number] = worker
        await worker.line.say(
            {
                "settings": self._settings.model_dump(mode="json"),
                "cookie_keys": self._secrets.cookie_keys,
                "admin_token": self._secrets.admin_token,
                "secret_keys": self._secrets.secret_keys,
                "old_secret_keys": self._secrets.old_secret_keys,
                "rules": self._packed,
                "store": store_url,
            }
        )
        return worker

    async def _listen(self, worker: RunningWorker) -> None:
        """Take what a worker says until its line ends."""
        while (message := await worker.line.hear()) is not None:
            worker.take(message, asyncio.get_running_loop().time())

    async def _poll(self, worker: RunningWorker) -> None:
        while True:
            worker.ask()
            await asyncio.sleep(POLL_S)

    async def _all_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
        while not self._stopping.is_set():
            if len(self._workers) == self._settings.gateway.workers and all(
                w.ready.is_set() for w in self._workers.values()
            ):
                return
            if asyncio.get_running_loop().time() > deadline:
                raise StartupError(f"the workers were not ready within {READY_WITHIN_S:g} s; see the log above")
            await asyncio.sleep(0.02)  # not an event: a worker that dies early is replaced by another object

    async def _roll_out(self, site: str, packed: str) -> None:
        """Bring a site's new rules to every worker; raises NotTaken."""

        def live() -> None:
            self._packed = {**self._packed, site: packed}

        async with self._one_at_a_time:
            await self._in_two_steps({"site": site, "rules": packed}, live)

    async def _roll_out_keys(self, secrets: Secrets) -> None:
        """Bring new keys to every worker; raises NotTaken."""
        keys = {name: getattr(secrets, name) for name in ("cookie_keys", "secret_keys", "old_secret_keys")}

        def live() -> None:
            self._secrets = replace(self._secrets, **keys)

        async with self._one_at_a_time:
            await self._in_two_steps({"keys": keys}, live)

    async def _in_two_steps(self, news: dict[str, Any], live: Callable[[], None]) -> None:
        """Bring news to every worker, so that all have them or none; `live` makes them those of new workers' orders."""
        self._sent = number = self._sent + 1
        order = {"prepare": number, **news}
        deadline = asyncio.get_running_loop().time() + PREPARED_WITHIN_S
        # A worker that dies meanwhile is replaced by another object, with the rules that are live, and is asked too.
        while len(self._workers) < self._settings.gateway.workers or any(
            worker.prepared != number for worker in self._workers.values()
        ):
            for worker in self._workers.values():
                # One that has not answered for the news before would only heap these up behind them.
                if worker.sent != number and worker.prepared == worker.sent:
                    worker.sent = number
                    worker.line.post(order)
            if asyncio.get_running_loop().time() > deadline:
                raise NotTaken(f"{self._missing(number)} within {PREPARED_WITHIN_S:g} s")
            await asyncio.sleep(0.01)
        for worker in self._workers.values():
            if worker.refused:
                raise NotTaken(f"worker {worker.number} could not take them: {worker.refused}")
        # Nothing waits from here on: no worker can be started in between with what was live before.
        live()
        for worker in self._workers.values():
            worker.line.post({"go": number})

    def _missing(self, number: int) -> str:
        """Return which worker has not taken the news of this number, as the start of a sentence."""
        for worker in self._workers.values():
            if worker.prepared != number:
                return f"worker {worker.number} (process {worker.process.pid}) had not taken them"
        return "a worker that had ended was not there again"

    async def _stop_workers(self, keepers: list[asyncio.Task[None]], listener: socket.socket) -> None:
        """Let the workers serve on for the delay and finish what is in flight; end those that take too long."""
        if not self._stopping.is_set():  # it could not start
            self._stop(at_once=True)
        settings = self._settings.gateway
        if not self._hurry.is_set() and settings.drain_delay_s:
            self._signal_workers(signal.SIGTERM)
            ends = [asyncio.create_task(self._hurry.wait()), asyncio.create_task(asyncio.wait(keepers))]
            await asyncio.wait(ends, timeout=settings.drain_delay_s, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
        # Newcomers are kept away for as long as it takes each worker to empty the queue and close its own copy.
        turn_newcomers_away(listener)
        self._signal_workers(signal.SIGINT)
        await asyncio.sleep(SETTLE_S)
        listener.close()
        _, slow = await asyncio.wait(keepers, timeout=settings.drain_s + _GRACE_S)
        if slow:
            for worker in self._workers.values():
                log.error("worker %d did not finish within %g s; ending it", worker.number, settings.drain_s)
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
            await asyncio.wait(slow)

    def _signal_workers(self, number: signal.Signals) -> None:
        for worker in self._workers.values():
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(number)

    # -- answers of the internal port ----------------------------------------------------------------------------

    async def _telemetry(self) -> Telemetry:
        """Return the sum over parent, workers and workers that have ended, as of now."""
        workers = list(self._workers.values())
        for worker in workers:
            worker.reported.clear()
            worker.ask()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REPORT_WITHIN_S):
                for worker in workers:
                    await worker.reported.wait()
        snapshots = [w.snapshot for w in self._workers.values() if w.snapshot is not None]
        total = add_up([self._own.snapshot(), *snapshots])
        self._rules.measure(total)
        self._keys.measure(total)
        total.gauges |= await asyncio.to_thread(measured, self._settings.data / SPOOL, clock())
        total.gauges["workers"] = sum(w.ready.is_set() for w in self._workers.values())
        return total

    def _readiness(self) -> Readiness:
        notes = (*self._rules.notes(), *self._keys.notes())
        now = asyncio.get_running_loop().time()
        return readiness(list(self._workers.values()), notes, now, stopping=self._stopping.is_set())
