"""The pause of a contract by a Safe whose module this node's account is: at once, without the owners.

This is NOT narrow. A module of a Safe may make it do anything; that this lever sends `pause()` and `unpause()` alone is
this node's own restraint, and no thief's of its key. So a configuration has to accept it, and `beyond` says it."""

from __future__ import annotations

from dataclasses import replace

from adapters.api import Beyond, LeverDeclaration, Outcome
from adapters.evm.changes import Told
from adapters.evm.client import ChainClient
from adapters.evm.flag_lever import Call
from adapters.evm.pausable import PausableTarget, PauseLever, Standing
from adapters.evm.pausable_abi import PAUSABLE, right_missing, stands_so_already
from adapters.evm.safe_council import SAFE
from adapters.evm.sending import Sender
from adapters.evm.survey.generic import beyond
from adapters.evm.survey.look import Looker
from adapters.evm.wire import Revert, ask_call

CALL = "safe.module_pause"
NO_MODULE = "GS104"
"""Safe's word for a sender that it has not enabled."""
ORDINARY = 0
WIDE = "make the Safe do anything at all, as its module, without any of its owners"


class ModulePauseLever(PauseLever):
    """`target.contract` is who pauses; every call of it goes through the Safe."""

    def __init__(
        self, target: PausableTarget, safe: bytes, declaration: LeverDeclaration, client: ChainClient, sender: Sender
    ) -> None:
        says = f"through Safe 0x{safe.hex()}, whose module this node's account is: {declaration.says}"
        super().__init__(target, replace(declaration, call=CALL, says=says), client, sender)
        self._safe = safe

    async def beyond(self) -> Beyond:
        """A module may do anything, so that is said first, and then what it is worth at the contract. ChainError."""
        look, own = Looker(self._client, self._target.chain), self._sender.account.address
        (enabled,) = await look.views(self._safe, ("isModuleEnabled(address) bool", (own,)))
        tried, may = await beyond(look, self._target.contract, self._safe)
        return Beyond(tried + 1, (WIDE, *(f"so {one}" for one in may)) if enabled else ())

    def _told(self, state: Standing) -> Told:
        return replace(super()._told(state), through=self._safe)

    def _call(self, state: Standing, number: int) -> Call:
        data = PAUSABLE.function("pause" if number else "unpause").encode(())
        args = (self._target.contract, 0, data, ORDINARY)
        return Call(self._safe, SAFE, "execTransactionFromModule", args)

    async def _unending(self, state: Standing) -> str:
        """A Safe swallows what its module's call met: both calls are tried as the Safe itself."""
        tried = ("pause", "unpause")
        asks = [ask_call(self._target.contract, PAUSABLE, one, sender=self._safe) for one in tried]
        said = (await self._client.read(self._target.chain, *asks)).value
        for one, answer in zip(tried, said):
            why = answer.reason if isinstance(answer, Revert) else ""
            who = right_missing(why)
            if who:
                return f"the Safe may not {one}(): it takes {who} of 0x{self._target.contract.hex()}; have it granted"
            if isinstance(answer, Revert) and one == "pause" and not stands_so_already(why):
                return f"pause() of the Safe is refused: {why or 'no reason given'}"
        return ""

    async def _send(self, state: Standing, number: int, trailer: bytes, done: str) -> Outcome:
        """Mined says nothing here: what the contract refuses its Safe fails no transaction of a module."""
        sent = await super()._send(state, number, trailer, done)
        if sent.ok and self._number(await self._read()) != number:
            call = self._call(state, number)
            says = (
                f"mined, and it came to nothing: the contract refused what {call.fn} of the Safe asked; looked at again"
            )
            return Outcome(False, says, sent.reference, retryable=True)
        return sent

    def _refused(self, reason: str) -> Outcome | None:
        if reason != NO_MODULE:
            return super()._refused(reason)
        own = self._sender.account.address.hex()
        says = f"account 0x{own} is no module of Safe 0x{self._safe.hex()}: its owners would have to enable it"
        return Outcome(False, says, answered=False)
