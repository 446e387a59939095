"""A survey in sentences. Pure. Names come from strangers' contracts: they are printable and short by now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    yield from _section("Ways out", (line for one in place.assets for line in _asset(one, place)))
    controls = _once(place)
    yield from _section("What can be shut, and by whom", (line for one in controls for line in _control(one, place)))
    yield from _section("How it ends", dict.fromkeys(f"{one.ends}." for one in controls))
    yield from _section("Who has these rights, and what else", (line for one in place.rights for line in _right(one)))
    yield from _section("Look at this", place.warnings)
    yield from _section("Not to be told from outside", place.unknown)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
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


def _control(one: Control, place: Place) -> Iterator[str]:
    stands = " (stands now)" if one.stands else ""
    yield f"{one.name}{stands}: {one.call} · {', '.join(one.by) or 'nobody that was tried'} · {_awake(one, place)}"
    yield f"  closes {', '.join(one.closes)}" if one.closes else "  closes what its source says"
    if one.leaves:
        yield f"  leaves {', '.join(one.leaves)} open"
    if one.blocks_exit:
        yield "  honest users cannot get out meanwhile"
    if one.note:
        yield f"  {one.note}"


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


def _right(right: Right) -> Iterator[str]:
    yield f"{right.name}: {'; '.join(map(_holder, right.holders)) or 'nobody'}"
    yield from (f"  can also {one}" for one in right.also)


def _holder(one: Holder) -> str:
    return f"0x{one.address.hex()}, {one.says}"
