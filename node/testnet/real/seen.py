"""What a chain itself says of levers on contracts of others: by events, and by the transactions behind them.

Such events name no key and no end. Both stand behind the call's arguments, where a node wrote them; a change without
them is somebody else's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.evm.client import ChainClient
from adapters.evm.trailer import trailer_of
from adapters.evm.wire import Log, ask_transaction
from node.testnet.world import World


@dataclass(frozen=True)
class Change:
    """One transaction that changed something after the world stood. `until_s` 0: it lifted; `key` "": nobody's key.
    `asset`: the reserve's or the market's token, in hex."""

    thing: str
    asset: str
    what: str
    key: str
    until_s: int
    by_human: bool
    block: int


@dataclass(frozen=True)
class Seen:
    """`changes` in the order of the chain. `terms`: what is compared → as the world stood, and now. `executed`: Safe →
    transactions since."""

    changes: tuple[Change, ...] = ()
    terms: tuple[tuple[str, object, object], ...] = ()
    executed: tuple[tuple[str, int], ...] = ()

    @property
    def moved(self) -> tuple[str, ...]:
        return tuple(name for name, before, now in self.terms if before != now)

    def standing(self) -> tuple[Change, ...]:
        """Restrictions that no later change of the same number has lifted."""
        last = {(one.thing, one.asset, one.what): one for one in self.changes}
        return tuple(one for one in last.values() if one.until_s)


async def changes_of(world: World, client: ChainClient, thing: str, logs: Iterable[Log]) -> list[Change]:
    """One for each transaction behind these events, whose first topic after their name is the asset, if any."""
    found: dict[bytes, Log] = {log.tx: log for log in logs}
    changes = []
    for tx, log in found.items():
        sent = (await client.read(world.home, ask_transaction(tx))).value[0]
        mark = trailer_of(sent.data) if sent is not None else None
        what, asset = (sent.data[:4].hex() if sent is not None else ""), b"".join(log.topics[1:2])[-20:].hex()
        said = ("", 0, False) if mark is None else (mark.key.hex(), mark.until_s, mark.by_human)
        changes.append(Change(thing, asset, what, *said, log.block))
    return sorted(changes, key=lambda one: one.block)
