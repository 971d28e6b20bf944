"""The embedded store: a Redis or Valkey server as our child, on a unix socket in the data folder.

It is started with the gateway, watched, started again when it dies, and ended with the gateway. Who may do which of
that is decided by two locks, see folder.py; how the server notices the end of a killed gateway, see launch.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.ending import ended
from gateway.errors import StartupError
from gateway.store.engine import Engine, choose_engine, installed_engines
from gateway.store.folder import OWNER_LOCK, StoreFolder

LAUNCHER = Path(__file__).with_name("launch.py")
LOOK_S = 0.1
"""How often the watch looks whether our child lives."""
ASK_S = 0.5
"""How often the watch asks a server that is not our child."""
POLL_S = 0.02
SILENCE_S = 30.0
"""How long a server may take to answer for the first time; while it says that it is loading, it may take longer."""
GRACE_S = 0.5
"""A server whose gateway was killed gets SIGTERM and this long to go, before it is taken over as it is."""
END_S = 10.0
LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True)
class _Server:
    """What a server said about itself."""

    pid: int
    loading: bool


class EmbeddedStore:
    """The store server of one data folder; `folder` is the server's own folder and holds all that it writes.

    `on_event` hears of every restart (a sentence that begins with "restarted") and of what hinders one. `engines` are
    the server programs to choose from; the default is what this machine has. With `fsync` the server answers a write
    only when its disk has it. Start it from a thread that lives as long as the gateway.
    """

    def __init__(
        self,
        folder: Path,
        *,
        on_event: Callable[[str], None],
        engines: Sequence[Engine] | None = None,
        fsync: bool = False,
    ) -> None:
        self._folder = StoreFolder(folder)
        self._on_event = on_event
        self._engines = engines
        self._fsync = fsync
        self._owner_lock: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.pid = 0
        """The process id of the server that answered last."""

    @property
    def url(self) -> str:
        """The address to connect to, `unix:///…`."""
        return f"unix://{quote(str(self._folder.socket()))}"

    async def start(self) -> None:
        """Return when a server answers on the folder; raise StartupError when that cannot be."""
        self._folder.make()
        try:
            self.pid = await self._bring_up()
        except BaseException:
            await self.stop()
            raise
        self._watcher = asyncio.create_task(self._watch(), name="watch over the embedded store")

    async def stop(self) -> None:
        """End the server, if it is ours to end, and wait until its data is on disk."""
        if self._watcher is not None:
            await ended(self._watcher)
        if self._owner_lock is not None:
            await self._end_server()
            os.close(self._owner_lock)
            self._owner_lock = None

    # -- coming up -----------------------------------------------------------------------------------------------

    async def _bring_up(self) -> int:
        """Start a server, or find the one that lives; return its process id once it answers."""
        clock = asyncio.get_running_loop().time
        begun = heard = clock()
        while clock() - heard < SILENCE_S:
            self._start_if_free()
            if self._child is not None and self._child.poll() is not None:
                ending = _ending(self._child)
                self._child = None
                raise StartupError(
                    f"The embedded store ended as soon as it was started ({ending}): {self._folder.last_words()}",
                    hint=f"Its log is {self._folder.path / 'server.log'}.",
                )
            server = await self._ask()
            if server is not None and server.loading:
                heard = clock()
            elif server is not None and (not self._is_left_behind() or clock() - begun > GRACE_S):
                if self._fsync and self._child is None:
                    await self._set_fsync()
                return server.pid
            await asyncio.sleep(POLL_S)
        raise StartupError(
            f"A store server holds {self._folder.path / 'store.lock'} but has not answered for {SILENCE_S:g} s.",
            hint="If it hangs, end it; its process is the one that has this file open.",
        )

    def _is_left_behind(self) -> bool:
        """Tell whether a server that answers is another gateway's, which must be gone since we own the folder now."""
        return self._owner_lock is not None and self._child is None

    def _start_if_free(self) -> None:
        """Start a server if we own the folder and none lives on it."""
        if self._child is not None:
            return
        if self._owner_lock is None:
            self._owner_lock = self._folder.take_lock(OWNER_LOCK)
        if self._owner_lock is None:
            return
        lock = self._folder.take_lock("store.lock")
        if lock is None:
            return
        try:
            self._child = self._launch(lock)
        finally:
            # From here on the lock is the server's alone: it is free again in the moment of the server's end.
            os.close(lock)

    def _launch(self, lock: int) -> subprocess.Popen[bytes]:
        folder = self._folder
        if self._engines is None:
            self._engines = installed_engines()
        engine = choose_engine(folder.path, self._engines)
        options = {
            "port": "0",
            "unixsocket": str(folder.make_socket_place()),
            "unixsocketperm": "700",
            "dir": str(folder.path),
            "daemonize": "no",
            "databases": "1",
            "appendonly": "yes",
            "appendfsync": "always" if self._fsync else "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        command = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), engine.binary]
        for name, value in options.items():
            command += [f"--{name}", value]
        log = folder.open_log()
        try:
            # A session of its own: Ctrl-C in a terminal must reach the gateway alone, which still needs its store.
            return subprocess.Popen(  # noqa: S603 - a binary that we found, without a shell
                command,
                cwd=folder.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                start_new_session=True,
            )
        finally:
            os.close(log)

    async def _ask(self) -> _Server | None:
        """Return what the server says about itself, or None when none answers or it serves another folder."""
        try:
            async with self._client() as client:
                process = await client.info("server")
                loading = await client.info("persistence")
                directory = await client.config_get("dir")
            if not self._folder.path.samefile(str(directory["dir"])):
                return None
        except (RedisError, OSError):
            return None
        return _Server(int(process["process_id"]), bool(loading["loading"]))

    def _client(self) -> Redis:
        return Redis(
            unix_socket_path=str(self._folder.socket()),
            socket_timeout=1,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    async def _set_fsync(self) -> None:
        """Let a server that another gateway started, perhaps by other settings, write as ours would."""
        try:
            async with self._client() as client:
                await client.config_set("appendfsync", "always")
        except RedisError as error:
            self._on_event(f"cannot set appendfsync: {error}")

    # -- watching ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Bring the server up again whenever it is gone; rest longer each time when that fails or does not last."""
        clock = asyncio.get_running_loop().time
        pause, since = LOOK_S, clock()
        trouble = ""
        while True:
            try:
                why = await self._end_of_server()
                if clock() - since > LONGEST_PAUSE_S:
                    pause = LOOK_S
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_S)
                pid = await self._bring_up()
            except (StartupError, OSError) as error:
                if trouble != str(error):
                    trouble = str(error)
                    self._on_event(f"cannot start again: {trouble}")
                continue
            finally:
                since = clock()
            trouble = ""
            if pid != self.pid:
                self.pid = pid
                self._on_event(f"restarted as process {pid}, because {why}")

    async def _end_of_server(self) -> str:
        """Wait for the end of the server and return what happened to it."""
        while self._child is not None:
            self._folder.keep_log_short()
            if self._child.poll() is not None:
                why = f"process {self._child.pid} ended ({_ending(self._child)})"
                self._child = None
                return why
            await asyncio.sleep(LOOK_S)
        while await self._ask() is not None:
            if self._owner_lock is None:
                # When its owner is gone for good, it becomes ours to end.
                self._owner_lock = self._folder.take_lock(OWNER_LOCK)
            await asyncio.sleep(ASK_S)
        return f"process {self.pid} answers no more"

    # -- ending --------------------------------------------------------------------------------------------------

    async def _end_server(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.terminate()
            if not await _within(END_S, lambda: child.poll() is not None):
                child.kill()
                child.wait()
        elif (server := await self._ask()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGTERM)
            if not await _within(END_S, self._is_free):
                return
        self._folder.remove_socket()

    def _is_free(self) -> bool:
        lock = self._folder.take_lock("store.lock")
        if lock is not None:
            os.close(lock)
        return lock is not None


def _ending(child: subprocess.Popen[bytes]) -> str:
    code = child.returncode
    return f"by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


async def _within(seconds: float, done: Callable[[], bool]) -> bool:
    """Wait until it is done, at most so long; return whether it is."""
    for _ in range(int(seconds / POLL_S)):
        if done():
            return True
        await asyncio.sleep(POLL_S)
    return done()
