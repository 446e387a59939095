"""`tocsin action …`: what our own levers do, and a person's decision about them."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from cyclopts import App

from governance.durations import parse_duration
from node.commands.common import (
    NODE_TOML,
    OK,
    ConfigFile,
    Output,
    Person,
    a_person,
    a_sentence,
    an_id,
    asked_lines,
    connect,
    exercise_lines,
    say,
    say_json,
    say_table,
    until,
    usage,
)
from node.commands.listing import Again, ListOutput, say_list

action_app = App(name="action", help="Own levers: list, approve, refuse, extend, lift.")


@action_app.command(name="list")
def list_(*, watch: Again = False, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """Every action of our own levers, planned, waiting, standing or over.

    Example: `tocsin action list`
    """
    columns = ("key", "lever", "rung", "phase", "stands", "subject", "why")
    with connect(config) as control:
        ahead = partial(exercise_lines, control)
        return say_list(control.actions, columns, _row, "No action.", output, watch, ahead)


def _row(action: dict[str, Any]) -> tuple[object, ...]:
    human = " (by a person)" if action.get("by_human") else ""
    return (
        str(action.get("key", ""))[:12],
        action.get("lever"),
        action.get("rung"),
        f"{action.get('phase')}{human}",
        until(action.get("until_ms")),
        action.get("subject"),
        action.get("why"),
    )


@action_app.command
def show(key: str, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """One action with every step it took.

    Example: `tocsin action show 77ab01`

    Parameters
    ----------
    key
        A key of `tocsin action list`, or at least 6 digits of it.
    """
    with connect(config) as control:
        action = control.action(an_id(key))
    if output == "json":
        say_json(action)
        return OK
    say(
        *exercise_lines(control),
        f"{action.get('lever')} at {action.get('rung')} on {action.get('subject')} ({action.get('threat')}): "
        f"{action.get('phase')}",
        f"  key {action.get('key')}",
        f"  stands {until(action.get('until_ms'))}{', set by a person' if action.get('by_human') else ''}",
        f"  rule {action.get('rule')}: {action.get('why')}",
        *asked_lines(action.get("asked")),
    )
    steps = [_step(step) for step in action.get("steps") or ()]
    if steps:
        say_table(("at (UTC)", "phase", "says", "reference"), steps)
    return OK


def _step(step: dict[str, Any]) -> tuple[object, ...]:
    at_s = (step.get("at_ms") or 0) / 1000
    clock = time.strftime("%d %b %H:%M:%S", time.gmtime(at_s))
    return clock, step.get("phase"), step.get("says"), step.get("reference") or "-"


def _decide(
    key: str, verb: str, person: str, config: ConfigFile, output: str, told: str, take_back: bool = False
) -> int:
    with connect(config) as control:
        said = control.decide(an_id(key), verb, a_person(person), take_back)
    if output == "json":
        say_json(said)
    else:
        say(told if said.get("done", True) and not take_back else a_sentence(said.get("says")))
    return OK


@action_app.command
def approve(key: str, /, *, person: Person = "", config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Let a waiting action go: what a policy in mode `ask` waits for.

    Example: `tocsin action approve 77ab01 --person anna`

    Parameters
    ----------
    key
        A key of `tocsin action list`, or at least 6 digits of it.
    """
    return _decide(key, "approve", person, config, output, "Approved; `tocsin action show` says when it stands.")


@action_app.command
def refuse(key: str, /, *, person: Person = "", config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Say no to a waiting action.

    Example: `tocsin action refuse 77ab01`

    Parameters
    ----------
    key
        A key of `tocsin action list`, or at least 6 digits of it.
    """
    return _decide(key, "refuse", person, config, output, "Refused; nothing was sent.")


@action_app.command
def extend(
    key: str, by: str, /, *, person: Person = "", config: ConfigFile = NODE_TOML, output: Output = "human"
) -> int:
    """Have a restriction that stands last longer, before it ends: never past what lever, policy and charter bound,
    counted from when it was sent. The target is asked, and its answer read back, as for a renewal.

    Example: `tocsin action extend 77ab01 1h --person anna`

    Parameters
    ----------
    key
        A key of `tocsin action list`, or at least 6 digits of it.
    by
        How much longer: 30m, 2h.
    """
    try:
        by_s = parse_duration(by) // 1000
    except ValueError as error:
        raise usage(str(error), "write it like 30m or 2h") from None
    if not 60 <= by_s <= 86_400:
        raise usage(f"{by} is no length for it", "from 1m to 24h")
    with connect(config) as control:
        said = control.extend(an_id(key), by_s, a_person(person))
    if output == "json":
        say_json(said)
    else:
        say(a_sentence(said.get("says")))
    return OK


@action_app.command
def lift(
    key: str,
    /,
    *,
    take_back: bool = False,
    person: Person = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Lift a restriction of your own lever now: the owner's local act, which asks nobody else's node. Where the policy
    wants two people (`release = { need = 2 }`) the first asks and another carries it out.

    Example: `tocsin action lift 77ab01`

    Parameters
    ----------
    key
        A key of `tocsin action list`, or at least 6 digits of it.
    take_back
        Take back what one person asked and no second one has said: the restriction goes on standing.
    """
    told = "Lifting; `tocsin action show` says when it was read back."
    return _decide(key, "lift", person, config, output, told, take_back)
