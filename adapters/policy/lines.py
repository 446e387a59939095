"""Where each table and key of a TOML text stands, so that a fault can name its line. A scan, not a parser: the text
was or will be parsed by tomllib; at worst a fault names its table's line instead of its key's."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?\Z")
_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*")


def _dotted(written: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in written.split("."))


def find_lines(text: str) -> dict[str, int]:
    """Dotted path → 1-based line of its first mention, with every prefix of it."""
    lines: dict[str, int] = {}
    table, depth = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if depth == 0 and header:
            table = _dotted(header[1])
            _note(lines, table, number)
            continue
        if depth == 0 and key:
            _note(lines, f"{table}.{_dotted(key[1])}".lstrip("."), number)
        bare = _QUOTED.sub("", line)
        depth = max(0, depth + bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}"))
    return lines


def _note(lines: dict[str, int], path: str, number: int) -> None:
    parts = path.split(".")
    for length in range(1, len(parts) + 1):
        lines.setdefault(".".join(parts[:length]), number)
