"""TOML for what a node reads: plain values of a pack written back, one inline table a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def value(raw: Any) -> str:
    """Strings, numbers, booleans, lists and tables (inline)."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, (int, float)):
        return repr(raw)
    if isinstance(raw, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {value(one)}" for name, one in raw.items()) + " }"
    if isinstance(raw, (list, tuple)):
        return "[" + ", ".join(value(one) for one in raw) + "]"
    # a JSON string is a TOML basic string, but for DEL, which TOML wants escaped
    return json.dumps(str(raw), ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    return name if name and all(one.isascii() and (one.isalnum() or one in "_-") for one in name) else value(name)


def table(path: str, rows: Mapping[str, Any]) -> str:
    """`[path]` and one line a row; "" for no rows."""
    return f"\n[{path}]\n" + "".join(f"{key(name)} = {value(row)}\n" for name, row in rows.items()) if rows else ""
