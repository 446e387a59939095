"""What `tocsin registry` works with: the member's directory, connections to one chain, a registry read or prepared."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import trio

from adapters.evm.account import Account
from adapters.evm.artifacts import artifact
from adapters.evm.client import ChainClient, Connection
from adapters.evm.errors import ChainError
from adapters.evm.mirror import Mirror, Standing, differences, read_mirror, read_standing
from adapters.evm.registry import SUSPENDED, Row, address_in, group_in, key_words, row_of
from adapters.evm.relays import Relay
from adapters.evm.sending import Sender
from node import keys
from node.commands.common import CommandError, load_config, usage
from node.commands.founding import read_charter
from node.config import NodeConfig
from node.known import Known, known_here
from protocol.errors import ProtocolError
from protocol.ids import SourceId
from protocol.membership import Epoch
from protocol.messages import threat_from_word
from protocol.onchain import subject_key
from protocol.subjects import from_text

T = TypeVar("T")
SENSOR_KIND = "evm.registry"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")
Place = tuple[str, bytes]


@dataclass(frozen=True)
class Site:
    config: NodeConfig
    known: Known

    @property
    def chains(self) -> list[str]:
        """EVM chains that a [[connection]] over HTTP sees."""
        seen = [
            one.chain for one in self.config.connections if one.chain.startswith("eip155:") and "http" in one.url[:5]
        ]
        return sorted(set(seen))

    def chain_of(self, said: str) -> str:
        if said in self.chains:
            return said
        if not said and len(self.chains) == 1:
            return self.chains[0]
        what = f"no [[connection]] of {self.config.path} sees {said}" if said else "no chain is named"
        raise usage(what, f"--chain, one of: {', '.join(self.chains) or 'none yet; add a [[connection]]'}")

    def place_of(self, chain: str, contract: str) -> Place:
        """As said, else as the one sensor that watches a registry says."""
        watched = [one for one in self.config.sensors.values() if one.get("kind") == SENSOR_KIND]
        if not contract and len(watched) == 1:
            chain, contract = chain or str(watched[0].get("chain", "")), str(watched[0].get("contract", ""))
        if not contract:
            raise usage("no registry is named", f"--contract 0x…, or one [sensor.NAME] of kind {SENSOR_KIND}")
        if _ADDRESS.match(contract) is None:
            raise usage(f"{contract!r} is no address", "give 0x and 40 hexadecimal digits")
        return self.chain_of(chain), bytes.fromhex(contract[2:])

    def on_chain(self, chain: str, deed: Callable[[ChainClient], Awaitable[T]]) -> T:
        """One loop, one client. CommandError for what the chain does."""
        connections = tuple(
            Connection(SourceId(one.id), one.chain, one.url)
            for one in self.config.connections
            if one.chain == chain and one.url.startswith("http")
        )

        relays = tuple(
            Relay(one.chain, one.url, one.public_after_s, one.never_public)
            for one in self.config.relays
            if one.chain == chain
        )

        async def run() -> T:
            client = ChainClient(connections, relays=relays)
            try:
                return await deed(client)
            finally:
                await client.aclose()

        try:
            return trio.run(run)
        except ChainError as error:
            raise CommandError(str(error)) from None


def site_of(config: Path) -> Site:
    loaded = load_config(config)
    return Site(loaded, known_here(loaded, read_charter(loaded.charter), int(time.time() * 1000)))


@dataclass(frozen=True)
class KeyShown:
    key: str
    group: str
    suspended: bool
    member: str
    """"" where no newest KeySet names it."""


def keys_shown(mirror: Mirror, known: Known) -> list[KeyShown]:
    """Groups by name where the registry's epoch is the one known here, else by number."""
    same = mirror.row.hash == bytes(known.epoch.hash)
    return _keys(mirror.words, known, known.epoch if same else None)


def _keys(words: tuple[int, ...], known: Known, epoch: Epoch | None) -> list[KeyShown]:
    names = {address: member for member, address in known.evm.items()}
    found = []
    for word in words:
        address, number = address_in(word), group_in(word)
        group = f"#{number}" if epoch is None or number >= epoch.n else epoch.groups[number]
        found.append(KeyShown("0x" + address.hex(), group, bool(word & SUSPENDED), names.get(address, "")))
    return found


def read_registry(site: Site, place: Place, subject: str = "", threat: str = "") -> tuple[Mirror, Standing | None]:
    """With what it has on a subject where one is named."""
    topic = topic_of(subject, threat) if subject else None

    async def read(client: ChainClient) -> tuple[Mirror, Standing | None]:
        mirror = await read_mirror(client, *place)
        return mirror, None if topic is None else await read_standing(client, *place, *topic)

    return site.on_chain(place[0], read)


def topic_of(subject: str, threat: str) -> tuple[bytes, int]:
    """As a registry names them."""
    try:
        key = subject_key(from_text(subject))
    except ProtocolError as error:
        do = "write it as `tocsin alert list` shows it"
        raise usage(f"{subject!r} is no subject: {error.detail}", do) from None
    known = threat_from_word(threat)
    if known is None:
        raise usage(f"{threat!r} is no threat", "give one like bridge-forgery, as the alert commands do")
    return bytes(key), int(known)


@dataclass(frozen=True)
class Deployment:
    """Everything that would be sent, and what it costs now."""

    chain: str
    row: Row
    words: tuple[int, ...]
    keys: list[KeyShown]
    without_key: tuple[str, ...]
    sender: str
    address: str
    gas: int
    most_wei: int
    balance_wei: int
    site: Site = field(repr=False)
    account: Account = field(repr=False)

    def send(self) -> tuple[str, list[str]]:
        """Where it stands, and how what is read back differs from what was meant."""

        async def go(client: ChainClient) -> tuple[str, list[str]]:
            sender = Sender(client, self.chain, self.account)
            address = await sender.deploy(artifact("Registry"), _arguments(self.row, self.words))
            mirror = await read_mirror(client, self.chain, address)
            found = differences(mirror, self.site.known.epoch, self.site.known.evm)
            return "0x" + address.hex(), [one.says for one in found]

        return self.site.on_chain(self.chain, go)


def _arguments(row: Row, words: tuple[int, ...]) -> tuple[Any, ...]:
    return row.values, list(words)


def prepare_deployment(site: Site, chain: str, key: Path | None) -> Deployment:
    """CommandError where a contract would refuse it: before anything is asked of a chain."""
    known, epoch = site.known, site.known.epoch
    try:
        row, words = row_of(epoch), key_words(epoch, known.evm)
    except ValueError as same_key:
        raise CommandError(str(same_key), str(site.config.charter)) from None
    groups = {group_in(word) for word in words}
    if len(groups) < epoch.q:
        what = f"{len(groups)} of {epoch.n} groups have an evm key, and a registry needs {epoch.q} to ever move on"
        do = "members name theirs when they make keys (`tocsin init --evm 0x…`) or in a later KeySet"
        raise CommandError(what, str(site.config.charter), do)
    path = key or keys.key_path(site.config.data_dir, keys.Purpose.LEVER)
    account = Account(keys.load_secret(path, keys.Purpose.LEVER).reveal())

    async def price(client: ChainClient) -> Deployment:
        costs, address = await Sender(client, chain, account).price_of_deploying(
            artifact("Registry"), _arguments(row, words)
        )
        return Deployment(
            chain,
            row,
            words,
            _keys(words, known, epoch),
            tuple(sorted(member.name for member in epoch.members if member.name not in known.evm)),
            "0x" + account.address.hex(),
            "0x" + address.hex(),
            costs.gas,
            costs.most,
            costs.balance,
            site,
            account,
        )

    return site.on_chain(chain, price)


class Priced(Protocol):
    """What somebody's account would pay for."""

    @property
    def sender(self) -> str: ...
    @property
    def gas(self) -> int: ...
    @property
    def most_wei(self) -> int: ...
    @property
    def balance_wei(self) -> int: ...


def price_lines(planned: Priced) -> tuple[str, str]:
    return (
        f"from     {planned.sender}, which has {planned.balance_wei / 1e18:g} coins",
        f"gas      {planned.gas:,} at most, {planned.most_wei / 1e18:g} coins at most",
    )
