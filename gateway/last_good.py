"""The last good rules of each site, kept in the data folder: a restart finds them when the rule folder is bad."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import orjson

from gateway.durable import replace_file

log = logging.getLogger("tuttu")

_NAME = "last_good.json"


def read_last_good(folder: Path) -> dict[str, str]:
    """Return the rule files by name that were kept in a site's folder of rule data, none if there are none to read."""
    path = folder / _NAME
    try:
        files = orjson.loads(path.read_bytes())["files"]
        return {str(name): str(text) for name, text in files.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as err:
        log.warning("%s cannot be read, so the last good rules are lost: %s", path, err)
        return {}


def keep_last_good(folder: Path, version: str, files: Mapping[str, str]) -> None:
    """Keep a site's rule files; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / _NAME, orjson.dumps({"version": version, "files": dict(files)}, option=orjson.OPT_INDENT_2))
