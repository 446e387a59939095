"""What a chain can do to us: each error says what happened, where, and what to do about it."""

from __future__ import annotations


class ChainError(Exception):
    """The base: whoever reads a chain catches this and nothing wider."""


class ChainDown(ChainError):
    """No connection to the chain gave a usable answer in time."""


class NotReached(ChainDown):
    """Nobody took the connection: what was asked has not been heard."""


class WrongChain(ChainError):
    """A connection answers for another chain than configured; nothing it says is believed."""


class ProvidersDisagree(ChainError):
    """Two connections to one chain say different things of one block: there is no result."""


class NotSeen(ChainError):
    """The chain, as seen from here, has not got so far or does not know the transaction (yet)."""


class Reverted(ChainError):
    """The contract refused; `reason` is its own word."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"{where} refused: {reason or 'no reason given'}")
        self.reason = reason


class NoGas(ChainError):
    """The sending account cannot pay. Amounts in wei."""

    def __init__(self, account: bytes, has: int, needs: int, chain: str) -> None:
        super().__init__(
            f"account 0x{account.hex()} has {has} wei on {chain} and needs up to {needs} to send; put gas on it"
        )
        self.account, self.has, self.needs = account, has, needs


class NotSent(ChainError):
    """Everybody who was given the transaction refused it: nothing was sent."""


class Unsure(NotSent):
    """Nobody said that they took it, and one who did not answer may have."""


class NotMined(ChainError):
    """Sent, and no receipt in time: it may still be mined, or was replaced or dropped (the text says)."""
