"""The steps from a package to current data: download, verify, unpack, compile, try out, make current.

Everything is written below `incoming` and renamed when it is complete. What an interrupted fetch has completed is found
there by the next one. The manifest is replaced last, so that readers see the old data or the new, never a part.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.durable import sync_folder
from gateway.fetch.errors import FetchFailed, of_system
from gateway.fetch.npm import Npm, Release, matches
from gateway.fetch.progress import Progress
from gateway.fetch.sources import ASN, CITIES, LICENCE_WORDS, Source
from gateway.networks.asn_csv import compile_list
from gateway.networks.data import CityLists, Systems
from gateway.networks.errors import DataBroken
from gateway.networks.manifest import DataFile, DataSet, Manifest, read_manifest, write_manifest

INCOMING = "incoming"
_LOCK = "fetch.lock"
_CHUNK = 1 << 20
_MOST_LICENCE = 1_000_000
_ROWS = 515_000
"""About how many rows the list of autonomous systems has."""

_BUILT = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})?$")
"""The date at the end of a version, such as 2.3.2026061719: the 17th of June 2026, 19 h."""


def fetch(folder: Path, sources: Sequence[Source], progress: Progress) -> Manifest:
    """Make the newest data of these sources current in the folder; returns what is current then.

    Raises FetchFailed; what was complete by then is current, the rest is as it was.
    """
    try:
        with _alone(folder):
            incoming = folder / INCOMING
            incoming.mkdir(exist_ok=True)
            npm = Npm(incoming / "npm-cache")
            for source in sources:
                _bring(folder, source, npm, progress)
            manifest = _current(folder, progress)
            _tidy_up(folder, manifest)
            return manifest
    except OSError as err:
        raise of_system(err, folder) from err


def _bring(folder: Path, source: Source, npm: Npm, progress: Progress) -> None:
    """Make the newest release of one source current, unless it is."""
    manifest = _current(folder, progress)
    release = npm.newest(source.package)
    used = manifest.sets.get(source.part)
    if used and (used.package, used.version) == (source.package, release.version) and _is_whole(folder, used):
        progress.say(f"{source.title}: {source.package} {release.version} is the newest and is here")
        return
    tarball = _download(folder / INCOMING, source, release, npm, progress)
    name = _free_name(folder, f"{source.slug}-{release.version}")
    build = folder / INCOMING / name
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    try:
        about = _built(build, source, release, tarball, progress)
    except (tarfile.TarError, EOFError, DataBroken, UnicodeDecodeError) as err:
        shutil.rmtree(build, ignore_errors=True)
        tarball.unlink()
        raise FetchFailed(
            f"{source.package} {release.version} is no data that can be used, nothing changed: {err}"
        ) from err
    _sync(build)
    build.rename(folder / name)
    sync_folder(folder)
    write_manifest(folder, Manifest(sets={**manifest.sets, source.part: about}))
    tarball.unlink()


def _download(incoming: Path, source: Source, release: Release, npm: Npm, progress: Progress) -> Path:
    """Return the release's tarball, verified by its digest; one that is here is not fetched again."""
    tarball = incoming / f"{source.slug}-{release.version}.tgz"
    if tarball.exists():
        if matches(tarball, release.integrity):
            progress.say(f"{source.title}: {tarball.name} was downloaded before")
            return tarball
        tarball.unlink()
    part = incoming / "part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    title = f"download {source.package} {release.version}"
    with progress.step(title, source.megabytes * 1_000_000, "MB") as advance:
        brought = npm.pack(source.package, release.version, part, advance)
        advance(brought.stat().st_size)
    if not matches(brought, release.integrity):
        raise FetchFailed(f"what arrived of {source.package} is not what npm's registry announced; try again later")
    brought.rename(tarball)
    shutil.rmtree(incoming / "npm-cache", ignore_errors=True)
    return tarball


def _built(build: Path, source: Source, release: Release, tarball: Path, progress: Progress) -> DataSet:
    """Fill the folder from the tarball and return what it then holds, tried out. Raises DataBroken, TarError."""
    notices = _unpack(build, source, tarball, progress)
    if source.terms:
        progress.say((build / source.terms).read_text("utf-8"))
    files, rows = _compiled(build, source, release, progress) if source.part == "asn" else (dict(source.members), 0)
    about = DataSet(
        package=source.package,
        version=release.version,
        built=_built_at(release.version),
        fetched=int(time.time()),
        rows=rows,
        licence=source.licence,
        attribution=source.attribution,
        files={use: DataFile.of(build.parent, build / name) for use, name in files.items()},
        notices=tuple(f"{build.name}/{name}" for name in notices),
    )
    return _tried(about, build.parent)


def _unpack(build: Path, source: Source, tarball: Path, progress: Progress) -> list[str]:
    """Write the wanted members and the licence files into the folder; returns the names of the latter.

    Members are read by name and written under our own, so that no path in a tarball leads anywhere.
    """
    wanted, notices = set(source.members.values()), []
    size = tarball.stat().st_size
    with (
        progress.step(f"unpack {tarball.name}", size, "MB") as advance,
        tarball.open("rb") as packed,
        tarfile.open(fileobj=packed, mode="r|gz") as archive,
    ):
        for member in archive:
            name = member.name.rpartition("/")[2]
            is_licence = any(word in name.upper() for word in LICENCE_WORDS) and member.size <= _MOST_LICENCE
            content = archive.extractfile(member) if member.isfile() and (is_licence or name in wanted) else None
            if content is None:
                continue
            with (build / name).open("wb") as file:
                while chunk := content.read(_CHUNK):
                    file.write(chunk)
                    advance(packed.tell())
            wanted.discard(name)
            if is_licence:
                notices.append(name)
    if wanted or (source.terms and source.terms not in notices):
        raise DataBroken(f"the package holds no {', '.join(sorted(wanted)) or source.terms}")
    return notices


def _compiled(build: Path, source: Source, release: Release, progress: Progress) -> tuple[dict[str, str], int]:
    """Compile the lists of autonomous systems, take them away, and return what there is instead, and its rows."""
    lists = [build / source.members[family] for family in ("ipv4", "ipv6")]
    with (
        progress.step("compile the autonomous systems", _ROWS, "rows") as advance,
        lists[0].open(encoding="utf-8", newline="") as ipv4,
        lists[1].open(encoding="utf-8", newline="") as ipv6,
    ):
        rows = compile_list(ipv4, ipv6, _built_at(release.version), build / "asn.table", advance)
    for path in lists:
        path.unlink()
    return {"table": "asn.table"}, rows


def _tried(about: DataSet, folder: Path) -> DataSet:
    """Return the set after opening it as a worker does and asking it something; completes what only the files tell."""
    if "table" in about.files:
        systems = Systems(about, folder)
        networks = sum(systems.find(bytes((first, 8, 8, 8))) > 0 for first in range(1, 224))
        if not networks:
            raise DataBroken("the list of autonomous systems knows none of 223 addresses")
        return about
    cities = CityLists(about, folder)
    return about.model_copy(update={"built": cities.built, "rows": cities.rows})


def _built_at(version: str) -> int:
    """Return when a release was built, in s since 1970, by the date at the end of its version; 0 without one."""
    found = _BUILT.search(version)
    if found is None:
        return 0
    year, month, day, hour = (int(part or 0) for part in found.groups())
    try:
        return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def _current(folder: Path, progress: Progress) -> Manifest:
    try:
        return read_manifest(folder)
    except DataBroken as err:
        progress.say(f"{err.message}: everything is fetched anew")
        return Manifest()


def _is_whole(folder: Path, used: DataSet) -> bool:
    """Tell whether a set's files are what they were; one that was damaged since is fetched again."""
    try:
        for file in used.files.values():
            file.checked(folder)
    except DataBroken:
        return False
    return True


def _free_name(folder: Path, name: str) -> str:
    """Return the name, or with a number behind it when there is such a folder: what is in use is not written over."""
    candidates = (name, *(f"{name}.{number}" for number in range(2, 1000)))
    return next(candidate for candidate in candidates if not (folder / candidate).exists())


def _sync(build: Path) -> None:
    """Bring a folder's files to the disk."""
    for path in build.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(build)


def _tidy_up(folder: Path, manifest: Manifest) -> None:
    """Remove what is no longer current. Workers that have it open keep it until they have taken the new."""
    used = {Path(file.path).parts[0] for about in manifest.sets.values() for file in about.files.values()}
    ours = (INCOMING, *(f"{source.slug}-" for source in (ASN, *CITIES.values())))
    for path in folder.iterdir():
        if path.is_dir() and path.name.startswith(ours) and path.name not in used:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; raises FetchFailed when another fetch holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise FetchFailed(f"{folder}: another fetch is running there") from err
        yield
