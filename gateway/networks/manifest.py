"""What data is current: `current.json` in the folder of the network data names every file with its size and digest.

The manifest is replaced in one rename, after everything that it names is on disk. Readers look at nothing else.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.durable import replace_file
from gateway.networks.errors import DataBroken

NAME = "current.json"
Part = Literal["asn", "city"]


class DataFile(BaseModel):
    """One file: its path inside the folder, its size, and its SHA-256 as hex digits."""

    model_config = ConfigDict(frozen=True)

    path: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, path: Path) -> DataFile:
        """Return the entry of a file that lies below the folder."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=digest)

    def checked(self, folder: Path) -> Path:
        """Return the file's place; raises DataBroken when its content is not what it was."""
        path = folder / self.path
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                same = size == self.bytes and hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError as err:
            raise DataBroken(f"{path}: {err.strerror or err}") from err
        if not same:
            raise DataBroken(f"{path}: the file is damaged ({size} of {self.bytes} bytes); fetch the data again")
        return path


class DataSet(BaseModel):
    """One set of data: where it came from, when it was built (s since 1970), what its users owe its makers."""

    model_config = ConfigDict(frozen=True)

    package: str
    version: str
    built: int
    fetched: int
    rows: int
    licence: str
    attribution: str
    files: dict[str, DataFile]
    """By what they are for: `table` (autonomous systems), `ipv4` and `ipv6` (cities)."""
    notices: tuple[str, ...] = ()
    """The licence files that came with it, as paths inside the folder."""


class Manifest(BaseModel):
    """What is current. A set that was not fetched is not there."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    sets: dict[Part, DataSet] = Field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest, an empty one when there is none; raises DataBroken when it cannot be read."""
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except ValidationError as err:
        raise DataBroken(f"{path}: this is no list of current data; remove it and fetch the data again") from err
    except OSError as err:
        raise DataBroken(f"{path}: {err.strerror or err}") from err


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make this the current manifest, at once and durably; raises OSError."""
    replace_file(folder / NAME, manifest.model_dump_json(indent=2).encode())


def stamp_of(folder: Path) -> tuple[int, int, int] | None:
    """Return what changes whenever the manifest is replaced, None without one: one stat."""
    try:
        found = (folder / NAME).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
