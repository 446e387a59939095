"""Where each table and key of a TOML text stands, so that a fault can name its line. A scan, not a parser: the text
was or will be parsed by tomllib; at worst a fault names its table's line instead of its key's."""

from __future__ import annotations

import re

# Nothing here may try one stretch of a line in two ways: a line of spaces, quotes or dots would take for ever.
_HEADER = re.compile(r"\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?\Z")
_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_QUOTED = re.compile(r"\"(?:\\.?|[^\"\\])*(?:\"|\Z)|'[^']*(?:'|\Z)|#.*")
_DEPTH_MOST = 8
"""Parts of a path that are told apart; no key of ours lies deeper than half of that."""
_DOTS_MOST = 64


def _dotted(written: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in written.split(".", _DEPTH_MOST)[:_DEPTH_MOST])


def find_deep_key(text: str) -> int:
    """The 1-based line of a key of more parts than any of ours, 0 for none. The TOML reader takes a time for a key
    that grows with the square of its parts."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > _DOTS_MOST and _QUOTED.sub("", line).count(".") > _DOTS_MOST:
            return number
    return 0


def find_lines(text: str) -> dict[str, int]:
    """Dotted path → 1-based line of its first mention, with every prefix of it."""
    lines: dict[str, int] = {}
    table, depth = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line.strip()), _KEY.match(line)
        if depth == 0 and header and header[1].strip():
            table = _dotted(header[1])
            _note(lines, table, number)
            continue
        if depth == 0 and key:
            _note(lines, f"{table}.{_dotted(key[1])}".lstrip("."), number)
        bare = _QUOTED.sub("", line)
        depth = max(0, depth + bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}"))
    return lines


def _note(lines: dict[str, int], path: str, number: int) -> None:
    parts = path.split(".", _DEPTH_MOST)[:_DEPTH_MOST]
    for length in range(1, len(parts) + 1):
        lines.setdefault(".".join(parts[:length]), number)
