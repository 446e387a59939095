"""What was imported, kept below data_dir for people to look at: no part of the node reads it, so nothing acts on it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapters.intel.read import ITEMS_MAX, Item, Outside

FOLDER = "intel"
FILES_MAX = 64
_FILE_BYTES_MAX = ITEMS_MAX * 12_000
"""Eight texts of 300 characters each, at six bytes for one that JSON escapes."""
_ID_CHARS = 16


class IntelFault(Exception):
    """In words: what is wrong with what is kept, and what to do."""


def keep(data_dir: Path, raw: bytes, outside: Outside, at_ms: int) -> str:
    """Its id, which is that of the file's bytes: the same file twice is kept once."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    id_ = hashlib.sha256(raw).hexdigest()[:_ID_CHARS]
    path = folder / f"{id_}.json"
    if not path.exists() and len(_paths(data_dir)) >= FILES_MAX:
        raise IntelFault(f"{FILES_MAX} imports are kept already; take one away: tocsin intel drop ID")
    items = [asdict(item) for item in outside.items]
    value = {"kind": outside.kind, "at_ms": at_ms, "left_out": outside.left_out, "items": items}
    fresh = folder / f".{id_}.{os.getpid()}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(value).encode())
    fresh.replace(path)
    return id_


def kept(data_dir: Path) -> list[dict[str, Any]]:
    """Oldest first, each with its `id` and its `items` as Item. IntelFault for a file that is not ours any more."""
    found = []
    for path in _paths(data_dir):
        try:
            with path.open("rb") as file:
                value = json.loads(file.read(_FILE_BYTES_MAX))
            items = [Item(**one) for one in value["items"]]
            found.append({**value, "id": path.stem, "items": items, "at_ms": int(value["at_ms"])})
        except (ValueError, TypeError, KeyError, RecursionError):
            raise IntelFault(f"{path}: this is nothing that tocsin kept; move it away") from None
    return sorted(found, key=lambda one: (one["at_ms"], one["id"]))


def drop(data_dir: Path, id_: str) -> None:
    named = [path for path in _paths(data_dir) if path.stem.startswith(id_)]
    if len(named) != 1:
        raise IntelFault(f"no import {id_!r}, or several begin so; list them: tocsin intel list")
    named[0].unlink()


def _paths(data_dir: Path) -> list[Path]:
    folder = data_dir / FOLDER
    return sorted(folder.glob("[0-9a-f]*.json")) if folder.is_dir() else []
