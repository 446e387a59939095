"""`tocsin insiders`: who could know what, and when: the readings that the node wrote down, as a list to hand on."""

from __future__ import annotations

import csv
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from node.commands.common import (
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    load_config,
    moment,
    say_json,
    tell_error,
)
from node.commands.listing import say_list

if TYPE_CHECKING:
    from node.insiders import Row

Format = Annotated[
    Literal["human", "json", "csv"],
    Parameter(name=["--output", "-o"], help="`human` for people, `json` for programs, `csv` for a table elsewhere."),
]
COLUMNS = ("who", "role", "door", "kind", "about", "tlp", "first", "last", "count", "id")


def insiders(*, since: str = "", until: str = "", config: ConfigFile = NODE_TOML, output: Format = "human") -> int:
    """Who could know what, and when: everybody who read an alert above TLP:GREEN, an own lever or an own exposure
    through any door, and which sinks were told. It needs no running node; one that runs writes what was read again
    within a minute.

    Example: `tocsin insiders --since 2026-04-18T17:00:00Z -o csv`

    Parameters
    ----------
    since
        Only who read something after this: milliseconds since 1970 or an ISO time with its zone.
    until
        Only who began to read something before this.
    """
    from node.insiders import InsidersFault, read

    since_ms = moment(since, "--since") if since else 0
    until_ms = moment(until, "--until") if until else 1 << 62
    path = load_config(config).insiders
    try:
        rows, _, bad = read(path)
    except InsidersFault as fault:
        raise CommandError(str(fault)) from None
    if bad:
        tell_error(f"{path}: {bad} line(s) are no rows and are left out; a crash tears one at most")
    found = [row for row in rows.values() if row.last_ms >= since_ms and row.first_ms <= until_ms]
    found.sort(key=lambda row: (row.first_ms, row.key))
    if output == "json":
        say_json([asdict(row) for row in found])
    elif output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(one) for one in _values(row)] for row in found)
    else:
        shown = [dict(zip(COLUMNS, (*_values(row)[:-1], row.id[:12]), strict=True)) for row in found]
        return say_list(lambda: shown, COLUMNS, lambda one: [*one.values()], NOBODY, "human")
    return OK


NOBODY = "Nobody has read anything that is not for everybody."


def _values(row: Row) -> tuple[object, ...]:
    head = (row.who, row.role, row.door, row.kind, row.about, row.tlp)
    return *head, _utc(row.first_ms), _utc(row.last_ms), row.count, row.id


def _utc(at_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms / 1000))


def _cell(value: object) -> object:
    """A spreadsheet would run a text that begins like a formula."""
    text = "".join(one if one.isprintable() else "�" for one in str(value))
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
