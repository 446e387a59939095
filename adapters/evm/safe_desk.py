"""What lies before a Safe's owners: proposals written and gathered, and cleared away once they are void or too late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import trio

from adapters.evm.safe_council import Council, SafeReader, SafeTarget
from adapters.evm.safe_files import Discarded, Done, Proposal, discarded_text, done_text, proposal_text
from adapters.evm.safe_inbox import Held, Inbox

T = TypeVar("T")
KEPT_S = 7 * 86_400
"""For so long after its lease it is known which action an owner's transaction was of, or until it is lifted."""


async def in_thread(blocking: Callable[[], T]) -> T:
    """A directory may lie on a disk that hangs: whoever has waited long enough goes on without it."""
    run: Any = trio.to_thread.run_sync
    found: T = await run(blocking, abandon_on_cancel=True)
    return found


class Desk:
    """Every method raises ChainError and FileFault."""

    def __init__(self, target: SafeTarget, reader: SafeReader, inbox: Inbox, tell: Callable[[str], None]) -> None:
        self._target, self._reader, self.inbox, self._tell = target, reader, inbox, tell

    async def look(self) -> tuple[Council, Held]:
        """The Safe and the inbox; what is void or too late is cleared away with each look."""
        state, held = await self._reader.council(), await in_thread(self.inbox.read)
        if any(one.tx.nonce < state.nonce for one in self.mine(held).values()):
            await self._note_done(state, held)
        cleared = await self.drop(state, held, lambda one: one.until_s < state.chain_s or one.tx.nonce < state.nonce)
        void = [name for name, one in held.discarded.items() if self._here(one) and one.nonce < state.nonce]
        void += [name for name, one in held.done.items() if one.until_s + KEPT_S < state.chain_s and not state.stands]
        void += await self._late(state, held)
        await in_thread(partial(self.inbox.remove, void))
        return state, await in_thread(self.inbox.read) if cleared or void else held

    async def _late(self, state: Council, held: Held) -> list[str]:
        """Signatures on what was discarded already: not kept either, and people are told of each."""
        names: list[str] = []
        for one in held.discarded.values():
            late = {name: word.owner for name, word in held.signatures.items() if word.hash == one.hash}
            if self._here(one) and late:
                more = replace(
                    one, signed_by=tuple(sorted({*one.signed_by, *(set(late.values()) & set(state.owners))}))
                )
                await in_thread(partial(self.inbox.write, more.name, discarded_text(more)))
                self._tell(left_over(more, state))
                names += late
        return names

    async def _note_done(self, state: Council, held: Held) -> None:
        """An owner may send what all have signed: whose action that was, only the proposal says."""
        executed = await self._reader.executed(state)
        for one in self.mine(held).values():
            if one.tx.hash in executed:
                noted = Done(one.tx.chain, one.tx.safe, one.key, one.does, executed[one.tx.hash], one.until_s)
                await in_thread(partial(self.inbox.write, noted.name, done_text(noted)))

    def done(self, held: Held, key: bytes) -> str:
        """The transaction by which an owner restricted under this key, "" where none did."""
        found = [one for one in held.done.values() if self._here(one) and (one.key, one.does) == (key, "restrict")]
        return f"0x{found[0].tx.hex()}" if found else ""

    def mine(self, held: Held) -> dict[str, Proposal]:
        """Several targets may share an inbox."""
        where = (self._target.chain, self._target.contract)
        return {name: one for name, one in held.proposals.items() if (one.tx.chain, one.tx.safe) == where}

    def _here(self, one: Discarded | Done) -> bool:
        return (one.chain, one.safe) == (self._target.chain, self._target.contract)

    async def drop(self, state: Council, held: Held, which: Callable[[Proposal], bool]) -> bool:
        """Removes proposals with their signatures. What was signed stays valid wherever a copy is: people are told how
        to make it void, and it is listed as outstanding until the nonce has moved."""
        found = [one for one in self.mine(held).values() if which(one)]
        for one in found:
            signed = tuple(held.signed(one.tx.hash, state.owners))
            if signed and one.tx.nonce >= state.nonce:
                left = Discarded(one.tx.chain, one.tx.safe, one.tx.hash, one.tx.nonce, one.does, signed)
                await in_thread(partial(self.inbox.write, left.name, discarded_text(left)))
                self._tell(left_over(left, state))
            await in_thread(partial(self.inbox.remove, held.files_of(one)))
        return bool(found)

    async def proposed(self, wanted: Proposal, held: Held) -> Proposal:
        """As it lies there; written where it does not, or is to be of use for longer."""
        known = held.proposals.get(wanted.name)
        if known is not None and known.tx.hash == wanted.tx.hash and known.until_s >= wanted.until_s:
            return known
        await self._reader.check_hash(wanted.tx)
        await in_thread(partial(self.inbox.write, wanted.name, proposal_text(wanted)))
        return wanted

    async def words(self, one: Proposal, state: Council, held: Held) -> dict[bytes, bytes]:
        """Owner → its word, as the Safe takes it: a file's signature, or its approval on the chain."""
        found = held.signed(one.tx.hash, state.owners)
        if len(found) < state.threshold:
            silent = [owner for owner in state.owners if owner not in found]
            found |= await self._reader.approvals(one.tx, silent)
        return found

    async def clear(self, one: Proposal) -> None:
        """Once it was executed."""
        held = await in_thread(self.inbox.read)
        await in_thread(partial(self.inbox.remove, held.files_of(one)))

    def outstanding(self, state: Council, held: Held) -> tuple[str, ...]:
        """What was signed and could still be executed, as far as this node knows, in sentences."""
        said = []
        for one in (one for one in self.mine(held).values() if one.tx.nonce >= state.nonce):
            signed = len(held.signed(one.tx.hash, state.owners))
            what = f"a proposal to {one.does} by Safe 0x{one.tx.safe.hex()} waits: {signed} of {state.threshold} owners"
            said.append(f"{what} have signed; valid until its nonce moves beyond {one.tx.nonce}")
        left = [one for one in held.discarded.values() if self._here(one) and one.nonce >= state.nonce]
        return (*said, *(left_over(one, state) for one in left))


def left_over(one: Discarded, state: Council) -> str:
    by = ", ".join(f"0x{owner.hex()}" for owner in one.signed_by)
    return (
        f"a proposal to {one.does} by Safe 0x{one.safe.hex()} was discarded with {len(one.signed_by)} of "
        f"{state.threshold} signatures ({by}); wherever a copy is, it stays valid until its nonce moves beyond "
        f"{one.nonce}: to make it void, have the owners execute anything else with that nonce, such as an empty call "
        "to the Safe itself"
    )
