"""`tocsin lever list | show | plan | test`: levers before they are needed, at their real targets; nothing is sent."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cyclopts import App

from node.commands.common import (
    FAILED,
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    all_faults,
    load_config,
    say,
    say_json,
)
from node.commands.listing import ListOutput, say_list, say_rows

if TYPE_CHECKING:
    from node.check_policy import PolicyReport
    from node.preflight import Seat, Tested

T = TypeVar("T")
lever_app = App(name="lever", help="Own levers before they are needed: what each closes, whether it would move.")


@lever_app.command(name="list")
def list_(*, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """Every lever that the targets of node.toml offer, and which rules pull it.

    Example: `tocsin lever list`
    """
    columns = ("lever", "at", "rung", "closes", "exits", "ends by", "longest", "rules")
    none = "No lever: no [target.NAME] in node.toml with a key_file."
    return say_list(lambda: _with(config, _facts_of_all), columns, _row, none, output)


async def _facts_of_all(seats: list[Seat]) -> list[dict[str, Any]]:
    return [_facts(one) for one in seats]


def _facts(seat: Seat) -> dict[str, Any]:
    declared = seat.lever.declared
    return {
        "name": seat.name,
        "at": seat.instance,
        "rung": declared.rung.name,
        "closes": sorted(declared.closes),
        "blocks_exit": declared.blocks_exit,
        "reversible": declared.reversible,
        "expires_by": declared.expires_by.value,
        "max_ms": declared.max_ms,
        "cooldown_ms": declared.cooldown_ms,
        "says": declared.says,
        "rules": list(seat.rules),
    }


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    from adapters.policy import spell_ms

    exits = "blocked" if one["blocks_exit"] else "open"
    rules = ", ".join(one["rules"]) or "none"
    closes = ", ".join(one["closes"]) or "nothing"
    return one["name"], one["at"], one["rung"], closes, exits, one["expires_by"], spell_ms(one["max_ms"]), rules


@lever_app.command
def show(name: str, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """What one lever declares: what it closes and leaves, how it ends, how long, how often.

    Example: `tocsin lever show pool_freeze`
    """
    (one,) = _with(config, _facts_of_all, (name,))
    if output == "json":
        say_json(one)
        return OK
    from adapters.policy import spell_ms

    exits = "blocks exits: honest users cannot get out meanwhile" if one["blocks_exit"] else "exits stay open"
    say(
        f"{one['name']} is {one['at']}, {one['rung']}: {one['says']}",
        f"  closes    {', '.join(one['closes']) or 'nothing'}; {exits}",
        f"  ends      by {one['expires_by']}, after {spell_ms(one['max_ms'])} at most; "
        f"again {spell_ms(one['cooldown_ms'])} later",
        f"  undone    {'yes' if one['reversible'] else 'never: no rule may pull it by itself'}",
        f"  pulled by {', '.join(one['rules']) or 'no rule'}",
    )
    return OK


@lever_app.command
def plan(name: str, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """What would be done at the target now, in words; nothing is sent.

    Example: `tocsin lever plan pool_freeze`
    """
    (one,) = _with(config, _tests, (name,))
    if output == "json":
        say_json({"name": one.name, "plan": one.plan, "stands": one.stands})
        return OK if one.plan else FAILED
    if not one.plan:
        raise CommandError(one.says, where=name, do=f"`tocsin lever test {name}` says what it lacks")
    say(f"{one.plan}{' (stands so already: nothing would be sent)' if one.stands else ''}")
    return OK


@lever_app.command
def test(*names: str, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """Try levers at their real targets without sending anything: the right, the call, and what else its key could do.

    Example: `tocsin lever test`; exit 1 where one would not move

    Parameters
    ----------
    names
        Of `tocsin lever list`; those that a rule pulls where none is named, or all where no rule pulls any.
    """
    found = _with(config, _tests_of_rules if not names else _tests, names)
    _remember(config, found)
    if output == "json":
        say_json([_plain(one) for one in found])
    elif output == "jsonl":
        say_rows([_plain(one) for one in found])
    else:
        for one in found:
            say(f"{one.name}: {'would move' if one.ok else 'WOULD NOT MOVE'}: {one.says}", f"  {_beyond(one)}")
            say(*(f"  outstanding: {line}" for line in one.outstanding))
        if not found:
            say("No lever to try.")
    return OK if all(one.ok for one in found) else FAILED


def _remember(config: ConfigFile, found: list[Tested]) -> None:
    """For /v1/ready and the metrics of the node; who may not write there has tested all the same."""
    from node.metrics import tested

    tested.note(load_config(config).data_dir, [(one.name, one.ok) for one in found], time.time_ns() // 1_000_000)


async def _tests(seats: list[Seat]) -> list[Tested]:
    from node.preflight import tested

    return [await tested(one, time.time_ns() // 1_000_000) for one in seats]


async def _tests_of_rules(seats: list[Seat]) -> list[Tested]:
    return await _tests([one for one in seats if one.rules] or seats)


def _plain(one: Tested) -> dict[str, Any]:
    beyond = None if one.beyond is None else {"tried": one.beyond.tried, "may": list(one.beyond.may)}
    return {
        "name": one.name,
        "ok": one.ok,
        "says": one.says,
        "stands": one.stands,
        "beyond": beyond,
        "outstanding": list(one.outstanding),
    }


def _beyond(one: Tested) -> str:
    if one.beyond is None or not one.beyond.tried:
        return "what else its key could do is not told by this lever"
    if not one.beyond.may:
        return f"its key could do none of {one.beyond.tried} things beyond it that were tried"
    return "its key could also " + ", ".join(one.beyond.may)


def _with(config: ConfigFile, deed: Callable[[list[Seat]], Awaitable[T]], names: tuple[str, ...] = ()) -> T:
    """The levers of this configuration, those named or all, built for one deed and closed after it."""
    import trio

    from node.check_policy import instances_for, read_policy
    from node.commands.founding import read_charter
    from node.plugins import CLOSE_S_MAX, close_all
    from node.preflight import seats

    loaded = load_config(config)
    built = _sound(instances_for(loaded, read_charter(loaded.charter)), config)
    policy = _sound(read_policy(loaded.policy), loaded.policy) if loaded.policy is not None else None
    every = seats(built, loaded.targets, policy)
    unknown = sorted(set(names) - {one.name for one in every})
    if unknown:
        known = ", ".join(one.name for one in every) or "there is none"
        raise CommandError(f"no lever {', '.join(unknown)} here", do=f"known: {known}")
    wanted = [one for one in every if not names or one.name in names]

    async def run() -> T:
        try:
            return await deed(wanted)
        finally:
            await close_all(built.closers, CLOSE_S_MAX)

    return trio.run(run)


def _sound(read: T | PolicyReport, path: Path) -> T:
    from node.check_policy import PolicyReport

    if isinstance(read, PolicyReport):
        raise CommandError(all_faults(read.faults), str(path))
    return read
