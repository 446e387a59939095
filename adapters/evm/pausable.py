"""The pause of a contract that others wrote, by OpenZeppelin's Pausable (v3 to v5), as `flag_lever` does it.

Which ways a pause closes, and whether people are locked in by it, is in the contract's source and nowhere on the chain:
its owner says so in the configuration, and this module repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.api import Beyond, LeverDeclaration, Outcome
from adapters.declared import Owned
from adapters.evm.changes import REACH_S, Past, Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import Reverted
from adapters.evm.flag_lever import Call, FlagLever
from adapters.evm.pausable_abi import PAUSABLE, SAYS_PAUSED, SAYS_UNPAUSED, right_missing, stands_so_already
from adapters.evm.sending import Sender
from adapters.evm.survey.generic import beyond
from adapters.evm.survey.look import Looker
from adapters.evm.wire import Log, Revert, ask_call

CALL = "pausable.pause"


@dataclass(frozen=True)
class PausableTarget:
    """`contract` is who pauses, `asset` the token whose risk it carries; 20 bytes each."""

    name: str
    chain: str
    contract: bytes
    asset: bytes


@dataclass(frozen=True)
class Standing:
    paused: bool
    head: int
    chain_s: int
    """The chain's own time, read before the rest."""


def declared(said: Owned) -> LeverDeclaration:
    return said.declare(CALL, "the contract is paused, which closes", read="as its owner read its source")


class PauseLever(FlagLever[Standing]):
    def __init__(
        self, target: PausableTarget, declaration: LeverDeclaration, client: ChainClient, sender: Sender
    ) -> None:
        super().__init__(declaration, (target.name, target.chain, target.contract), client, sender)
        self._target = target
        self.slot = f"{target.chain}/0x{target.contract.hex()}/pause"

    async def beyond(self) -> Beyond:
        """Besides lifting a pause, which is this lever's to do. Less is found while it is paused: a token may then not
        be minted by anybody. ChainError."""
        look = Looker(self._client, self._target.chain)
        tried, may = await beyond(look, self._target.contract, self._sender.account.address)
        return Beyond(tried, may)

    async def _read(self) -> Standing:
        head = (await self._client.block(self._target.chain)).value
        asked = ask_call(self._target.contract, PAUSABLE, "paused")
        (paused,) = (await self._client.read(self._target.chain, asked)).value
        if isinstance(paused, Revert):
            where = f"paused() of 0x{self._target.contract.hex()} on {self._target.chain}"
            raise Reverted(paused.reason, where)
        return Standing(bool(paused), head.number, head.timestamp)

    def _number(self, state: Standing) -> int:
        return int(state.paused)

    def _wanted(self, state: Standing) -> int:
        return 1

    def _closed(self, state: Standing) -> bool:
        return state.paused

    def _word(self, number: int) -> str:
        return "paused" if number else "not paused"

    def _told(self, state: Standing) -> Told:
        return Told(self._target.contract, [SAYS_PAUSED + SAYS_UNPAUSED], moves, state.head, state.chain_s)

    def _call(self, state: Standing, number: int) -> Call:
        return Call(self._target.contract, PAUSABLE, "pause" if number else "unpause")

    async def _unending(self, state: Standing) -> str:
        """Roles are checked before the flag, so that a lift is tried before there is anything to lift."""
        own = self._sender.account.address
        asked = ask_call(self._target.contract, PAUSABLE, "unpause", sender=own)
        (said,) = (await self._client.read(self._target.chain, asked)).value
        who = right_missing(said.reason) if isinstance(said, Revert) else ""
        if not who:
            return ""
        return f"account 0x{own.hex()} may pause and not lift: unpause() takes {who}; have it granted"

    def _kept(self, state: Standing, past: Past) -> Outcome | None:
        if state.paused and past.whole and not past.changes:
            # a contract that tells of its pause in other words would otherwise be taken for one that nobody paused
            since = f"no Paused event of the last {REACH_S // 86_400} days tells by whom"
            return Outcome(False, f"it is paused, and {since}: look, and lift it by hand if it is ours")
        return super()._kept(state, past)

    def _refused(self, reason: str) -> Outcome | None:
        who = right_missing(reason)
        if who:
            own, at = self._sender.account.address.hex(), self._target.contract.hex()
            says = f"account 0x{own} may not move the pause: it takes {who} of 0x{at}; have it granted"
            return Outcome(False, says, answered=False)
        if stands_so_already(reason):
            says = "somebody else paused or lifted it in this moment; looked at again"
            return Outcome(False, says, retryable=True, answered=False)
        return None


def moves(logs: Sequence[Log]) -> list[tuple[Log, int | None]]:
    return [(log, int(log.topics[0] in SAYS_PAUSED)) for log in logs if log.topics]
