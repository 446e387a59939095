"""What the chain itself says of levers on Aave's markets: by events, by the transactions behind them, by accounts.

Aave's events name no key and no end. Both stand behind the call's arguments, where a node wrote them; a change without
them is somebody else's."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.evm.client import ChainClient
from adapters.evm.trailer import trailer_of
from adapters.evm.wire import Log, Transaction, ask_call, ask_transaction
from node.testnet.real.aave_abi import DATA
from node.testnet.world import World

KIND = "lending.aave"
Terms = tuple[object, ...]


@dataclass(frozen=True)
class Change:
    """One transaction that changed a reserve after the world stood. `until_s` 0: it lifted something; `key` "":
    nobody's key."""

    thing: str
    asset: str
    what: str
    key: str
    until_s: int
    by_human: bool
    block: int


@dataclass(frozen=True)
class Markets:
    """`changes` in the order of the chain. `moved`: thing.asset whose terms are not what they were at first."""

    changes: tuple[Change, ...] = ()
    moved: tuple[str, ...] = ()

    def standing(self) -> tuple[Change, ...]:
        """Restrictions that no later change of the same number has lifted."""
        last = {(one.thing, one.asset, one.what): one for one in self.changes}
        return tuple(one for one in last.values() if one.until_s)


async def look(world: World, client: ChainClient, head: int) -> Markets:
    """Reads from the height at which the world stood; raises the client's ChainError."""
    changes: list[Change] = []
    moved: list[str] = []
    for thing in world.scenario.things.values():
        if thing.kind == KIND:
            changes += await _changes(world, client, thing.name, head)
            for asset in (thing.params["loan"], *thing.params["collateral"]):
                before, now = await _terms(world, client, thing.name, asset, head)
                moved += [f"{thing.name}.{asset}"] if before != now else []
    return Markets(tuple(changes), tuple(moved))


async def _changes(world: World, client: ChainClient, thing: str, head: int) -> list[Change]:
    at = world.address(thing, "configurator")
    logs = (await client.logs(world.home, at, [], world.blocks[world.home] + 1, head)).value
    found: dict[bytes, Log] = {log.tx: log for log in logs}
    changes = []
    for tx, log in found.items():
        sent = (await client.read(world.home, ask_transaction(tx))).value[0]
        changes.append(_change(thing, log, sent))
    return changes


def _change(thing: str, log: Log, sent: Transaction | None) -> Change:
    mark = trailer_of(sent.data) if sent is not None else None
    what, asset = (sent.data[:4].hex() if sent is not None else ""), log.topics[1][-20:].hex()
    if mark is None:
        return Change(thing, asset, what, "", 0, False, log.block)
    return Change(thing, asset, what, mark.key.hex(), mark.until_s, mark.by_human, log.block)


async def _terms(world: World, client: ChainClient, thing: str, asset: str, head: int) -> tuple[Terms, Terms]:
    """LTV, flags and caps of a reserve, when the world stood and now."""
    at, token = world.address(thing, "data"), world.address(asset, "token")
    found = []
    for block in (world.blocks[world.home], head):
        asks = [
            ask_call(at, DATA, fn, (token,), block=block) for fn in ("getReserveConfigurationData", "getReserveCaps")
        ]
        found.append(tuple((await client.read(world.home, *asks)).value))
    return found[0], found[1]
