"""What the chain itself says of the members' levers: counted from outside, by accounts and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.evm.abi import abi_of
from adapters.evm.client import Account, ChainClient
from adapters.evm.wire import ask_nonce
from node.testnet.real.seen import Change, Seen
from node.testnet.real.witness import look
from node.testnet.registry import KINDS
from node.testnet.scenario import Role
from node.testnet.world import World

CONTRACT_OF = {"bridge.escrow": "Escrow", "lending": "Lending", "perp": "Perp"}
"""Kinds of things that levers move → their contract."""


@dataclass(frozen=True)
class Restriction:
    """One Restricted event of a thing: who asked for it is known by its action key."""

    thing: str
    what: str
    asset: str
    key: str
    until_s: int
    by_human: bool
    block: int


@dataclass(frozen=True)
class Witness:
    """`standing`: restrictions that the chain's own clock has not ended. `sent`: role → transactions of its lever
    account since the world stood. `lifted`: Lifted events. `others`: what stands on contracts of others, whose
    restrictions are in `restricted` and `standing` too."""

    restricted: tuple[Restriction, ...] = ()
    lifted: int = 0
    standing: tuple[Restriction, ...] = ()
    sent: tuple[tuple[str, int], ...] = ()
    others: Seen = field(default_factory=Seen)


async def witness(world: World, client: ChainClient, roles: Sequence[Role]) -> Witness:
    """Reads the home chain from its beginning; raises the client's ChainError."""
    head = (await client.block(world.home)).value
    found: list[Restriction] = []
    lifted: dict[tuple[str, str, str, bool], int] = {}
    for thing in world.scenario.things.values():
        contract = CONTRACT_OF.get(thing.kind)
        if contract is None or not KINDS[thing.kind].target:
            continue
        events = abi_of(contract)
        logs = (await client.logs(world.home, world.address(thing.name), [], 0, head.number)).value
        for log in logs:
            told = events.event("Restricted").decode(log.topics, log.data)
            ended = events.event("Lifted").decode(log.topics, log.data)
            if told is not None:
                found.append(
                    Restriction(
                        thing.name,
                        _word(told["what"]),
                        _hex(told["asset"]),
                        _hex(told["action_key"]),
                        int(told["until"]),
                        bool(told["by_human"]),
                        log.block,
                    )
                )
            elif ended is not None:
                lifted[(thing.name, _word(ended["what"]), _hex(ended["asset"]), bool(ended["by_human"]))] = log.block
    standing = [
        one
        for one in found
        if one.until_s > head.timestamp and lifted.get((one.thing, one.what, one.asset, one.by_human), -1) < one.block
    ]
    others = await look(world, client, head.number)
    found += [_as_restriction(one) for one in others.changes if one.key and one.until_s]
    standing += [_as_restriction(one) for one in others.standing()]
    return Witness(tuple(found), len(lifted), tuple(standing), await _sent(world, client, roles), others)


def _as_restriction(one: Change) -> Restriction:
    return Restriction(one.thing, one.what, one.asset, one.key, one.until_s, one.by_human, one.block)


async def _sent(world: World, client: ChainClient, roles: Sequence[Role]) -> tuple[tuple[str, int], ...]:
    movers = [role.name for role in roles if any(not one.startswith("node.") for one in role.levers)]
    accounts = [Account(world.lever_key(name)).address for name in movers]
    if not accounts:
        return ()
    stood = hex(world.blocks[world.home])
    before = (await client.read(world.home, *(ask_nonce(one, stood) for one in accounts))).value
    now = (await client.read(world.home, *(ask_nonce(one) for one in accounts))).value
    return tuple((name, int(last) - int(first)) for name, first, last in zip(movers, before, now))


def _word(raw: bytes | str) -> str:
    data = raw if isinstance(raw, bytes) else bytes.fromhex(raw.removeprefix("0x"))
    return data.rstrip(b"\x00").decode("ascii", errors="replace")


def _hex(raw: bytes | str) -> str:
    return raw.hex() if isinstance(raw, bytes) else raw.removeprefix("0x").lower()
