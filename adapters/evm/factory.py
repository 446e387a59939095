"""From configuration to the EVM family's instances. One client and, per account and chain, one sender for all."""

from __future__ import annotations

from functools import partial
from typing import Any

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.declared import owned
from adapters.evm.aave import aave_levers
from adapters.evm.aave_readers import aave_readers
from adapters.evm.aave_reserve import AaveTarget
from adapters.evm.client import Account, ChainClient, Connection
from adapters.evm.eip712 import domain_of
from adapters.evm.evm_key import EvmKey
from adapters.evm.lever_rows import Target
from adapters.evm.levers import levers_for
from adapters.evm.pausable import PausableTarget, PauseLever, declared
from adapters.evm.readers import Holding, readers_for
from adapters.evm.registry import countersigned
from adapters.evm.registry_watch import PATIENCE_S, PATIENCE_S_MAX, RegistryWatch
from adapters.evm.registry_watch import POLL_MS as REGISTRY_POLL_MS
from adapters.evm.relays import Relay
from adapters.evm.sending import Sender
from adapters.evm.sensors import POLL_MS, POLL_MS_MAX, POLL_MS_MIN, BridgeSensor, EvmSensor
from adapters.evm.state_sensors import BackingSensor, OracleSensor
from adapters.evm.verifiers import EvmVerifier
from adapters.evm.waiting import Memory
from adapters.section import Section
from protocol.ids import SourceId

SENSORS: dict[str, type[EvmSensor]] = {
    "evm.bridge": BridgeSensor,
    "evm.backing": BackingSensor,
    "evm.oracle": OracleSensor,
}


def family(shop: Shop) -> dict[str, Any]:
    """What every configuration with a connection gets: the verifier, and the client's end."""
    client = client_of(shop)
    return {"verifiers": (EvmVerifier(client, shop.epoch),), "probes": client.probes(), "closers": (client.aclose,)}


def client_of(shop: Shop) -> ChainClient:
    if "evm.client" not in shop.shared:
        connections = tuple(Connection(SourceId(source), chain, url) for source, chain, url in shop.connections)
        shop.shared["evm.client"] = ChainClient(connections, relays=tuple(Relay(*one) for one in shop.relays))
    client: ChainClient = shop.shared["evm.client"]
    return client


def target(name: str, keys: Section, shop: Shop) -> Instances:
    kind = (keys.text("kind") or "").removeprefix("evm.")
    chain, contract, asset = keys.chain("chain"), keys.address("contract"), keys.address("asset")
    unit, oracle = keys.amount("usd_per_loan_unit"), keys.address("usd_oracle", needed=False)
    position = keys.address("position", needed=False) if kind == "lending" else None
    margin_bps = keys.whole("margin_bps", 0, 1, 10_000) if kind == "perp" else 0
    account = account_of(keys, shop)
    if unit is not None and oracle is not None:
        keys.fault("usd_oracle", "stands beside usd_per_loan_unit; give one of the two")
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
    if chain is None or contract is None or asset is None or chain not in shop.chains:
        return Instances()
    client = client_of(shop)
    readers = readers_for(kind, client, Holding(chain, contract, asset, unit, oracle, position))
    levers = {}
    if account is not None:
        own = Target(name, chain, contract, asset, margin_bps)
        levers = levers_for(kind, own, client, sender_of(shop, client, chain, account))
    return Instances(
        readers={f"{name}:{read}": reader for read, reader in readers.items()},
        levers={f"{name}:{call}": lever for call, lever in levers.items()},
    )


def aave(name: str, keys: Section, shop: Shop) -> Instances:
    """A reserve of a market of Aave v3: `contract` is the Pool, `asset` the reserve's token."""
    keys.text("kind")
    chain, pool, asset = keys.chain("chain"), keys.address("contract"), keys.address("asset")
    account = account_of(keys, shop)
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
    if chain is None or pool is None or asset is None or chain not in shop.chains:
        return Instances()
    client, own = client_of(shop), AaveTarget(name, chain, pool, asset)
    levers = {} if account is None else aave_levers(own, client, sender_of(shop, client, chain, account))
    return Instances(
        readers={f"{name}:{read}": reader for read, reader in aave_readers(own, client).items()},
        levers={f"{name}:{call}": lever for call, lever in levers.items()},
    )


def pausable(name: str, keys: Section, shop: Shop) -> Instances:
    """A contract that pauses as OpenZeppelin's do: `contract`; what a pause closes there, only its owner can say."""
    keys.text("kind")
    chain, contract, asset = keys.chain("chain"), keys.address("contract"), keys.address("asset")
    said = owned(keys)
    account = account_of(keys, shop)
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
    if chain is None or contract is None or asset is None or chain not in shop.chains or account is None:
        return Instances()
    if said is None:
        return Instances()
    client, own = client_of(shop), PausableTarget(name, chain, contract, asset)
    lever = PauseLever(own, declared(said), client, sender_of(shop, client, chain, account))
    return Instances(levers={f"{name}:{lever.declared.call}": lever})


def account_of(keys: Section, shop: Shop) -> Account | None:
    """None without `key_file`: the target then has readings and no levers."""
    file = keys.text("key_file", needed=False)
    if file is None:
        return None
    try:
        return Account(key_of(shop.secrets(file)))
    except (OSError, KeyError, ValueError) as broken:
        # an OSError names the file, a ValueError of ours says what is wrong; neither holds the key
        why = broken.strerror or "cannot be read" if isinstance(broken, OSError) else str(broken)
        keys.fault("key_file", f"{file!r}: {why}")
        return None


def key_of(raw: bytes) -> bytes:
    """32 bytes as they are, or 64 hex digits with or without 0x. The text of the error holds nothing of the key."""
    if len(raw) == 32:
        return raw
    text = raw.strip().removeprefix(b"0x")
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError("not a key: 32 bytes, or 64 hex digits, are expected")
    return key


def sender_of(shop: Shop, client: ChainClient, chain: str, account: Account) -> Sender:
    """One for each account and chain, since it holds the lock on the account's nonce."""
    slot = ("evm.sender", chain, account.address)
    if slot not in shop.shared:
        name = f"relayed-{chain.replace(':', '-')}-0x{account.address.hex()}.json"
        memory = Memory(None if shop.data_dir is None else shop.data_dir / name)
        shop.shared[slot] = Sender(client, chain, account, memory=memory, log=shop.log)
    sender: Sender = shop.shared[slot]
    return sender


def sensor(name: str, keys: Section, shop: Shop) -> Instances:
    kind = keys.text("kind") or ""
    poll_ms = keys.whole("poll_ms", POLL_MS, POLL_MS_MIN, POLL_MS_MAX)
    if not shop.connections:
        keys.fault("kind", f"{kind} needs a [[connection]]; add one for each chain to watch")
        return Instances()
    return Instances(sensors=(SENSORS[kind](name, client_of(shop), shop.epoch, poll_ms),))


def registry(name: str, keys: Section, shop: Shop) -> Instances:
    chain, contract = keys.chain("chain"), keys.address("contract")
    poll_ms = keys.whole("poll_ms", REGISTRY_POLL_MS, POLL_MS_MIN, POLL_MS_MAX)
    patience_s = keys.whole("patience_s", PATIENCE_S, 0, PATIENCE_S_MAX)
    key = _evm_key(keys, shop)
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
    if chain is None or contract is None or chain not in shop.chains:
        return Instances()
    where = (chain, contract)
    own = key.address if key is not None else b""
    watch = RegistryWatch(name, client_of(shop), shop.epoch, where, shop.evm_keys, shop.tell, poll_ms, patience_s, own)
    domain = domain_of(chain, contract)
    return Instances(sensors=(watch,), countersign=None if key is None else partial(countersigned, domain, key))


def _evm_key(keys: Section, shop: Shop) -> EvmKey | None:
    """None without `key_file`: the registry is then watched and not spoken to."""
    file = keys.text("key_file", needed=False)
    if file is None:
        return None
    if shop.shared.setdefault("evm.countersign", keys.path) != keys.path:
        keys.fault("key_file", f"stands in {shop.shared['evm.countersign']} too; a word has room for one signature")
        return None
    try:
        return EvmKey(key_of(shop.evm_secrets(file)))
    except (OSError, KeyError, ValueError) as broken:
        why = broken.strerror or "cannot be read" if isinstance(broken, OSError) else str(broken)
        keys.fault("key_file", f"{file!r}: {why}")
        return None
