"""One restriction at a venue: looked at, sent once, read back, lifted where it is ours.

The venue is believed in nothing that it says of a request: what counts is what a read shows afterwards, on every
address that was given. Whose a restriction is stands in the venue's own record of the reason we sent (`note`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import trio

from adapters.api import Beyond, ExpiresBy, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.venue.calls import BEFORE, Call, Words
from adapters.venue.http import Answer, Door, VenueDown
from adapters.venue.note import Note, note_of
from adapters.venue.openapi import Document
from adapters.venue.signing import Request
from adapters.venue.text import MISSING, at, same

CLOCK_SLACK_MS = 120_000
RIGHTS_MAX = 256
RIGHTS_TOLD_MAX = 32
SHOWN_CHARS_MAX = 60
TEXT_CHARS_MAX = 512


class Refused(Exception):
    """The venue answered, and not with what was asked for. Its text says what to do."""

    def __init__(self, says: str, *, retryable: bool = False) -> None:
        super().__init__(says)
        self.retryable = retryable


@dataclass(frozen=True)
class Stands:
    """When what a read shows is the restriction: `how` is "is", "at_least" or "at_most"."""

    how: str
    value: Any

    def holds(self, shown: Any) -> bool:
        if self.how == "is":
            return same(shown, self.value)
        if type(shown) not in (int, float):
            return False
        return bool(shown >= self.value if self.how == "at_least" else shown <= self.value)


@dataclass(frozen=True)
class Reading:
    """One GET, and where in its answer the state, our reason and, where the venue keeps one, the end stand."""

    call: Call
    state: tuple[str, ...]
    note: tuple[str, ...]
    until: tuple[str, ...] | None
    stands: Stands
    lifted: Any
    """What the state is after a lift that puts back nothing; MISSING where it puts back what stood."""


@dataclass(frozen=True)
class Scopes:
    """A GET that lists what our credential may."""

    call: Call
    rights: tuple[str, ...]
    needs: frozenset[str]


@dataclass(frozen=True)
class Action:
    declared: LeverDeclaration
    apply: Call
    lift: Call | None
    read: Reading
    seen: Call | None
    """A GET by action key that answers 404 where that key has done nothing yet."""


@dataclass(frozen=True)
class Venue:
    name: str
    document: Document
    url: str
    second: str
    """Another address of the same venue that is read too, "" for none."""
    scopes: Scopes | None


@dataclass(frozen=True)
class Shown:
    state: Any
    note: Note | None
    until_ms: int
    """0 where the venue keeps no end."""


class VenueLever:
    def __init__(self, venue: Venue, action: Action, door: Door) -> None:
        self.declared = action.declared
        self._venue, self._action, self._door = venue, action, door
        self._keeps_ends = action.declared.expires_by is ExpiresBy.TARGET
        path = sorted(action.read.call.path.items())
        self._what = f"{self.declared.call} {action.read.call.operation.name} {path} {'/'.join(action.read.state)}"
        self.slot = f"{venue.url} {self._what}"

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what cannot be read is said in the plan, and found again by simulate."""
        ends = "ended by the venue itself" if self._keeps_ends else "lifted by this node"
        does = self._action.apply.operation
        what = f"{self.declared.call} on {self._venue.name} by {does.method} {does.path} ({does.name})"
        says = f"{what} until {order.until_ms} ms, {ends}: {self.declared.says}"
        try:
            already = self._stands(await self._read(), order.until_ms)
        except (VenueDown, Refused) as broken:
            return Plan(order, f"{says} (not read yet: {broken})")
        return Plan(order, says, already=already)

    async def simulate(self, plan: Plan) -> Outcome:
        """A venue has no dry run: the reads, the bodies against the document, and what the credential's list says."""
        order = plan.order
        try:
            shown = await self._read()
            if self._stands(shown, order.until_ms):
                return Outcome(True, "the venue shows it already", until_ms=shown.until_ms or order.until_ms)
            fault = self._fault(order, shown)
            if fault is not None:
                return fault
            held = await self._rights()
        except (VenueDown, Refused) as broken:
            return _failed(broken)
        scopes = self._venue.scopes
        missing = sorted(scopes.needs - set(held)) if scopes is not None else []
        if missing:
            return Outcome(False, f"the venue lists no right {', '.join(missing)} for this key; have it granted")
        right = "the key has the rights it needs" if scopes is not None else "whether the key may is not told before"
        return Outcome(True, f"it shows {_word(shown.state)}, and the document takes the call; {right}")

    async def apply(self, plan: Plan) -> Outcome:
        """Look, send, believe nothing. Sends nothing where it stands so already or was done once under this key."""
        order = plan.order
        try:
            shown = await self._read()
            if self._stands(shown, order.until_ms):
                ours = shown.note is not None and shown.note.key == order.action_key
                says = "it stands so already, by this key" if ours else "it stands so already"
                reference = order.action_key.hex() if ours else ""
                return Outcome(True, f"{says}; nothing sent", reference, shown.until_ms or order.until_ms)
            fault = self._fault(order, shown)
            if fault is not None:
                return fault
            longer = self._binds(shown)
            if not longer and await self._done_before(order):
                return Outcome(True, "done before under this key; nothing sent", order.action_key.hex())
            await self._send(self._action.apply, self._words(order, shown), _key(order, longer))
        except (VenueDown, Refused) as broken:
            return _failed(broken)
        return Outcome(True, f"{self._action.apply.operation.name} was taken", order.action_key.hex())

    async def read_back(self, order: LeverOrder) -> Outcome:
        try:
            shown = await self._read()
        except (VenueDown, Refused) as broken:
            return _failed(broken)
        until_ms = shown.until_ms if self._keeps_ends else order.until_ms
        if self._stands(shown, order.until_ms):
            whose = "ours" if shown.note else "without our note: its end will not be lifted by this node"
            return Outcome(True, f"the venue shows {_word(shown.state)}, {whose}", until_ms=until_ms)
        binds = self._binds(shown)
        shows = f"an end of {shown.until_ms} ms, and not {order.until_ms}" if binds else _word(shown.state)
        return Outcome(False, f"the venue shows {shows}", until_ms=shown.until_ms if binds else 0, retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        """Lifts what bears our note, and looks whether what stood is back."""
        lift = self._action.lift
        try:
            shown = await self._read()
            if not self._binds(shown):
                return Outcome(True, f"nothing stands here, it shows {_word(shown.state)}; nothing sent")
            if shown.note is None:
                return Outcome(True, "left alone: what stands bears no note of ours; nothing sent")
            if lift is None:
                return Outcome(False, "it has no lift: look, and undo what can be by hand")
            back = shown.note.before if self._action.read.lifted is MISSING else self._action.read.lifted
            words = Words(0, order.action_key.hex(), self._note(order, 0, shown.note.before), shown.note.before)
            await self._send(lift, words, f"{order.action_key.hex()}-lift")
            after = await self._read()
        except (VenueDown, Refused) as broken:
            return _failed(broken)
        if same(after.state, back):
            return Outcome(True, f"lifted: it shows {_word(back)} again", order.action_key.hex())
        if after.note is None and not self._action.read.stands.holds(after.state):
            return Outcome(True, f"lifted; somebody has made it {_word(after.state)} since")
        says = f"the venue took {lift.operation.name} and shows {_word(after.state)}, not {_word(back)}"
        return Outcome(False, f"{says}; looked at again", retryable=True)

    async def beyond(self) -> Beyond:
        """By the venue's own list: a venue lets nothing be tried without effect. VenueDown, Refused."""
        scopes = self._venue.scopes
        held = await self._rights()
        more = sorted(set(held) - scopes.needs) if scopes is not None else []
        return Beyond(len(held), tuple(_printable(one) for one in more[:RIGHTS_TOLD_MAX]))

    # --- looking

    async def _read(self) -> Shown:
        """What every address says; one that is down is left out, two that differ give nothing."""
        found: dict[str, Shown | VenueDown | Refused] = {}

        async def look(base: str) -> None:
            try:
                found[base] = await self._read_at(base)
            except (VenueDown, Refused) as broken:
                found[base] = broken

        bases = [base for base in (self._venue.url, self._venue.second) if base]
        async with trio.open_nursery() as nursery:
            for base in bases:
                nursery.start_soon(look, base)
        said = [found[base] for base in bases]
        refused = next((one for one in said if isinstance(one, Refused)), None)
        if refused is not None:
            raise refused
        shown = [one for one in said if isinstance(one, Shown)]
        if not shown:
            raise VenueDown("; ".join(map(str, said)), sent=False)
        if not all(_agree(shown[0], one) for one in shown):
            raise Refused("two addresses of the venue show different things; one of them is wrong", retryable=True)
        return shown[0]

    async def _read_at(self, base: str) -> Shown:
        read = self._action.read
        value = (await self._get(read.call, base)).value
        state, until = at(value, read.state), at(value, read.until) if read.until is not None else 0
        name = f"/{'/'.join(read.state)}"
        if state is MISSING or isinstance(state, dict | list) or len(str(state)) > TEXT_CHARS_MAX:
            raise Refused(f"{read.call.operation.name} shows no value at {name}: is it still the document's?")
        until = 0 if until is MISSING or until is None else until
        if type(until) is not int or not 0 <= until < 1 << 63:
            raise Refused(f"{read.call.operation.name} shows an end that is no time in milliseconds")
        note = note_of(at(value, read.note), self._mark)
        # the reason of a lift may be kept, and stand there when somebody else restricts
        return Shown(state, note if note is not None and note.until_ms else None, until)

    async def _get(self, call: Call, base: str, words: Words | None = None) -> Answer:
        answer = await self._door.ask(_request(call, base, words or Words(0, "")), repeats=True)
        if not answer.ok:
            raise self._refusal(call, answer)
        return answer

    async def _done_before(self, order: LeverOrder) -> bool:
        seen = self._action.seen
        if seen is None:
            return False  # then the venue's own Idempotency-Key sees to it, or nothing of it is left to see
        words = Words(order.until_ms, order.action_key.hex())
        answer = await self._door.ask(_request(seen, self._venue.url, words), repeats=True)
        if answer.status == 404:
            return False
        if not answer.ok:
            raise self._refusal(seen, answer)
        return True

    async def _rights(self) -> tuple[str, ...]:
        scopes = self._venue.scopes
        if scopes is None:
            return ()
        listed = at((await self._get(scopes.call, self._venue.url)).value, scopes.rights)
        if type(listed) is not list or len(listed) > RIGHTS_MAX or not all(type(one) is str for one in listed):
            raise Refused(f"{scopes.call.operation.name} lists no rights at /{'/'.join(scopes.rights)}")
        return tuple(listed)

    def _binds(self, shown: Shown) -> bool:
        """What shows no end stands without one."""
        over = self._keeps_ends and 0 < shown.until_ms <= self._door.now_ms()
        return self._action.read.stands.holds(shown.state) and not over

    def _stands(self, shown: Shown, until_ms: int) -> bool:
        """As long as was asked for; ours has to show its end."""
        endless = shown.until_ms == 0 and shown.note is None
        return self._binds(shown) and (not self._keeps_ends or endless or shown.until_ms >= until_ms)

    # --- sending

    def _fault(self, order: LeverOrder, shown: Shown) -> Outcome | None:
        """Why it may not be sent: somebody else's stands, too long, no way back, or not what the document takes."""
        if self._binds(shown) and shown.note is None:
            says = f"somebody else's stands until {shown.until_ms} ms, and theirs is not written over"
            return Outcome(False, f"{says}; looked at again", until_ms=shown.until_ms, retryable=True)
        fault = self._too_long(order) or self._no_way_back(shown) or self._not_taken(order, shown)
        return Outcome(False, fault) if fault else None

    def _too_long(self, order: LeverOrder) -> str:
        now_ms = self._door.now_ms()
        if order.until_ms <= now_ms:
            return f"its end {order.until_ms} ms has come; nothing sent"
        longest_ms = now_ms + self.declared.max_ms + CLOCK_SLACK_MS
        if order.until_ms <= longest_ms:
            return ""
        return f"asked until {order.until_ms} ms, and it goes no further than {longest_ms} ms: shorten it"

    def _no_way_back(self, shown: Shown) -> str:
        read, lift = self._action.read, self._action.lift
        before = shown.note.before if shown.note is not None and self._binds(shown) else shown.state
        if lift is None or read.lifted is MISSING or same(before, read.lifted):
            return ""
        leaves = _word(read.lifted)
        return f"it shows {_word(before)}, and its lift would leave {leaves}: let the lift put back {BEFORE}"

    def _not_taken(self, order: LeverOrder, shown: Shown) -> str:
        lift = self._action.lift
        words = self._words(order, shown)
        faults = self._action.apply.faults(self._venue.document, words)
        if lift is not None:
            faults += lift.faults(self._venue.document, words)
        return f"the document does not take it: {'; '.join(faults[:4])}" if faults else ""

    def _words(self, order: LeverOrder, shown: Shown) -> Words:
        """Prolonging what is ours keeps in mind what stood before the first of it."""
        before = shown.note.before if shown.note is not None and self._binds(shown) else shown.state
        return Words(order.until_ms, order.action_key.hex(), self._note(order, order.until_ms, before), before)

    def _note(self, order: LeverOrder, until_ms: int, before: Any) -> str:
        try:
            return Note(order.action_key, until_ms, order.by_human, before).text(self._mark)
        except ValueError as wrong:
            raise Refused(str(wrong)) from None

    def _mark(self, text: str) -> str:
        """Of this restriction alone: several may share one reason field, and one's note says nothing of another."""
        return self._door.signature.mark(f"{self._what}\n{text}")

    async def _send(self, call: Call, words: Words, key: str) -> None:
        request = _request(call, self._venue.url, words, key)
        answer = await self._door.ask(request, repeats=call.repeats)
        if not answer.ok:
            raise self._refusal(call, answer)

    def _refusal(self, call: Call, answer: Answer) -> Refused:
        """In words; nothing of the venue's own text, which may be anything."""
        name = call.operation.name
        if answer.status in (401, 403):
            return Refused(f"the venue refuses this key for {name} (HTTP {answer.status}): have the right granted")
        if answer.status in (404, 405):
            return Refused(f"the venue has no {name} at this address (HTTP {answer.status}): compare the document")
        if answer.status in (408, 409, 425):
            return Refused(f"the venue is at it, for {name} (HTTP {answer.status})", retryable=True)
        return Refused(f"the venue does not take {name} (HTTP {answer.status}): compare it with the document")


def _request(call: Call, base: str, words: Words, key: str = "") -> Request:
    try:
        return call.request(base, words, key)
    except ValueError as wrong:
        raise Refused(str(wrong)) from None


def _key(order: LeverOrder, longer: bool) -> str:
    """A longer lease is another request, and the same one again after a crash."""
    return f"{order.action_key.hex()}-{order.until_ms}" if longer else order.action_key.hex()


def _agree(one: Shown, other: Shown) -> bool:
    return same(one.state, other.state) and (one.note, one.until_ms) == (other.note, other.until_ms)


def _failed(broken: VenueDown | Refused) -> Outcome:
    retryable = isinstance(broken, VenueDown) or broken.retryable
    return Outcome(False, str(broken), retryable=retryable, answered=False)


def _printable(text: str) -> str:
    return "".join(one for one in text if one.isprintable())[:SHOWN_CHARS_MAX]


def _word(value: Any) -> str:
    return _printable(str(value)) or "nothing"
