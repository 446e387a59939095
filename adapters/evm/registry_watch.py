"""Compares a registry with the feed: its epoch with this node's, its keys with the members' newest KeySets.

A difference is told to people and shown in `tocsin status`, and that is all. It is no Observation: what a node holds of
KeySets is its own, so no other node could re-run the claim, and a claim that counts would let a chain, or who stole
evm keys, move levers. Nobody's epoch, key or lever follows a registry.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import trio

from adapters.evm.client import ChainClient
from adapters.evm.mirror import Difference, differences, read_mirror
from adapters.evm.sensors import EvmSensor, Report
from protocol.ids import MemberName
from protocol.membership import Epoch

POLL_MS = 10_000
PATIENCE_S = 600
"""How long an honest delay may last before people hear of it: signing an epoch or keys takes its time."""
PATIENCE_S_MAX = 7 * 86_400
AGAIN_S = 3_600.0
"""What still differs is told again that often."""
SHOWN_MAX = 4


class RegistryWatch(EvmSensor):
    """Reports nothing; tells."""

    def __init__(
        self,
        name: str,
        client: ChainClient,
        epoch: Callable[[], Epoch],
        where: tuple[str, bytes],
        evm_keys: Callable[[], Mapping[MemberName, bytes]],
        tell: Callable[[str], None],
        poll_ms: int = POLL_MS,
        patience_s: float = PATIENCE_S,
        own: bytes = b"",
    ) -> None:
        """`own`: the address that this node signs with for this registry, where it does."""
        super().__init__(name, client, epoch, poll_ms)
        self._chain, self._contract = where
        self._evm_keys, self._tell, self._patience_s, self._own = evm_keys, tell, patience_s, own
        self._since_s: dict[str, float] = {}
        self._told: dict[str, float] = {}

    @property
    def where(self) -> str:
        return f"registry 0x{self._contract.hex()} on {self._chain}"

    def rounds(self) -> list[tuple[str, Callable[[Report], Awaitable[str]]]]:
        return [(self.where, partial(self._look))]

    async def _look(self, report: Report) -> str:
        mirror = await read_mirror(self.client, self._chain, self._contract)
        evm = self._evm_keys()
        try:
            found = differences(mirror, self.epoch(), evm)
        except ValueError as same_key:  # two members' KeySets name one evm key
            found = [Difference(str(same_key), True)]
        if self._own and self._own not in evm.values():
            says = f"this node signs for it with 0x{self._own.hex()}, and no newest KeySet names that key"
            found.append(Difference(says, False))
        self._judge(found)
        return _shown([one.says for one in found])

    def _judge(self, found: list[Difference]) -> None:
        """At once where no honest delay explains it, else after the patience; again every hour while it lasts."""
        now_s = trio.current_time()
        self._since_s = {one.says: self._since_s.get(one.says, now_s) for one in found}
        due = [one.says for one in found if one.urgent or now_s - self._since_s[one.says] >= self._patience_s]
        if not found and self._told:
            self._tell(f"{self.where} agrees with this node again")
        self._told = {says: at_s for says, at_s in self._told.items() if says in self._since_s}
        if any(now_s - self._told.get(says, float("-inf")) >= AGAIN_S for says in due):
            self._told |= dict.fromkeys(due, now_s)
            self._tell(f"{self.where} differs from the feed, and nothing follows it: {_shown(due)}")


def _shown(says: list[str]) -> str:
    more = f"; and {len(says) - SHOWN_MAX} more" if len(says) > SHOWN_MAX else ""
    return "; ".join(says[:SHOWN_MAX]) + more
