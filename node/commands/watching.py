"""`tocsin watch`: what a running node sees and does, live. A process of its own: the node does not notice it."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from node.commands.common import EXERCISE, NODE_TOML, OK, ConfigFile, load_config, tell_error, usage

if TYPE_CHECKING:
    from node.control_stream import Link, Told

Form = Annotated[
    Literal["human", "jsonl"], Parameter(name=["--output", "-o"], help="`jsonl`: one happening a line, for programs.")
]


def watch(*, after: int | None = None, config: ConfigFile = NODE_TOML, output: Form = "human") -> int:
    """Alarms, own levers with their leases, who is silent, what happens: live, until q or Ctrl-C.

    On a terminal it fills the screen; anywhere else it prints one line a happening. It outlives restarts of the node,
    says so, and tells what it missed.

    Example: `tocsin watch --config lender-a/node.toml`

    Example: `tocsin watch -o jsonl --after 1200 | jq -r .kind`

    Parameters
    ----------
    after
        First tell what was recorded after this position (each happening bears its own).
    """
    if after is not None and not 0 <= after < 1 << 53:
        raise usage(f"--after {after} is no position", "give `position` of a happening, or leave it out")
    import trio

    from node.control_stream import Link

    link = Link(load_config(config).control)
    screen = output == "human" and sys.stdout.isatty() and sys.stdin.isatty()
    try:
        if screen:
            from node.commands.watching_live import live

            trio.run(live, link, after)
        else:
            trio.run(_lines, link, after, output == "jsonl")
    except* BrokenPipeError:
        # whoever read us has gone
        raise BrokenPipeError from None
    return OK


async def _lines(link: Link, after: int | None, machine: bool) -> None:
    import signal

    import trio

    from node.control_stream import follow

    lost = False

    async def fares(why: str) -> None:
        nonlocal lost
        if not why and link.exercise and not machine:
            _write(EXERCISE)
        if why and not lost:
            tell_error(f"the node does not answer ({why}); trying again until it does")
        elif lost and not why:
            tell_error("the node answers again; what was missed follows")
        lost = bool(why)

    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:

            async def ended() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(ended)
            await follow(link, after, partial(_print_json if machine else _print_line, link), fares)
    await link.aclose()


async def _print_json(link: Link, one: Told) -> None:
    from node.control_stream import PLUMBING

    if one.kind not in PLUMBING:
        marked = {**one.data, "exercise": True} if link.exercise else one.data
        _write(json.dumps(marked, separators=(",", ":")))


async def _print_line(link: Link, one: Told) -> None:
    """In a drill each line says so: it may be all that somebody sees of it."""
    from node.commands.watching_words import clock, line_of

    line = line_of(one.data)
    if line is not None:
        mark = "EXERCISE  " if link.exercise else ""
        _write(f"{mark}{clock(one.data.get('at_ms', time.time() * 1000))}Z  {line}")


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
