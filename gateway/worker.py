"""A worker process: serves the listening socket that its parent gave it until it is told to stop, or orphaned.

Started as `python -m gateway.worker <listening fd> <control fd>`; everything else comes over the control line.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import uvloop
from redis.asyncio import Redis

from gateway.app import Gateway, rights_over, sites_of
from gateway.collector import Collector
from gateway.control import Line, open_line
from gateway.http.connections import Connections
from gateway.http.limits import Limits as HttpLimits
from gateway.http.limits import connections_allowed
from gateway.http.server import Server
from gateway.networks.data import FOLDER, Networks
from gateway.ports import VisitorKey
from gateway.readiness import SPOOL_OFF
from gateway.settings import Settings
from gateway.spool.segments import FOLDER as SPOOL
from gateway.spool.spool import Spool
from gateway.store.durability import connection_to
from gateway.store.keys import PARTITIONS
from gateway.store.link import Limits
from gateway.store.profiles import RedisProfiles

log = logging.getLogger("tuttu")

ORPHAN_GRACE_S = 2.0
SWITCH_S = 0.001
"""How long a thread that prepares new rules keeps a hit waiting each time, a fifth of Python's own default."""
PRIVACY_WITHIN_S = 10.0
"""How long the store may take for one piece of a visitor's log, which is read beside the hits."""
LOOK_S = 1.0
"""How often a worker looks whether the spool has room."""
WATCH_S = 2.0
"""How often a worker looks whether there is new network data: one stat."""


async def work(listening: socket.socket, control: socket.socket) -> None:
    """Serve until the parent says stop (SIGTERM) or is gone."""
    sys.setswitchinterval(SWITCH_S)
    line = await open_line(control)
    orders = await line.hear()
    if orders is None:
        return
    settings = Settings.model_validate(orders["settings"])
    networks = Networks(settings.data / FOLDER, on_event=log.info)
    networks.refresh()
    sites = sites_of(settings, orders["secret_keys"], orders["rules"], networks, orders["old_secret_keys"])
    limits = Limits(deadline_s=settings.gateway.store_deadline_ms / 1000)
    connection = connection_to(
        orders["store"], durability=settings.gateway.durability, limits=limits, on_event=log.info
    )
    await connection.start()
    profiles = RedisProfiles(connection, log_cap=settings.gateway.log_entries // PARTITIONS)
    client = Redis.from_url(orders["store"], socket_timeout=PRIVACY_WITHIN_S)
    rights = rights_over(profiles, client, settings.data)
    folder = settings.data / SPOOL
    spool = folder if settings.gateway.spool == "on" else None
    gateway = Gateway(settings, sites, orders["cookie_keys"], orders["admin_token"], profiles, rights, spool)
    replay = gateway.replay(folder)
    connection.on_loss = gateway.store_lost
    own = settings.gateway
    connections = Connections(
        HttpLimits(
            connections=connections_allowed(own.connections),
            header_deadline_s=own.header_deadline_s,
            body_deadline_s=own.body_deadline_s,
            keep_alive_s=own.keep_alive_s,
        ),
        gateway.telemetry,
    )
    server = Server(gateway.application, connections, delay_s=own.drain_delay_s, drain_s=own.drain_s)

    def report() -> dict[str, Any]:
        networks.report(gateway.telemetry)
        gateway.telemetry.gauges["connections"] = len(connections.open)
        connection.report(gateway.telemetry)
        spool_trouble = SPOOL_OFF if gateway.spool is None else gateway.spool.trouble
        return {**gateway.report(), "store_trouble": connection.trouble, "spool_trouble": spool_trouble}

    gateway.warm_up()
    collector = Collector(calm=lambda: not server.server_state.tasks)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await line.say({"ready": True})
    beside = [asyncio.create_task(_watch(networks)), asyncio.create_task(replay.run())]
    if gateway.spool is not None:
        beside.append(asyncio.create_task(_look(gateway.spool)))
    answering = asyncio.create_task(_answer(line, gateway, collector, report))
    await asyncio.wait((serving, answering), return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        # The parent is gone, and the embedded store with it: finish what can be finished, then go.
        server.stop(at_once=True)
        await asyncio.wait((serving,), timeout=ORPHAN_GRACE_S)
        if not serving.done():
            os._exit(1)
    answering.cancel()
    for task in beside:
        task.cancel()
    if gateway.spool is not None:
        await gateway.spool.close()
    await line.say(report())
    await client.aclose()
    await connection.close()


async def _watch(networks: Networks) -> None:
    """Take new network data soon after it was fetched; opening it is left to a thread, hits go on meanwhile."""
    while True:
        await asyncio.sleep(WATCH_S)
        try:
            if networks.changed():
                await asyncio.to_thread(networks.refresh)
        except Exception:
            log.exception("new network data could not be taken; what was in use stays")


async def _look(spool: Spool) -> None:
    """See again and again whether the spool could take a hit, for /ready; a disk that hangs holds up nothing else."""
    while True:
        await spool.look()
        await asyncio.sleep(LOOK_S)


async def _answer(line: Line, gateway: Gateway, collector: Collector, report: Callable[[], dict[str, Any]]) -> None:
    """Do what the parent asks until it is gone: report, prepare new rules or keys, let them go live, forget."""
    aside: tuple[int, Callable[[], None]] | None = None
    while (message := await line.hear()) is not None:
        if "prepare" in message:
            number = message["prepare"]
            answer = {"prepared": number}
            try:
                aside = number, await _prepared(message, gateway, collector)
            except Exception as err:
                log.exception("news cannot be taken: %s", ", ".join(message.keys() - {"prepare"}))
                answer["error"] = f"{type(err).__name__}: {err}"
            await line.say(answer)
        elif "go" in message:
            if aside is not None and aside[0] == message["go"]:
                aside[1]()
                collector.tidy_soon()
            aside = None
        elif "forget" in message:
            for visitor in message["forget"]:
                gateway.forget(VisitorKey(*visitor))
        else:
            await line.say(report())


async def _prepared(message: dict[str, Any], gateway: Gateway, collector: Collector) -> Callable[[], None]:
    """Return what lets the news in a message go live."""
    if "keys" in message:
        return gateway.prepare_keys(message["keys"])
    # In a thread; the collector would stop all hits for as long as it walks what comes up there.
    with collector.resting():
        plan = await asyncio.to_thread(gateway.prepare, message["site"], message["rules"])
    return partial(gateway.go_live, message["site"], plan)


def main() -> None:
    """Run a worker on the file descriptors in the arguments."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s worker %(process)d: %(message)s")
    listening, control = (socket.socket(fileno=int(arg)) for arg in sys.argv[1:3])
    with listening, control, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(listening, control))


if __name__ == "__main__":
    main()
