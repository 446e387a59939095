"""A small TOML writer for our own files: strings, integers, lists of strings, tables, lists of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Scalar = str | int | Sequence[str]


def _value(value: Scalar) -> str:
    if isinstance(value, str):
        # a JSON string is a TOML basic string, but for DEL, which TOML wants escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    return "[" + ", ".join(_value(one) for one in value) + "]"


def lines_of(fields: Mapping[str, Scalar]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in fields.items())


def table(name: str, fields: Mapping[str, Scalar]) -> str:
    return f"\n[{name}]\n{lines_of(fields)}"


def tables(name: str, rows: Sequence[Mapping[str, Scalar]]) -> str:
    return "".join(f"\n[[{name}]]\n{lines_of(row)}" for row in rows)


def comment(text: str) -> str:
    return "\n" + "".join(f"# {line}\n" for line in text.splitlines())
