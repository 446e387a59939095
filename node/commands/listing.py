"""What every `list` shares: a table for people, JSON for programs, a line a row for pipes; once, or at each change."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from node.commands.common import OK, console, say, say_json, say_table, tell_error, usage

ListOutput = Annotated[
    Literal["human", "json", "jsonl"],
    Parameter(name=["--output", "-o"], help="`human` for people; `json` for programs, `jsonl` one object a line."),
]
Again = Annotated[
    bool, Parameter(name="--watch", negative=(), help="Look again until Ctrl-C; into a pipe, only what has changed.")
]
LOOK_S = 2.0
Rows = Sequence[Mapping[str, Any]]


def say_rows(rows: Rows) -> None:
    # ASCII: every control character is escaped, whoever wrote it
    sys.stdout.write("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in rows))
    sys.stdout.flush()


def say_list(
    read: Callable[[], Rows],
    columns: Sequence[str],
    row: Callable[[Any], Sequence[object]],
    none: str,
    output: ListOutput,
    again: bool = False,
    ahead: Callable[[], Sequence[str]] = tuple,
) -> int:
    """What `read` finds; for people a table under the lines of `ahead`, or `none` where there is nothing."""

    def told(rows: Rows) -> None:
        if output == "human":
            say(*ahead())
        if output == "json":
            say_json(rows)
        elif output == "jsonl":
            say_rows(rows)
        elif rows:
            say_table(columns, [row(one) for one in rows])
        else:
            say(none)

    if again:
        return _watched(read, told, output)
    told(read())
    return OK


def _watched(read: Callable[[], Rows], told: Callable[[Rows], None], output: ListOutput) -> int:
    """Until Ctrl-C. The first look raises what it raises; a node that goes later is waited for."""
    if output == "json":
        raise usage("--watch has no end, and json is one document", "use -o jsonl: a line for each row that changed")
    from node.control import NodeUnreachable

    page = console() if output == "human" and sys.stdout.isatty() else None
    last: Rows | None = None
    lost = False
    try:
        while True:
            try:
                found = read()
                lost = False
            except NodeUnreachable as error:
                if last is None:
                    raise
                if not lost:
                    tell_error(f"no node answers at {error}; trying again until it does")
                lost, found = True, last
            if page is not None and not lost:
                page.clear()
                told(found)
                say(time.strftime("%H:%M:%SZ; Ctrl-C ends", time.gmtime()))
            elif found != last:
                told([one for one in found if one not in (last or ())] if output == "jsonl" else found)
            last = found
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        return OK
