"""A page as a title and a text for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.notify.pager import Page, Part
from protocol.messages import Level

LINES_MAX = 20
TITLE_CHARS_MAX = 120


@dataclass(frozen=True)
class Letter:
    title: str
    text: str
    urgent: bool
    """ISOLATE and HALT: what stands may be losing money now."""
    count: int


def letter(sink: str, page: Page, after_s: float) -> Letter:
    lines = [line for part in page.parts for line in _lines(part)]
    if len(lines) > LINES_MAX:
        lines = [*lines[:LINES_MAX], f"and {len(lines) - LINES_MAX} more lines: tocsin status, tocsin alert list"]
    if after_s:
        lines.insert(0, f"Nobody acknowledged this within {after_s / 60:g} min.")
    first = next((text for part in page.parts for text, _ in reversed(part.texts)), "news")
    level = f"{page.level.name}: " if page.level > Level.NONE else ""
    title = _plain(f"Tocsin {sink}: {level}{first}").replace("\n", " ")[:TITLE_CHARS_MAX]
    return Letter(title, "\n".join(_plain(line) for line in lines), page.level >= Level.ISOLATE, page.count)


def _lines(part: Part) -> list[str]:
    lines = [text if times == 1 else f"{text} ({times} times)" for text, times in part.texts]
    if part.more:
        lines.append(f"and {part.more} more before that")
    if part.update and lines:
        lines[0] = f"Update: {lines[0]}"
    return lines


def _plain(text: str) -> str:
    printable = "".join(one if one.isprintable() or one == "\n" else " " for one in text)
    # a chat reads a mention, a link or a tag there: what others wrote must not call a whole channel
    return printable.replace("<", "‹") or "(no words)"
