"""What a peer can do wrong: whose fault it is and a stable code. Nothing else leaves the door."""

from __future__ import annotations

import enum


class Fault(enum.Enum):
    """Who is to answer for a refusal."""

    SENDER = "sender"
    """The connection that carried it: unverified bytes are never charged to an author."""
    AUTHOR = "author"
    """Verified, and wrong all the same."""
    NOBODY = "nobody"
    """Late, early, unknown as yet: keep nothing, blame nobody."""


class Code(enum.Enum):
    """Stable: logs, counters, tests and other implementations use these words."""

    OVERSIZED = ("oversized", Fault.SENDER)
    NOT_CANONICAL = ("not-canonical", Fault.SENDER)
    BAD_SHAPE = ("bad-shape", Fault.SENDER)
    UNKNOWN_CRITICAL = ("unknown-critical", Fault.SENDER)
    BAD_ENVELOPE = ("bad-envelope", Fault.SENDER)
    BAD_SIGNATURE = ("bad-signature", Fault.SENDER)
    BAD_KEY = ("bad-key", Fault.AUTHOR)
    UNKNOWN_AUTHOR = ("unknown-author", Fault.SENDER)
    UNKNOWN_KEY = ("unknown-key", Fault.NOBODY)
    OVER_BUDGET = ("over-budget", Fault.SENDER)
    AUTHOR_OVER_BUDGET = ("author-over-budget", Fault.AUTHOR)
    FOREIGN_NETWORK = ("foreign-network", Fault.SENDER)
    WRONG_EPOCH = ("wrong-epoch", Fault.NOBODY)
    BAD_BODY = ("bad-body", Fault.AUTHOR)
    LEASE_TOO_LONG = ("lease-too-long", Fault.AUTHOR)
    FROM_THE_FUTURE = ("from-the-future", Fault.AUTHOR)
    SHORT_OF_THRESHOLD = ("short-of-threshold", Fault.SENDER)
    DUPLICATE_SIGNER = ("duplicate-signer", Fault.SENDER)
    SOURCE_RULE = ("source-rule", Fault.SENDER)
    MIXED_CERTIFICATE = ("mixed-certificate", Fault.SENDER)
    UNKNOWN_CLAIM_TYPE = ("unknown-claim-type", Fault.NOBODY)
    BAD_CLAIM = ("bad-claim", Fault.AUTHOR)
    BREAKS_RULE = ("breaks-rule", Fault.AUTHOR)
    BAD_CHARTER = ("bad-charter", Fault.NOBODY)

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def fault(self) -> Fault:
        return self.value[1]


class ProtocolError(Exception):
    """The only exception that input can raise out of `protocol`. `later`: all that is wrong is a number without a
    meaning here as yet."""

    def __init__(self, code: Code, detail: str, *, later: bool = False) -> None:
        super().__init__(f"{code.word}: {detail}")
        self.code = code
        self.detail = detail
        self.later = later


class ImpossibleError(Exception):
    """A state that the rules exclude: a bug or a broken store. It stops the node, loudly."""
