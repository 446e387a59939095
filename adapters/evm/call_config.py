"""What `[target.NAME] kind = "evm.call"` may say: calls by their fragments, with fixed arguments, told all at once.

Only two words stand for what is not known yet: `{until_s}`, the end of the restriction, and, in a lift, `{before}`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.api import ExpiresBy, LeverDeclaration
from adapters.declared import ends_by, may_be_lifted, owned
from adapters.evm.call_abi import Fragment, Parameter, fragment_of, why_refused
from adapters.section import Section

CALL = "evm.call"
EVENTS_MAX = 4
CONDITIONS_MAX = 4
LIST_MAX = 32
UNTIL, BEFORE = "{until_s}", "{before}"
UNTIL_BITS_MIN = 40
"""32 bits of seconds end in 2106, and a contract that counts in them may mean something else."""
NUMBER_MAX = (1 << 256) - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,77}\Z")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2}){1,32}\Z")
_CONDITION = re.compile(r"(==|!=|<=|>=|<|>)\s*(\S{1,80})\Z")
COMPARE = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


@dataclass(frozen=True)
class Action:
    """A function and its arguments, in which UNTIL and BEFORE may stand."""

    fn: Fragment
    args: tuple[Any, ...]

    def filled(self, until_s: int, before: int) -> tuple[Any, ...]:
        said = {UNTIL: until_s, BEFORE: before}
        return tuple(
            _fitted(one.kind, said[arg]) if _is_word(arg) else arg for one, arg in zip(self.fn.inputs, self.args)
        )

    def uses(self, word: str) -> bool:
        return any(_is_word(one) and one == word for one in self.args)

    def room(self, word: str) -> int:
        """The highest number that fits where the word stands."""
        kinds = [one.kind for one, arg in zip(self.fn.inputs, self.args) if _is_word(arg) and arg == word]
        return min((_highest(kind) for kind in kinds), default=NUMBER_MAX)


@dataclass(frozen=True)
class ReadBack:
    """A view, and when what it says is the restriction: all `stands` hold. (operator, number or UNTIL)."""

    at: bytes
    fn: Fragment
    args: tuple[Any, ...]
    field: int
    stands: tuple[tuple[str, int | str], ...]

    def holds(self, number: int, until_s: int) -> bool:
        return all(COMPARE[op](number, until_s if value == UNTIL else value) for op, value in self.stands)


@dataclass(frozen=True)
class Tells:
    """An event that says the number anew: in a field, or by having come at all."""

    event: Fragment
    field: str
    number: int
    where: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class CallTarget:
    name: str
    chain: str
    contract: bytes
    asset: bytes
    restrict: Action
    lift: Action | None
    read: ReadBack
    becomes: int | str
    """What the view says once it stands; UNTIL for a target that keeps ends itself."""
    lifted: int
    """What it says after a lift that puts no number back."""
    events: tuple[Tells, ...]
    """Of `contract`; none where nothing tells who moved the number."""
    declared: LeverDeclaration

    @property
    def keeps_ends(self) -> bool:
        return self.becomes == UNTIL


def _is_word(arg: Any) -> bool:
    return type(arg) is str and arg in (UNTIL, BEFORE)


def _fitted(kind: str, number: int) -> int | bool:
    return bool(number) if kind == "bool" else number


def _highest(kind: str) -> int:
    if kind == "bool":
        return 1
    bits = int(kind.lstrip("uint"))
    return (1 << (bits if kind.startswith("u") else bits - 1)) - 1


def _is_number(kind: str) -> bool:
    return kind == "bool" or ("int" in kind and not kind.endswith("]"))


def read_target(name: str, keys: Section, chain: str, contract: bytes, asset: bytes) -> CallTarget | None:
    """None where a fault stands in the section."""
    known = len(keys.faults)
    restrict, lift = _action(keys, "restrict", (UNTIL,)), _action(keys, "lift", (UNTIL, BEFORE), needed=False)
    becomes, lifted = keys.raw("becomes"), keys.raw("lifted")
    read = _read(keys, contract)
    events = tuple(one for table in keys.inners("events", EVENTS_MAX) if (one := _tells(table)) is not None)
    said = _declared(keys, restrict, lift)
    if restrict is None or read is None or said is None or len(keys.faults) > known:
        return None
    numbers = _numbers(keys, restrict, lift, read, becomes, lifted)
    if numbers is None:
        return None
    return CallTarget(name, chain, contract, asset, restrict, lift, read, *numbers, events, said)


def _fragment(keys: Section, *, event: bool) -> Fragment | None:
    text = keys.text("fn")
    if text is None:
        return None
    try:
        found = fragment_of(text)
    except ValueError as wrong:
        keys.fault("fn", str(wrong))
        return None
    if found.is_event != event:
        keys.fault("fn", f"must be {'an event' if event else 'a function'}")
        return None
    return found


def _action(keys: Section, key: str, words: Sequence[str], needed: bool = True) -> Action | None:
    table = keys.inner(key, needed)
    if table is None:
        return None
    fn, args = _fragment(table, event=False), table.raw("args")
    table.done()
    if fn is None:
        return None
    why = "changes nothing: it says view or pure of itself" if fn.reads else why_refused(fn)
    if why:
        table.fault("fn", why)
        return None
    given = _arguments(table, fn, args, words)
    return None if given is None else Action(fn, given)


def _arguments(table: Section, fn: Fragment, args: Any, words: Sequence[str] = ()) -> tuple[Any, ...] | None:
    given = [] if args is None else args
    if type(given) is not list or len(given) != len(fn.inputs):
        table.fault("args", f"{fn.signature} takes {len(fn.inputs)} arguments, as a list")
        return None
    found, faults = [], len(table.faults)
    for at, (parameter, arg) in enumerate(zip(fn.inputs, given)):
        try:
            found.append(_argument(parameter, arg, words))
        except ValueError as wrong:
            table.fault(f"args[{at}]", str(wrong))
    return None if len(table.faults) > faults else tuple(found)


def _argument(parameter: Parameter, arg: Any, words: Sequence[str]) -> Any:
    if type(arg) is str and arg.startswith("{"):
        if arg not in words:
            raise ValueError(f"{arg[:40]!r} stands for nothing here; allowed: {', '.join(words) or 'literals'}")
        kind = parameter.kind
        if not _is_number(kind) or (arg == UNTIL and (kind == "bool" or _highest(kind) < (1 << UNTIL_BITS_MIN - 1))):
            raise ValueError(f"{arg} is a number, and {kind} has no room for it")
        return arg
    return literal(parameter.kind, arg)


def literal(kind: str, arg: Any) -> Any:
    """A value of an ABI type as TOML has it; whole numbers also as text, since they may be large. ValueError."""
    if kind.endswith("]"):
        return _many(kind, arg)
    text = arg if type(arg) is str else ""
    if kind == "bool" and type(arg) is bool:
        return arg
    if "int" in kind and (type(arg) is int or _NUMBER.match(text)) and 0 <= int(arg) <= _highest(kind):
        return int(arg)
    if kind == "string" and len(text) <= 256 and type(arg) is str:
        return arg
    if (kind == "address" or kind.startswith("bytes")) and _HEX.match(text):
        raw = bytes.fromhex(text[2:])
        if len(raw) == (20 if kind == "address" else int(kind[5:])):
            return raw
    raise ValueError(f"{str(arg)[:70]!r} is no {kind} (numbers from 0, addresses and bytes as 0x…)")


def _many(kind: str, arg: Any) -> list[Any]:
    base, _, size = kind[:-1].partition("[")
    if type(arg) is not list or len(arg) > LIST_MAX or (size and len(arg) != int(size)):
        raise ValueError(f"must be a list of {size or f'at most {LIST_MAX}'} {base}")
    return [literal(base, one) for one in arg]


def _read(keys: Section, contract: bytes) -> ReadBack | None:
    table = keys.inner("read")
    if table is None:
        return None
    fn, args, at = _fragment(table, event=False), table.raw("args"), table.address("at", needed=False)
    field, stands = table.raw("field"), table.raw("stands")
    table.done()
    if fn is None:
        return None
    if not fn.reads:
        table.fault("fn", "must say view or pure of itself: what is read changes nothing")
    place = _field(table, fn, field)
    given, conditions = _arguments(table, fn, args), _conditions(table, stands)
    if place is None or given is None or not conditions or not fn.reads:
        return None
    return ReadBack(at or contract, fn, given, place, conditions)


def _field(table: Section, fn: Fragment, field: Any) -> int | None:
    names = [one.name for one in fn.outputs]
    if field is None and len(names) == 1:
        field = names[0]
    if type(field) is not str or field not in names:
        table.fault("field", f"must name what is read of {fn.signature}: {', '.join(names) or 'it returns nothing'}")
        return None
    if not _is_number(fn.outputs[names.index(field)].kind):
        table.fault("field", f"{field} is no number and no flag")
        return None
    return names.index(field)


def _conditions(table: Section, stands: Any) -> tuple[tuple[str, int | str], ...]:
    texts = [stands] if type(stands) is str else stands
    if type(texts) is not list or not 0 < len(texts) <= CONDITIONS_MAX or not all(type(one) is str for one in texts):
        table.fault("stands", f'must be like "== 1" or ["> 0", "<= 1000"], at most {CONDITIONS_MAX}')
        return ()
    found = [_CONDITION.match(one.strip()) for one in texts]
    read = [(one[1], _number(one[2], UNTIL)) for one in found if one]
    if len(read) < len(texts) or any(value is None for _, value in read):
        table.fault("stands", 'each is a comparison, ==, !=, <, <=, > or >=, with a number, true, false or "{until_s}"')
        return ()
    return tuple((op, value) for op, value in read if value is not None)


def _number(raw: Any, word: str = "") -> int | str | None:
    if type(raw) is bool or (type(raw) is str and raw in ("true", "false")):
        return int(raw in (True, "true"))
    if type(raw) is str and word and raw == word:
        return raw
    if (type(raw) is int and raw >= 0) or (type(raw) is str and _NUMBER.match(raw)):
        return int(raw) if int(raw) <= NUMBER_MAX else None
    return None


def _tells(table: Section) -> Tells | None:
    event, field, number, where = _fragment(table, event=True), table.raw("field"), table.raw("is"), table.raw("where")
    table.done()
    if event is None:
        return None
    kinds = {one.name: one.kind for one in event.inputs}
    said = None if number is None else _number(number)
    if (field is None) == (number is None) or (number is not None and type(said) is not int):
        table.fault("field", "give field, where the new number stands, or is, the number that this event means")
        return None
    if field is not None and not _is_number(kinds.get(field, "") if type(field) is str else ""):
        table.fault("field", f"must be a number or flag of the event: {', '.join(kinds) or 'it has no fields'}")
        return None
    if where is not None and (type(where) is not dict or not set(where) <= set(kinds)):
        table.fault("where", f"must be a table of the event's own fields: {', '.join(kinds)}")
        return None
    try:
        only = tuple((key, literal(kinds[key], value)) for key, value in (where or {}).items())
    except ValueError as wrong:
        table.fault("where", str(wrong))
        return None
    return Tells(event, field or "", said if type(said) is int else 0, only)


def _numbers(
    keys: Section, restrict: Action, lift: Action | None, read: ReadBack, becomes: Any, lifted: Any
) -> tuple[int | str, int] | None:
    """(becomes, lifted), or None where a fault stands."""
    if restrict.uses(UNTIL):
        if read.stands != ((">=", UNTIL),) or becomes not in (None, UNTIL):
            keys.fault("read.stands", f'must be ">= {UNTIL}" where the contract takes an end, and becomes left out')
            return None
        return UNTIL, 0
    equal = next((value for op, value in read.stands if op == "=="), None)
    number = equal if becomes is None else _number(becomes)
    if type(number) is not int or any(value == UNTIL for _, value in read.stands) or not read.holds(number, 0):
        keys.fault(
            "becomes", "must be what the view says once it stands, a number that fits every comparison of stands"
        )
        return None
    if lift is None or lift.uses(BEFORE):
        return number, 0
    is_flag = read.fn.outputs[read.field].kind == "bool"
    after = 1 - number if lifted is None and is_flag else _number(lifted)
    if type(after) is not int or read.holds(after, 0):
        keys.fault("lifted", f"must be what the view says after the lift, or let the lift put back {BEFORE}")
        return None
    return number, after


def _declared(keys: Section, restrict: Action | None, lift: Action | None) -> LeverDeclaration | None:
    said, reversible = owned(keys), may_be_lifted(keys)
    if said is None or restrict is None:
        return None
    ends = ends_by(reversible, restrict.uses(UNTIL))
    what = f"{restrict.fn.signature} (0x{restrict.fn.selector.hex()}) closes"
    how = {ExpiresBy.TARGET: "the contract itself ends it", ExpiresBy.HUMAN: "nothing ends it"}.get(ends, "")
    read = "as its owner read its source"
    return said.declare(CALL, what, read=read, expires_by=ends, ends=how, reversible=reversible)
