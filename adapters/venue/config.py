"""What `[target.NAME] kind = "venue.http"` may say of its actions, held against the venue's own OpenAPI document."""

from __future__ import annotations

from adapters.api import ExpiresBy, LeverDeclaration
from adapters.declared import ends_by, may_be_lifted, owned
from adapters.section import Section
from adapters.venue.calls import BEFORE, KEY, NOTE, UNTIL, Call, Words, strange
from adapters.venue.lever import Action, Reading, Scopes, Stands
from adapters.venue.note import Note
from adapters.venue.openapi import Document
from adapters.venue.text import MISSING, tokens_of
from protocol.ids import ActionKey
from protocol.messages import Level

ACTIONS = {
    "halt": (Level.HALT, True),
    "reduce_only": (Level.GUARD, False),
    "margin": (Level.GUARD, False),
    "lock_withdrawals": (Level.HALT, True),
    "suspend_keys": (Level.ISOLATE, True),
}
"""Name → the least rung it may have, and whether it blocks exits unless its owner says otherwise."""
NO_EXIT = ("lock_withdrawals",)
"""These block exits whatever anybody says."""
RIGHTS_MAX = 32
SAMPLE_MS = 1_900_000_000_000
FLAG_WORDS = (UNTIL, KEY, NOTE)


def read_actions(keys: Section, document: Document) -> tuple[Action, ...]:
    """Those that are without a fault."""
    table = keys.inner("action")
    if table is None:
        return ()
    found = []
    for name in table.names_of_keys():
        one = table.inner(name) if name in ACTIONS else None
        if one is not None and (action := _action(name, one, document)) is not None:
            found.append(action)
    if not table.names_of_keys():
        keys.fault("action", f"is empty; tables like [target.x.action.halt] are expected, of {', '.join(ACTIONS)}")
    for name in set(table.names_of_keys()) - set(ACTIONS):
        table.fault(name[:60], f"is no action; allowed: {', '.join(ACTIONS)}")
        table.raw(name)
    table.done()
    return tuple(found)


def _action(name: str, keys: Section, document: Document) -> Action | None:
    known = len(keys.faults)
    apply = _call(keys, "apply", document, FLAG_WORDS, changes=True)
    lift = _call(keys, "lift", document, (KEY, NOTE, BEFORE), changes=True, needed=False)
    seen = _call(keys, "seen", document, (KEY,), changes=False, needed=False)
    read = _read(keys, document)
    said = _declared(name, keys, apply, lift)
    keys.done()
    if apply is None or read is None or said is None or len(keys.faults) > known:
        return None
    action = Action(said, apply, lift, read, seen)
    for where, what in _sense(action, keys):
        keys.fault(where, what)
    for key, call in (("apply", apply), ("lift", lift)):
        for fault in _sampled(call, document, read) if call is not None else ():
            keys.fault(key, fault)
    return None if len(keys.faults) > known else action


def _call(
    keys: Section, key: str, document: Document, words: tuple[str, ...], *, changes: bool, needed: bool = True
) -> Call | None:
    table = keys.inner(key, needed)
    return None if table is None else _called(table, document, words, changes=changes)


def _called(
    table: Section, document: Document, words: tuple[str, ...], *, changes: bool, more: bool = False
) -> Call | None:
    name = table.text("op")
    given = {place: table.raw(place) for place in ("path", "query", "headers")}
    body = table.raw("body")
    if not more:
        table.done()
    operation = document.operations.get(name or "")
    if name is None or operation is None:
        if name is not None:
            listed = ", ".join(sorted(document.operations)[:12])
            table.fault("op", f"{name[:60]!r} is no operationId of the document; it has {listed}")
        return None
    if (operation.method != "GET") != changes:
        table.fault(
            "op", f"{name} is a {operation.method}; {'one that changes something' if changes else 'a GET'} is expected"
        )
        return None
    known = len(table.faults)
    for place, value in [*given.items(), ("body", body)]:
        flat = (
            place != "body" and isinstance(value, dict) and any(isinstance(one, dict | list) for one in value.values())
        )
        if place != "body" and value is not None and (type(value) is not dict or flat):
            table.fault(place, "must be a table of plain values")
        elif value is not None and (wrong := strange(value, words)):
            table.fault(place, wrong)
    if len(table.faults) > known:
        return None
    parts = {place: value or {} for place, value in given.items()}
    call = Call(operation, parts["path"], parts["query"], parts["headers"], MISSING if body is None else body)
    for one in call.unfilled():
        table.fault("op", f"{name} needs {one[:60]!r}; give it in path, query or headers")
    return call if len(table.faults) == known else None


def _read(keys: Section, document: Document) -> Reading | None:
    table = keys.inner("read")
    if table is None:
        return None
    call = _called(table, document, (), changes=False, more=True)
    state, note, until = _pointer(table, "state", call, document), _pointer(table, "note", call, document), None
    if table.raw("until") is not None:
        until = _pointer(table, "until", call, document)
    bounds = {how: value for how in ("is", "at_least", "at_most") if (value := table.raw(how)) is not None}
    lifted = table.raw("lifted")
    table.done()
    if len(bounds) != 1:
        table.fault("is", "give one of is, at_least and at_most: when what stands there is the restriction")
        return None
    ((how, value),) = bounds.items()
    if type(value) not in ((str, int, bool) if how == "is" else (int, float)):
        table.fault(how, "must be a text, a whole number or a flag" if how == "is" else "must be a number")
        return None
    stands = Stands(how, value)
    if lifted is not None and (type(lifted) not in (str, int, bool) or stands.holds(lifted)):
        table.fault("lifted", "must be what stands there once it is lifted, and not the restriction itself")
        return None
    if call is None or state is None or note is None:
        return None
    return Reading(call, state, note, until, stands, MISSING if lifted is None else lifted)


def _pointer(table: Section, key: str, call: Call | None, document: Document) -> tuple[str, ...] | None:
    text = table.text(key, allowed="a JSON pointer into the answer, like /pair/status")
    if text is None:
        return None
    try:
        tokens = tokens_of(text)
    except ValueError as wrong:
        table.fault(key, str(wrong))
        return None
    if call is not None and not document.may_have(call.operation.answer, tokens):
        table.fault(key, f"{text!r} stands nowhere in what the document says of {call.operation.name}'s answer")
        return None
    return tokens


def _declared(name: str, keys: Section, apply: Call | None, lift: Call | None) -> LeverDeclaration | None:
    said, reversible = owned(keys, *ACTIONS[name]), may_be_lifted(keys)
    if said is not None and name in NO_EXIT and not said.blocks_exit:
        keys.fault("blocks_exit", f"{name} locks people in, whatever is said; leave it out")
    if said is None or apply is None:
        return None
    ends = ends_by(reversible, apply.uses(UNTIL))
    how = {ExpiresBy.TARGET: "the venue itself ends it", ExpiresBy.HUMAN: "nothing ends it"}.get(ends, "")
    what = f"{apply.operation.name} ({apply.operation.method} {apply.operation.path}) closes"
    read = "as its owner read the venue's rules"
    return said.declare(f"venue.{name}", what, read=read, expires_by=ends, ends=how, reversible=reversible)


def _sense(action: Action, keys: Section) -> list[tuple[str, str]]:
    """What no key shows alone."""
    found = []
    apply, lift, read = action.apply, action.lift, action.read
    if not apply.uses(NOTE):
        found.append(
            ("apply", f"sends no {NOTE}: put it where the venue keeps a reason, else nobody knows whose it is")
        )
    if not apply.repeats and action.seen is None:
        what = "the document names no Idempotency-Key for it and it is no PUT or DELETE"
        found.append(("apply", f"{what}: name in seen a GET by {KEY} that tells what was done"))
    if apply.uses(UNTIL) != (read.until is not None):
        found.append(
            ("read.until", f"is needed where apply sends {UNTIL}, and only there: where the venue shows the end")
        )
    if lift is not None and lift.uses(BEFORE) == (read.lifted is not MISSING):
        found.append(("read.lifted", f"is needed where the lift puts back no {BEFORE}, and only there"))
    if action.seen is not None and not action.seen.uses(KEY):
        found.append(("seen", f"names no {KEY}"))
    return found


def _sampled(call: Call, document: Document, read: Reading) -> list[str]:
    """Held against the document as it would be sent."""
    note = Note(ActionKey(bytes(32)), SAMPLE_MS, False, "x" * 32).text(lambda text: "0" * 16)
    before = read.stands.value if read.lifted is MISSING else read.lifted
    return call.faults(document, Words(SAMPLE_MS, "0" * 64, note, before))


def read_scopes(keys: Section, document: Document) -> Scopes | None:
    table = keys.inner("scopes", needed=False)
    if table is None:
        return None
    call = _called(table, document, (), changes=False, more=True)
    rights, needs = _pointer(table, "rights", call, document), table.raw("needs")
    table.done()
    fits = type(needs) is list and 0 < len(needs) <= RIGHTS_MAX and all(type(one) is str for one in needs)
    if not fits:
        table.fault("needs", f"must be a list of 1 to {RIGHTS_MAX} rights, as the venue names them")
    if call is None or rights is None or not fits:
        return None
    return Scopes(call, rights, frozenset(needs))
