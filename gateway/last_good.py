"""The last good rules of each site, kept in the data folder: a restart finds them when the rule folder is bad."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from gateway.durable import replace_file

_NAME = "last_good.json"


def read_last_good(folder: Path) -> dict[str, str]:
    """Return the rule files by name that were kept in a site's folder of rule data, none if there are none to read."""
    try:
        kept = orjson.loads((folder / _NAME).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    files = kept.get("files") if isinstance(kept, dict) else None
    return {str(name): str(text) for name, text in files.items()} if isinstance(files, dict) else {}


def keep_last_good(folder: Path, version: str, files: Mapping[str, str]) -> None:
    """Keep a site's rule files; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / _NAME, orjson.dumps({"version": version, "files": dict(files)}, option=orjson.OPT_INDENT_2))
