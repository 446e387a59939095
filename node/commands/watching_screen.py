"""The live view as a picture: what is known, as lines that fit a terminal. Nothing here asks or waits."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from node.commands.common import EXERCISE, span
from node.commands.watching_words import clock, line_of, short, text

KEPT = 200
"""Happenings that a tall screen may show."""
LEVELS = ("NONE", "WATCH", "GUARD", "ISOLATE", "HALT")
STYLES = {"NONE": "dim", "WATCH": "cyan", "GUARD": "yellow", "ISOLATE": "bold red", "HALT": "bold white on red"}
PHASE_STYLES = {"effective": "bold", "escalated": "bold red", "asked": "yellow"}
OVER = frozenset({"lapsed", "lifted", "refused"})
BAR_MOST = 12
HEALTH_MOST = 6
CELL_MOST, CELL_LEAST, GAP = 40, 10, 2
"""Widths; a cell that would have less than the least is left out with its column."""
Cell = str | Text
Row = tuple[Cell, ...]


@dataclass
class Picture:
    """What is known. `lost`: why the stream does not run, `unread`: why the state is old, "" where all is well."""

    status: dict[str, Any] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    ready: dict[str, Any] = field(default_factory=dict)
    lost: str = ""
    lost_since_ms: int = 0
    unread: str = ""
    looked_ms: int = 0
    happened: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def heard(self, told: dict[str, Any]) -> None:
        line = line_of(told)
        if line is not None:
            self.note(line, told.get("at_ms"))

    def note(self, line: str, at_ms: object) -> None:
        self.happened.append((clock(at_ms), line))

    def fares(self, why: str, now_ms: int) -> None:
        """Of the stream: "" where it runs."""
        if why and not self.lost:
            self.lost_since_ms = now_ms
            self.note(f"-- the node does not answer: {text(why)}; trying again until it does", now_ms)
        elif self.lost and not why:
            self.note("-- the node answers again; what was missed follows", now_ms)
        self.lost = why


def drawn(picture: Picture, width: int, height: int, now_ms: int) -> RenderableType:
    """At most `height` lines. What happened has what the rest leaves, and a third of the room at least."""
    head = [*_exercise(picture, width), *_head(picture), *_trouble(picture), *_health(picture, height)]
    room = max(0, height - len(head) - 1)
    alarms, levers = _alarms(picture), _levers(picture, now_ms)
    tables = room - room // 3
    for_alarms = min(alarms.wants, max(tables - levers.wants, tables // 2))
    for_levers = min(levers.wants, tables - for_alarms)
    left = room - for_alarms - for_levers
    parts = [*head, *alarms.lines(for_alarms, width), *levers.lines(for_levers, width), *_happened(picture, left)]
    return Group(*parts, _line("q quits; times are UTC", "dim"))


def _line(words: str, style: str = "") -> Text:
    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


def _exercise(picture: Picture, width: int) -> Iterator[Text]:
    """From edge to edge, above all else."""
    if picture.status.get("exercise"):
        yield _line(EXERCISE.center(width), "bold black on bright_magenta")


def _head(picture: Picture) -> Iterator[Text]:
    facts = picture.status
    epoch, signing, quorum = facts.get("epoch") or {}, facts.get("signing") or {}, facts.get("quorum") or {}
    names = f"{text(facts.get('member'))} of {text(facts.get('network_name'))}, epoch {text(epoch.get('number'))}"
    at = clock(facts.get("now_ms"))
    yield _line(f"{names}, {text(facts.get('mode'))}, up {span(facts.get('uptime_s') or 0)}, as of {at}", "bold")
    if signing.get("may"):
        skew = facts.get("skew_ms")
        yield _line(f"signs; clock {skew} ms from the members' median" if skew is not None else "signs")
    else:
        yield _line(f"SIGNS NOTHING: {text(signing.get('why'))}", "bold red")
    blind = bool(quorum.get("blind"))
    says = f"hears {quorum.get('hears')} of {quorum.get('n')} groups, {quorum.get('needed')} needed"
    yield _line(
        f"BLIND: {says}; nothing above GUARD can form" if blind else f"{says}; margin {quorum.get('margin')}",
        "bold red" if blind else "",
    )
    silent = quorum.get("silent_since_ms") or {}
    since = ", ".join(f"{text(name)} since {clock(at_ms)}" for name, at_ms in sorted(silent.items()))
    yield _line(f"SILENT: {since}" if silent else "nobody is silent", "yellow" if silent else "dim")


def _trouble(picture: Picture) -> Iterator[Text]:
    if picture.lost:
        since = clock(picture.lost_since_ms)
        yield _line(f"THE NODE DOES NOT ANSWER since {since} ({text(picture.lost)}): this is old", "bold white on red")
    elif picture.unread:
        yield _line(f"THE STATE CANNOT BE READ ({text(picture.unread)}): this is of {clock(picture.looked_ms)}", "red")


def _health(picture: Picture, height: int) -> Iterator[Text]:
    found = [(f"NOT READY: {short(one)}", "bold red") for one in picture.ready.get("reasons") or ()]
    found += [(f"note: {short(one)}", "yellow") for one in picture.ready.get("notes") or ()]
    most = min(HEALTH_MOST, max(1, height // 8))
    yield from (_line(words, style) for words, style in found[:most])
    if len(found) > most:
        yield _line(f"… {len(found) - most} more: tocsin status, /v1/ready", "dim")


@dataclass(frozen=True)
class Section:
    """A table of one line a row, under its title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]

    @property
    def wants(self) -> int:
        return 2 + len(self.rows) if self.rows else 1

    def lines(self, most: int, width: int) -> Sequence[RenderableType]:
        """Where it is low the head of the table goes first, then the last rows; where it is narrow the last columns."""
        header = most >= self.wants
        shown = self.rows[: max(0, most - 1 - header)]
        cut = f", {len(shown)} shown" if len(shown) < len(self.rows) else ""
        title = _line(f"{self.title}{cut}", "bold")
        if not shown:
            return [title][:most]
        table = Table(box=None, pad_edge=False, header_style="dim", show_header=header)
        widths = _fitting([max(map(_width, cells)) for cells in zip(self.columns, *shown, strict=True)], width)
        for name, wide in zip(self.columns, widths):
            table.add_column(name, width=wide, no_wrap=True, overflow="ellipsis")
        for row in shown:
            table.add_row(*row[: len(widths)])
        return [title, table]


def _fitting(wanted: Sequence[int], width: int) -> list[int]:
    """As many columns as fit, in order; the last of them has what is left."""
    found: list[int] = []
    left = width
    for number, wide in enumerate(wanted):
        capped = wide if number == len(wanted) - 1 else min(wide, CELL_MOST)
        if found and left < min(capped, CELL_LEAST):
            break
        found.append(max(1, min(capped, left)))
        left -= found[-1] + GAP
    return found


def _width(cell: Cell) -> int:
    return cell_len(cell if isinstance(cell, str) else cell.plain)


def _alarms(picture: Picture) -> Section:
    worst = sorted(picture.alerts, key=lambda one: (-_rank(one.get("level")), str(one.get("subject"))))
    columns = ("level", "groups", "threat", "subject", "certificate", "we say", "basis", "id")
    return Section(_counted("ALARMS", len(worst)), columns, [_alarm(one) for one in worst])


def _rank(level: object) -> int:
    return LEVELS.index(level) if level in LEVELS else 0


def _counted(title: str, count: int) -> str:
    return f"{title} {count}" if count else f"{title} none"


def _alarm(alert: dict[str, Any]) -> Row:
    level, certificate, own = text(alert.get("level")), alert.get("certificate"), alert.get("own") or {}
    bases = Counter(text(one.get("basis")).lower() for one in alert.get("opinions") or () if one.get("live"))
    return (
        Text(level, STYLES.get(level, "")),
        _bar(len(alert.get("groups") or ()), alert.get("needed")),
        text(alert.get("threat")),
        short(alert.get("subject")),
        f"{text(certificate.get('level'))} until {clock(certificate.get('ends_ms'))}" if certificate else "none",
        text(own.get("verdict") or "-"),
        ", ".join(f"{count} {basis}" for basis, count in sorted(bases.items())) or "-",
        text(alert.get("id"))[:12],
    )


def _bar(count: int, needed: object) -> str:
    words = f"{count} of {text(needed)}"
    if type(needed) is not int or not 0 < needed <= BAR_MOST:
        return words
    full = min(count, needed)
    return f"{'■' * full}{'□' * (needed - full)} {words}"


def _levers(picture: Picture, now_ms: int) -> Section:
    newest = list(reversed(picture.actions))
    ordered = sorted(newest, key=lambda one: one.get("phase") in OVER)
    columns = ("lever", "rung", "phase", "lease", "on", "why")
    over = sum(1 for one in newest if one.get("phase") in OVER)
    title = _counted("OWN LEVERS", len(newest)) + (f", {over} over" if over else "")
    return Section(title, columns, [_lever(one, now_ms) for one in ordered])


def _lever(action: dict[str, Any], now_ms: int) -> Row:
    phase, rung = text(action.get("phase")), text(action.get("rung"))
    over = phase in OVER
    return (
        Text(text(action.get("lever")), "dim" if over else ""),
        Text(rung, "dim" if over else STYLES.get(rung, "")),
        Text(phase, "dim" if over else PHASE_STYLES.get(phase, "")),
        "-" if over else _left(action.get("until_ms"), now_ms),
        short(action.get("subject")),
        short(action.get("why")),
    )


def _left(until_ms: object, now_ms: int) -> str:
    """The lease's clock, running down."""
    if type(until_ms) is not int or not until_ms:
        return "-"
    left_s = (until_ms - now_ms) // 1000
    if left_s < 0:
        return "ended"
    minutes, seconds = divmod(left_s, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def _happened(picture: Picture, most: int) -> Iterable[Text]:
    if most < 2:
        return []
    shown = list(picture.happened)[-(most - 1) :]
    return [_line("HAPPENED", "bold"), *(_line(f"{at}  {line}") for at, line in shown)]
