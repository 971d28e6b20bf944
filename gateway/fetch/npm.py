"""The npm client as a program: which version of a package is the newest, and its tarball.

npm's own configuration decides where from. Its cache lies in a folder of ours, so that it needs no home folder, shows
how far it is by its growth, and goes when the fetch is done.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.fetch.errors import FetchFailed

ASK_WITHIN_S = 120
PACK_WITHIN_S = 3600
_LOOK_S = 0.2

_CODE = re.compile(r"npm (?:error|ERR!) code (\S+)")
_UNREACHABLE = frozenset({
    "ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH",
    "ERR_SOCKET_TIMEOUT", "FETCH_ERROR", "EPIPE", "E500", "E502", "E503", "E504", "ENOTCACHED",
})  # fmt: skip
_NO_ENTRY = "npm's registry refuses it; log in with npm login, or ask who runs the registry"
_NOT_WRITABLE = "npm cannot write where it wants to; choose another folder with --data"
_MEANINGS = {
    "E404": "npm's registry has no such package; if it is a mirror, is it complete?",
    "E401": _NO_ENTRY,
    "E403": _NO_ENTRY,
    "ENEEDAUTH": _NO_ENTRY,
    "ENOSPC": "the disk is full; the data needs about 500 MB while it is fetched",
    "EACCES": _NOT_WRITABLE,
    "EPERM": _NOT_WRITABLE,
    "EROFS": _NOT_WRITABLE,
    "EINTEGRITY": "what npm brought is not what its registry announced; try again later",
}
_ALGORITHMS = ("sha512", "sha384", "sha256")


@dataclass(slots=True, frozen=True)
class Release:
    """A version of a package, and the digest of its tarball in the form of Subresource Integrity."""

    version: str
    integrity: str


class Npm:
    """Runs npm. Raises FetchFailed with one sentence for everything that can go wrong."""

    def __init__(self, cache: Path) -> None:
        program = shutil.which("npm")
        if program is None:
            raise FetchFailed("npm is not on PATH; install Node.js 20 or newer, or fetch on another machine")
        self._program = program
        self._cache = cache

    def newest(self, package: str) -> Release:
        """Return the newest version of a package."""
        # npm's own patience, over a minute for a registry that does not answer, is for downloads.
        patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
        answer = self._run(package, ["view", package, "version", "dist.integrity", *patience], ASK_WITHIN_S)
        try:
            found = json.loads(answer)
            release = Release(found["version"], found["dist.integrity"])
        except (ValueError, KeyError, TypeError) as err:
            raise FetchFailed(f"npm does not say version and integrity of {package}; try npm view {package}") from err
        if not re.fullmatch(r"[0-9A-Za-z.+-]{1,100}", release.version) or not _digests(release.integrity):
            raise FetchFailed(f"npm says an odd version or integrity of {package}: {release.version!r}")
        return release

    def pack(self, package: str, version: str, folder: Path, grown: Callable[[int], object]) -> Path:
        """Bring a package's tarball into an empty folder and return it; `grown` is told the bytes that are here."""
        before = _size(self._cache)
        arguments = ["pack", f"{package}@{version}", f"--pack-destination={folder}", "--ignore-scripts"]
        self._run(package, arguments, PACK_WITHIN_S, lambda: grown(max(_size(self._cache) - before, _size(folder))))
        tarballs = list(folder.glob("*.tgz"))
        if len(tarballs) != 1:
            raise FetchFailed(f"npm brought no tarball of {package}")
        return tarballs[0]

    def _run(self, package: str, arguments: list[str], within_s: float, look: Callable[[], object] = int) -> str:
        """Run npm to its end and return what it wrote; it is ended when it takes too long or we are interrupted."""
        options = ["--json", "--loglevel=error", "--no-update-notifier", f"--cache={self._cache}"]
        deadline = time.monotonic() + within_s
        with subprocess.Popen(  # noqa: S603 - the program is npm from PATH, the arguments are our own
            [self._program, *arguments, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process:
            while True:
                try:
                    out, err = process.communicate(timeout=_LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    look()
                except BaseException:
                    process.terminate()
                    raise
                if time.monotonic() > deadline:
                    process.kill()
                    raise FetchFailed(f"npm did not end within {within_s:.0f} s ({package}); try again")
        if process.returncode:
            raise FetchFailed(_sentence(package, out, err))
        return out


def matches(path: Path, integrity: str) -> bool:
    """Tell whether a file has the digest that the registry announced; the strongest algorithm counts."""
    algorithm, wanted = _digests(integrity)[0]
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).digest() == wanted


def _digests(integrity: str) -> list[tuple[str, bytes]]:
    """Return (algorithm, digest) of a Subresource Integrity text, the strongest first; empty for any other text."""
    found = []
    for text in integrity.split() if isinstance(integrity, str) else ():
        algorithm, _, digest = text.partition("?")[0].partition("-")
        try:
            found.append((algorithm, base64.b64decode(digest, validate=True)))
        except binascii.Error:
            continue
    return sorted((pair for pair in found if pair[0] in _ALGORITHMS), key=lambda pair: _ALGORITHMS.index(pair[0]))


def _sentence(package: str, out: str, err: str) -> str:
    """Return what npm's failure means."""
    told = _told(out)
    said = _CODE.search(err)
    code = str(told.get("code") or (said[1] if said else ""))
    if code in _UNREACHABLE:
        return f"npm cannot reach its registry ({code}): is this machine offline? See npm config get registry"
    if code in _MEANINGS:
        return f"{package}: {_MEANINGS[code]} ({code})"
    lines = [line for line in (str(told.get("summary") or ""), *err.splitlines()) if line.strip()]
    return f"npm failed with {package}: {lines[0].strip()[:200] if lines else 'it does not say why'}"


def _told(out: str) -> dict[str, Any]:
    """Return the error that npm writes with --json, {} without one."""
    try:
        error = json.loads(out)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder; a file that goes meanwhile does not count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total
