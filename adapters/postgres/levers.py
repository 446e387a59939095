"""Levers on a PostgreSQL server. What stood before, and what was done under which key, stands in the database itself,
in one transaction with the doing (`setup.sql`): this side only asks, says and waits."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import trio

from adapters.api import Beyond, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.declared import refused
from adapters.moment import utc
from adapters.postgres.beyond import beyond
from adapters.postgres.door import Door, PostgresFault
from adapters.postgres.secret_file import FreshPassword, Password, SecretFault

T = TypeVar("T")
LEVERS = {
    "revoke": "the listed rights of the listed roles are taken from them",
    "nologin": "the role may not log in, and its sessions are ended",
    "read_only": "the schema can be read and not written by all but its owners, or by the listed roles",
    "credential": "the password of the role is replaced, and its sessions are ended",
}
"""Row of tocsin.mandate → what it does, in words; `postgres.` before it makes the name of the call."""
ON_ROLES = ("nologin", "credential")
LOOK_S = 0.1
QUIET_LOOKS = 2
"""In a row, that find no session of a closed role, since a login may be under way; then it is settled."""
SESSIONS_S = 6.0
UNBLOCK_S = 0.3
SAYS_CHARS_MAX = 600


@dataclass(frozen=True)
class Looked:
    """What the database says of a mandate now. `until_ms`: of this key, 0 where it never acted."""

    still: tuple[str, ...]
    sessions: int
    what: str
    ours: bool
    until_ms: int
    ended: bool
    held_out: bool
    """The role may not log in while its sessions end, under a new password or an old one."""

    @property
    def closed(self) -> bool:
        return not self.still and not self.sessions


class PostgresLever:
    """One mandate, which a row in the database gives to the role that this lever logs in as."""

    def __init__(
        self, name: str, mandate: str, declared: LeverDeclaration, door: Door, fresh: FreshPassword | None = None
    ) -> None:
        """`fresh`: where a new password is left; None of `postgres.credential`: the old one only ends."""
        self.declared = declared
        self._name, self._mandate, self._door, self._fresh = name, mandate, door, fresh
        self._kind = declared.call.removeprefix("postgres.")
        self.slot = f"postgres/{door.server.host}:{door.server.port}/{door.server.database}/{mandate}"

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what cannot be read is said in the plan, and found again by simulate."""
        what = f"{self.declared.call} on {self._name} (mandate {self._mandate} of {self._door.server.where})"
        says = f"{what} until {utc(-(-order.until_ms // 1000))}, put back by this node: {self.declared.says}"
        try:
            looked = await self._look(order)
        except PostgresFault as broken:
            return Plan(order, f"{says} (not read yet: {broken})")
        return Plan(order, f"{says}; {looked.what}", already=looked.closed)

    async def simulate(self, plan: Plan) -> Outcome:
        """The very doing, in a transaction that is rolled back; sessions are counted, and none is ended."""
        order = plan.order
        why = refused(order, self.declared, time.time_ns() // 1_000_000)
        if why:
            return Outcome(False, why, answered=False)
        try:
            looked = await self._look(order)
            if looked.closed:
                return Outcome(True, "the database stands so already", until_ms=order.until_ms)
            fresh = await self._door.verifier(Password("rolled back")) if self._fresh else None
            fault = self._fresh.fault() if self._fresh else ""
            if fault:
                return Outcome(False, f"a new password could not be left: {fault}")
            did = await self._apply(order, fresh, keep=False)
        except PostgresFault as broken:
            if broken.locked:
                return Outcome(
                    True, "somebody's open transaction holds it now; whoever is to be closed is ended for it"
                )
            return _failed(broken)
        if did["did"] in ("before", "ended"):
            return Outcome(False, "this key acted here before, and never does again")
        ends = f", and end {looked.sessions} sessions" if self._kind in ON_ROLES else ""
        return Outcome(True, f"the database would take it: {_many(did['took'])}{ends}")

    async def apply(self, plan: Plan) -> Outcome:
        """One transaction, then the sessions of a closed role. A key that acted before does nothing again."""
        order = plan.order
        why = refused(order, self.declared, time.time_ns() // 1_000_000)
        if why:
            return Outcome(False, why, answered=False)
        try:
            did = await self._fresh_apply(order, self._fresh) if self._fresh else await self._unblocked(order)
            if did["did"] == "ended":
                return Outcome(False, "this action was ended here before; nothing done", answered=False)
            left = await self._end_sessions() if self._kind in ON_ROLES else 0
        except PostgresFault as broken:
            return _failed(broken)
        except SecretFault as broken:
            return Outcome(False, f"the new password: {broken}", retryable=True, answered=False)
        reference = f"{self._mandate}/{order.action_key.hex()[:16]}"
        if left:
            return Outcome(
                False, f"closed, and sessions of the role may be there yet ({left} seen)", reference, retryable=True
            )
        if did["did"] == "before":
            return Outcome(True, "done before under this key; nothing done", reference)
        if did["did"] == "stood":
            return Outcome(True, "the database stands so already; nothing taken", reference, order.until_ms)
        return Outcome(True, f"{self.declared.call} committed: {_many(did['took'])}", reference, order.until_ms)

    async def read_back(self, order: LeverOrder) -> Outcome:
        """As the rights work, by whatever grant or membership. `until_ms` is the order's: this node ends it."""
        try:
            looked = await self._look(order)
        except PostgresFault as broken:
            return _failed(broken)
        if looked.still:
            return Outcome(False, _cut(f"not closed: {'; '.join(looked.still)}"), retryable=True)
        if looked.sessions:
            return Outcome(False, f"closed, and {looked.sessions} sessions of the role are there", retryable=True)
        if looked.until_ms and not looked.ended and looked.until_ms < order.until_ms:
            return Outcome(False, f"it stands under this key until {looked.until_ms} ms only", retryable=True)
        whose = "this node puts it back" if looked.ours else "nothing of it is ours"
        return Outcome(True, f"the database shows it; {whose}", until_ms=order.until_ms)

    async def undo(self, order: LeverOrder) -> Outcome:
        """Puts back what is ours as it stood; what somebody changed meanwhile is left alone and told."""
        try:
            said = await self._door.call("undo", self._mandate, order.action_key, order.by_human)
            told = [str(one) for one in said["told"]]
            back, whole = int(said["back"]), bool(said["whole"])
        except PostgresFault as broken:
            return _failed(broken)
        except (KeyError, TypeError, ValueError):
            return _failed(_strange())
        if self._fresh and whole:
            await trio.to_thread.run_sync(self._fresh.end, order)
        says = [f"put back: {_many(back)}"] if back else []
        if not says and not told:
            return Outcome(True, "nothing of ours stands here; nothing done")
        return Outcome(whole, _cut("; ".join([*says, *told])), f"{self._mandate}/{order.action_key.hex()[:16]}")

    async def beyond(self) -> Beyond:
        """PostgresFault."""
        return await beyond(self._door)

    async def _look(self, order: LeverOrder) -> Looked:
        said = await self._door.call("look", self._mandate, order.action_key, keep=False)
        looked = _shaped(lambda: _looked(said))
        if said.get("lever") != self._kind:
            raise PostgresFault(f"the mandate {self._mandate} is for {str(said.get('lever'))[:40]}, not {self._kind}")
        return looked

    async def _apply(self, order: LeverOrder, fresh: str | None = None, keep: bool = True) -> dict[str, Any]:
        values = (self._mandate, order.action_key, order.until_ms, order.by_human, fresh)
        said = await self._door.call("apply", *values, keep=keep)
        return _shaped(lambda: {"did": str(said["did"]), "took": int(said["took"])})

    async def _unblocked(self, order: LeverOrder, fresh: str | None = None) -> dict[str, Any]:
        """While it waits for somebody whom it is to close, they are ended."""
        found: dict[str, Any] | PostgresFault
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._unblock)
            try:
                found = await self._apply(order, fresh)
            except PostgresFault as broken:  # out of a nursery it would come in a group
                found = broken
            nursery.cancel_scope.cancel()
        if isinstance(found, PostgresFault):
            raise found
        return found

    async def _unblock(self) -> None:
        while True:
            await trio.sleep(UNBLOCK_S)
            # the step itself says what it could not do
            with contextlib.suppress(PostgresFault):
                await self._door.call("unblock", self._mandate)

    async def _fresh_apply(self, order: LeverOrder, fresh: FreshPassword) -> dict[str, Any]:
        """The file first, so that no password is in force that nobody knows."""
        looked = await self._look(order)
        makes = looked.until_ms < order.until_ms and not (looked.ended or looked.closed or looked.held_out)
        verifier = None
        if makes:
            verifier = await self._door.verifier(await trio.to_thread.run_sync(fresh.make, order))
        did = await self._unblocked(order, verifier)
        if makes and did["did"] != "took":
            await trio.to_thread.run_sync(fresh.drop, order)
        elif (makes or (looked.ours and not looked.ended)) and not await trio.to_thread.run_sync(fresh.keep, order):
            raise SecretFault(f"{fresh.path} is gone, and nobody knows it: set another by hand")
        return did

    async def _end_sessions(self) -> int:
        """How many were there when last looked, 0 where none came for some looks, the last one after the settling."""
        quiet, found = 0, 0
        with trio.move_on_after(SESSIONS_S):
            while quiet <= QUIET_LOOKS + 1:
                found = int(await self._door.call("end_sessions", self._mandate, quiet == QUIET_LOOKS))
                quiet = 0 if found else quiet + 1
                await trio.sleep(LOOK_S)
            return 0
        return max(found, 1)


def _looked(said: Any) -> Looked:
    """KeyError, TypeError, ValueError."""
    roles, things = (", ".join(map(str, said[part] or ())) for part in ("roles", "objects"))
    rights = ", ".join(map(str, said["privileges"] or ())) or "all of it"
    what = f"{rights} of {roles}" + (f" on {things}" if things else "")
    still = tuple(str(one) for one in said["open"])
    sessions, until_ms = int(said["sessions"]), int(said["until_ms"])
    ours, ended, held_out = (bool(said[part]) for part in ("ours", "ended", "held_out"))
    return Looked(still, sessions, _cut(what), ours, until_ms, ended, held_out)


def _shaped(make: Callable[[], T]) -> T:
    try:
        return make()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _strange() from None


def _strange() -> PostgresFault:
    return PostgresFault("the schema tocsin answers in a form of no version known here: run setup.sql again")


def _many(count: int) -> str:
    return "1 change" if count == 1 else f"{count} changes"


def _cut(text: str) -> str:
    return text if len(text) <= SAYS_CHARS_MAX else text[: SAYS_CHARS_MAX - 1] + "…"


def _failed(broken: PostgresFault) -> Outcome:
    return Outcome(False, broken.says, retryable=broken.retryable, answered=False)
