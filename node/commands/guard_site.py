"""What `tocsin guard` works with: a guard as all connections show it, and one call of it prepared, priced and tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.evm.abi import keccak256
from adapters.evm.account import Account
from adapters.evm.artifacts import artifact
from adapters.evm.client import ChainClient
from adapters.evm.errors import Reverted
from adapters.evm.guard_state import ABI, GuardTarget, Standing, read_standing
from adapters.evm.guard_words import Listing
from adapters.evm.safe_tx import listed, shown_by
from adapters.evm.sending import Costs, Sender
from adapters.evm.survey.queue import said_of
from adapters.evm.wire import Revert, ask_call
from governance.durations import parse_duration
from node import keys
from node.commands.common import CommandError, usage
from node.commands.registry_site import Place, Site

TARGET_KIND = "evm.guard"
NOBODY = bytes(20)
ALL_BITS = 2**256 - 1
HEX_DIGITS = 40
VIEWS = {keccak256(text.encode())[:4]: text for text in ("paused()", "isPaused()", "isFrozen()")}
"""Usual views without arguments, by their call."""


@dataclass(frozen=True)
class Guard:
    """Read from all connections. Times in seconds of the chain's clock."""

    chain: str
    contract: bytes
    sources: tuple[str, ...]
    chain_s: int
    owner: bytes
    offered: bytes
    delay_s: int
    operator: bytes
    operator_from_s: int
    safe: bytes
    levers: tuple[Standing, ...]


@dataclass(frozen=True)
class Deed:
    """One transaction that the account could send now: tried, priced, not sent. `fn` "": the guard's creation."""

    chain: str
    contract: bytes
    fn: str
    says: tuple[str, ...]
    sender: str
    gas: int
    most_wei: int
    balance_wei: int
    args: tuple[Any, ...] = field(repr=False)
    site: Site = field(repr=False)
    account: Account = field(repr=False)

    def send(self) -> str:
        """The transaction, or the new guard's address."""

        async def go(client: ChainClient) -> str:
            sender = Sender(client, self.chain, self.account)
            if not self.fn:
                return "0x" + (await sender.deploy(artifact("Guard"), self.args)).hex()
            return "0x" + (await sender.transact(self.contract, ABI, self.fn, self.args)).tx.hex()

        return self.site.on_chain(self.chain, go)


def place_of(site: Site, chain: str, contract: str) -> Place:
    """As said, else as the targets of kind evm.guard say, where they name one."""
    named = {
        (str(one.get("chain", "")), str(one.get("contract", "")))
        for one in site.config.targets.values()
        if one.get("kind") == TARGET_KIND
    }
    if not contract and len(named) == 1:
        ((told, contract),) = named
        chain = chain or told
    if not contract:
        raise usage("no guard is named", f"--contract 0x…, or one [target.NAME] of kind {TARGET_KIND}")
    return site.chain_of(chain), address_of(contract)


def address_of(text: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        raw = bytes.fromhex(digits) if len(digits) == HEX_DIGITS and text != digits else b""
    except ValueError:
        raw = b""
    if not raw:
        raise usage(f"{text[:60]!r} is no address", "give 0x and 40 hexadecimal digits")
    return raw


def seconds_of(text: str) -> int:
    try:
        return parse_duration(text) // 1000
    except ValueError as wrong:
        raise usage(str(wrong), "write a duration like 10m or 1h30m") from None


def listing_of_words(restrict: str, lift: str, shows: str, times: tuple[str, str, str, str, str]) -> Listing:
    """`times`: cooldown, lease, budget, alone lease, alone budget. Usage errors say which call is meant."""
    calls = {}
    for name, text in (("restrict", restrict), ("lift", lift)):
        try:
            calls[name] = listed(text)
        except ValueError as wrong:
            raise usage(f"--{name} {wrong}") from None
    if calls["restrict"].to != calls["lift"].to:
        raise usage("--restrict and --lift call two contracts", "a lever has one target")
    probe, mask, closed = b"", 0, 0
    if shows:
        try:
            view, closed = shown_by(shows)
        except ValueError as wrong:
            raise usage(f"--shows {wrong}") from None
        if view.to != calls["restrict"].to:
            raise usage("--shows asks another contract", "a guard asks its target and nobody else")
        probe, mask = view.data, ALL_BITS
    seconds = tuple(map(seconds_of, times))
    return Listing(calls["restrict"].to, calls["restrict"].data, calls["lift"].data, probe, mask, closed, *seconds)


def read_guard(site: Site, place: Place) -> Guard:
    """CommandError where there is no guard at that address."""
    chain, contract = place
    names = ("owner", "offered", "delay", "operator", "safe", "lever_count")

    async def read(client: ChainClient) -> Guard:
        head = await client.block(chain)
        found = await client.read(chain, *(ask_call(contract, ABI, name) for name in names))
        if any(isinstance(one, Revert) for one in found.value):
            raise Reverted("it answers as no guard does", f"0x{contract.hex()} on {chain}")
        owner, offered, delay_s, (operator, since_s), safe, count = found.value
        levers = [await read_standing(client, GuardTarget("", chain, contract, number)) for number in range(count)]
        sources = tuple(map(str, found.sources))
        return Guard(
            chain, contract, sources, head.value.timestamp, owner, offered, delay_s, operator, since_s, safe,
            tuple(levers),
        )  # fmt: skip

    return site.on_chain(chain, read)


def account_of(site: Site, key: Path | None) -> Account:
    path = key or keys.key_path(site.config.data_dir, keys.Purpose.LEVER)
    return Account(keys.load_secret(path, keys.Purpose.LEVER).reveal())


def prepare(site: Site, place: Place, fn: str, args: tuple[Any, ...], says: tuple[str, ...], key: Path | None) -> Deed:
    """CommandError in the guard's own words where it would refuse; nothing is sent. `fn` "": its creation."""
    chain, contract = place
    account = account_of(site, key)

    def deed(costs: Costs, at: bytes) -> Deed:
        own = "0x" + account.address.hex()
        return Deed(chain, at, fn, says, own, costs.gas, costs.most, costs.balance, args, site, account)

    async def price(client: ChainClient) -> Deed:
        sender = Sender(client, chain, account)
        if not fn:
            return deed(*await sender.price_of_deploying(artifact("Guard"), args))
        return deed(await sender.price_of(contract, ABI, fn, args), contract)

    return site.on_chain(chain, price)


def of_lever(guard: Guard, number: int) -> Standing:
    if not 0 <= number < len(guard.levers):
        here = f"0 to {len(guard.levers) - 1}" if guard.levers else "none; its owner lists them: tocsin guard add"
        raise CommandError(f"the guard has no lever {number}", f"0x{guard.contract.hex()}", f"levers: {here}")
    return guard.levers[number]


def call_words(data: bytes) -> str:
    """A listed call for people: its name where it is a usual one, else the bytes that its owner wrote."""
    said = VIEWS.get(data) or said_of(data)
    return said if "selector" not in said else f"0x{data.hex()}"


def read_back(site: Site, place: Place, number: int) -> Standing:
    target = GuardTarget("", *place, number)
    look: Callable[[ChainClient], Awaitable[Standing]] = lambda client: read_standing(client, target)  # noqa: E731
    return site.on_chain(place[0], look)
