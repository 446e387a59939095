"""Five ways in which a part may be wrong, each as small as a real mistake, and the checks that must find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Act:
    """`caught_by`: checks of which at least one must say no."""

    spoil: Callable[[], None]
    caught_by: frozenset[str]


def _policy() -> None:
    """A policy that never moves a lever."""
    from node.machine import actions

    actions.decide = lambda policy, situation: ()


def _verifier() -> None:
    """A verifier that finds everything true."""
    from adapters.evm.verifiers import EvmVerifier
    from protocol.evidence import ReleaseWithoutBurn, Ruling, bridge_for, open_claim
    from protocol.messages import Level, Threat

    honest = EvmVerifier.verify

    async def verify(self: Any, claim: Any, blob: bytes) -> Any:
        told = await honest(self, claim, blob)
        inputs = open_claim(claim, blob)
        if told.ruling is Ruling.SUPPORTS or not isinstance(inputs, ReleaseWithoutBurn):
            return told
        bridge = bridge_for(self._epoch(), inputs)
        asset = bridge.asset if bridge is not None else None
        return replace(
            told, ruling=Ruling.SUPPORTS, subject=asset, threat=int(Threat.BRIDGE_FORGERY), level=Level.ISOLATE
        )

    EvmVerifier.verify = verify  # type: ignore[method-assign]


def _lever() -> None:
    """A lever that says that it has acted and read back, and has done nothing."""
    from adapters.api import Outcome
    from adapters.evm.levers import EvmLever

    async def apply(self: Any, plan: Any) -> Any:
        return Outcome(True, "mined", "0x" + "00" * 32)

    async def read_back(self: Any, order: Any) -> Any:
        return Outcome(True, "it stands", until_ms=order.until_ms)

    async def undo(self: Any, order: Any) -> Any:
        return Outcome(True, "lifted")

    EvmLever.apply = apply  # type: ignore[method-assign]
    EvmLever.read_back = read_back  # type: ignore[method-assign]
    EvmLever.undo = undo  # type: ignore[method-assign]


def _lease() -> None:
    """A lever that asks its target for an hour more than the lease."""
    from adapters.evm import levers

    honest = levers.until_s
    levers.until_s = lambda order: honest(order) + 3_600


def _threshold() -> None:
    """ISOLATE with one group less than the charter says."""
    from protocol.membership import COUNTED, Epoch, evaluate
    from protocol.messages import Level

    def thresholds(self: Epoch) -> dict[Level, int]:
        counts = {level: evaluate(self.formulas[level], self.n) for level in COUNTED}
        return {**counts, Level.ISOLATE: counts[Level.ISOLATE] - 1}

    Epoch.thresholds = property(thresholds)  # type: ignore[assignment]


ACTS = {
    "policy": Act(_policy, frozenset({"exposed-members-acted"})),
    "verifier": Act(_verifier, frozenset({"lies-refused"})),
    "lever": Act(_lever, frozenset({"effects-are-on-the-chain"})),
    "lease": Act(_lease, frozenset({"no-restriction-beyond-its-lease"})),
    "threshold": Act(_threshold, frozenset({"thresholds-held"})),
}
