"""How long a step of the rounds is waited for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Linear time-outs, milliseconds: the base of each step, and what each round adds."""

    propose_ms: int = 6_000
    """Longer than a proposal, its ballots and proofs need to get everywhere."""
    prepare_ms: int = 2_000
    commit_ms: int = 2_000
    more_ms: int = 1_000
    most_ms: int = 3_600_000

    def after(self, base_ms: int, round_: int) -> int:
        return min(base_ms + self.more_ms * round_, self.most_ms)
