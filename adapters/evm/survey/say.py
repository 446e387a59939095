"""A survey in sentences. Pure. Names come from strangers' contracts: they are printable and short by now."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.evm.survey.aave import ANYBODY, WAYS
from adapters.evm.survey.facts import Asset, Control, Holder, Place, Right, Survey
from adapters.evm.survey.holders import delay_words

NO_LEVER = "NO LEVER"


def lines_of(survey: Survey) -> Iterator[str]:
    by = " and ".join(survey.sources)
    yield f"{survey.chain} at block {survey.block}, as told by {by}. Nothing was sent."
    for place in survey.places:
        yield ""
        yield f"0x{place.address.hex()}: {place.what}"
        yield from _place(place)


def _place(place: Place) -> Iterator[str]:
    if place.assets:
        yield from _section("Ways out", [line for one in place.assets for line in _asset(one, place)])
    yield from _section("What can be shut, by whom, and how it ends", [_control(one, place) for one in _once(place)])
    yield from _section("Who has these rights, and what else they can do", map(_right, place.rights))
    yield from _section("Look at this", place.warnings)
    yield from _section("Not to be told from outside", place.unknown)


def _section(title: str, lines: Iterator[str] | map[str] | list[str] | tuple[str, ...]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"  {title}"
        yield from (f"    {line}" for line in found)


def _asset(asset: Asset, place: Place) -> Iterator[str]:
    yield f"{asset.symbol} (0x{asset.address.hex()}): {', '.join(asset.facts)}"
    for way, names in asset.ways.items():
        said = ", or ".join(f"{name} ({_awake(_named(place, name, asset.symbol), place)})" for name in names)
        yield f"  {way:9} {WAYS[way]}: {said or NO_LEVER}"


def _named(place: Place, name: str, symbol: str) -> Control:
    return next(one for one in place.controls if one.name == name and one.asset in (symbol, ""))


def _once(place: Place) -> list[Control]:
    """What differs between assets by its numbers only is said once."""
    found: dict[str, Control] = {}
    for one in place.controls:
        found.setdefault(one.name, one)
    return list(found.values())


def _control(one: Control, place: Place) -> str:
    by = ", ".join(one.by) or "nobody that was tried"
    closes = f"closes {', '.join(one.closes)}" if one.closes else "closes what its source says"
    leaves = f", leaves {', '.join(one.leaves)} open" if one.leaves else ""
    exits = "; honest users cannot get out meanwhile" if one.blocks_exit else ""
    note = f"; {one.note}" if one.note else ""
    return f"{one.name}: {one.call} by {by} {closes}{leaves}{exits}{note}. Ends {one.ends}. {_awake(one, place)}."


def _awake(one: Control, place: Place) -> str:
    """Who must be awake at least: the fewest people of any right that may."""
    if ANYBODY in one.by:
        return "anybody"
    mine = [right for right in place.rights if right.name in one.by]
    held = [who for right in mine for who in right.holders]
    people = [who.awake for who in held if who.awake is not None and not who.delay_s]
    if people:
        return "one key" if min(people) == 1 else f"{min(people)} people awake"
    delays = [who.delay_s for who in held if who.delay_s]
    if delays:
        return f"only after {delay_words(min(delays))}"
    return "who must be awake is not told" if held or one.by else "nobody"


def _right(right: Right) -> str:
    held = "; ".join(_holder(one) for one in right.holders) or "nobody"
    also = f". Can also {', '.join(right.also)}" if right.also else ""
    return f"{right.name}: {held}{also}"


def _holder(one: Holder) -> str:
    return f"0x{one.address.hex()}, {one.says}"
