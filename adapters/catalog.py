"""What the configuration may name, and nothing else is loaded: built-in kinds here, further ones by entry point.

An entry point of the group `tocsin.adapters`, named after its kind (`acme.market`), gives a factory of the same shape
as the built-ins': `(name, Section, Shop) -> Instances`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.api import Acknowledged, Instances, lacking
from adapters.section import Section
from protocol.ids import MemberName
from protocol.membership import Epoch

GROUP = "tocsin.adapters"
SECTIONS = ("target", "sensor", "sink")
RELAY_PUBLIC_AFTER_S, RELAY_PUBLIC_AFTER_S_MAX = 25, 240
"""Two blocks of the slowest chain that is reckoned with; and less than relays keep what they were given."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")


@dataclass(frozen=True)
class BuiltIn:
    section: str
    """`target`, `sensor` or `sink`."""
    kind: str
    factory: str
    """`module:function`, imported when the configuration names the kind: web3 alone takes a second."""


BUILT_INS: tuple[BuiltIn, ...] = (
    BuiltIn("target", "evm.lending", "adapters.evm.factory:target"),
    BuiltIn("target", "evm.perp", "adapters.evm.factory:target"),
    BuiltIn("target", "evm.escrow", "adapters.evm.factory:target"),
    BuiltIn("target", "evm.aave", "adapters.evm.factory:aave"),
    BuiltIn("target", "evm.pausable", "adapters.evm.factory:pausable"),
    BuiltIn("target", "evm.access_manager", "adapters.evm.factory_control:access_manager"),
    BuiltIn("target", "evm.safe", "adapters.evm.factory_control:safe"),
    BuiltIn("target", "evm.timelock", "adapters.evm.factory_control:timelock"),
    BuiltIn("target", "evm.safe_module", "adapters.evm.factory_control:safe_module"),
    BuiltIn("target", "evm.perp_v2", "adapters.evm.perps_factory:perp_v2"),
    BuiltIn("target", "evm.synthetix", "adapters.evm.perps_factory:synthetix"),
    BuiltIn("target", "evm.guard", "adapters.evm.factory_guard:guard"),
    BuiltIn("target", "evm.call", "adapters.evm.call_factory:call"),
    BuiltIn("target", "venue.http", "adapters.venue.factory:target"),
    BuiltIn("target", "postgres", "adapters.postgres.factory:target"),
    BuiltIn("target", "program", "adapters.program.factory:target"),
    BuiltIn("target", "log", "adapters.log_lever:target"),
    BuiltIn("sensor", "evm.bridge", "adapters.evm.factory:sensor"),
    BuiltIn("sensor", "evm.backing", "adapters.evm.factory:sensor"),
    BuiltIn("sensor", "evm.oracle", "adapters.evm.factory:sensor"),
    BuiltIn("sensor", "evm.registry", "adapters.evm.factory:registry"),
    BuiltIn("sink", "webhook", "adapters.webhook.factory:sink"),
    BuiltIn("sink", "notify", "adapters.notify.factory:sink"),
)


class CatalogFaults(Exception):
    """Everything that is wrong in the section, each with its key and what is allowed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass
class Shop:
    """What a factory works with. `shared` holds what several things of one family share (a client, a sender)."""

    epoch: Callable[[], Epoch]
    secrets: Callable[[str], bytes]
    log: Callable[[str], None]
    faults: list[str]
    connections: list[tuple[str, str, str]] = field(default_factory=list, repr=False)
    """(source id, chain, url) of every well-formed connection."""
    relays: list[tuple[str, str, int, bool]] = field(default_factory=list, repr=False)
    """(chain, url, seconds after which what it has goes public, whether it never does) of every well-formed relay."""
    shared: dict[Any, Any] = field(default_factory=dict, repr=False)
    evm_keys: Callable[[], Mapping[MemberName, bytes]] = dict
    """Member → address of its newest KeySet, now."""
    evm_secrets: Callable[[str], bytes] = lambda name: b""
    """The bytes of an evm key's file: it signs words, and is no account."""
    outside: Callable[[str], bytes] = lambda name: b""
    """The bytes of a secret that somebody else made, as they stand in its file."""
    files: Callable[[str], bytes] = lambda name: b""
    """The bytes of a file beside node.toml that holds no secret. OSError."""
    acknowledged: Acknowledged = lambda about, since_ms: False
    """Whether a person has taken a matter up: then nobody else is woken for it."""
    tell: Callable[[str], None] = lambda text: None
    """To people, through every sink: what they must look at and no machine may act on."""
    data_dir: Path | None = None
    """Where an adapter that is told so may keep files; None: nowhere."""

    @property
    def chains(self) -> set[str]:
        return {chain for _, chain, _ in self.connections}


Factory = Callable[[str, Section, Shop], Instances]


def build(
    config: Mapping[str, Any],
    epoch: Callable[[], Epoch],
    secrets: Callable[[str], bytes],
    log: Callable[[str], None],
    *,
    evm_keys: Callable[[], Mapping[MemberName, bytes]] = dict,
    evm_secrets: Callable[[str], bytes] | None = None,
    tell: Callable[[str], None] | None = None,
    data_dir: Path | None = None,
    outside: Callable[[str], bytes] | None = None,
    files: Callable[[str], bytes] | None = None,
    acknowledged: Acknowledged | None = None,
) -> Instances:
    """Everything that the configuration names. Raises CatalogFaults with all faults at once.

    `secrets(name)` gives the bytes of a key file; `epoch()` the epoch now, also for the register of sources;
    `evm_keys()` the members' addresses by their newest KeySets; `evm_secrets` is as `secrets`, for keys that sign
    words (absent: the same); `outside` for secrets that others made (absent: the same); `files` for files beside the
    configuration that are no secret (absent: there is none); `acknowledged` (absent: nothing ever is); `tell`
    goes to people (absent: to the log); `data_dir` is
    the node's own directory."""
    shop = Shop(epoch, secrets, log, [], evm_keys=evm_keys, evm_secrets=evm_secrets or secrets, tell=tell or log)
    shop.data_dir, shop.outside, shop.files = data_dir, outside or secrets, files or _no_file
    if acknowledged is not None:
        shop.acknowledged = acknowledged
    for key in config:
        if key not in ("connection", "relay", *SECTIONS):
            shop.faults.append(f"{key}: is no section here; allowed: connection, relay, sensor, sink, target")
    shop.connections.extend(_connections(config.get("connection", []), shop))
    shop.relays.extend(_relays(config.get("relay", []), shop))
    made = [_verifiers(shop)] if shop.connections else []
    for section in SECTIONS:
        tables = config.get(section, {})
        if not isinstance(tables, Mapping):
            shop.faults.append(f"{section}: tables like [{section}.name] are expected")
            continue
        made.extend(_one(section, str(name), table, shop) for name, table in tables.items())
    if shop.faults:
        raise CatalogFaults(shop.faults)
    return functools.reduce(_joined, made, Instances())


def _connections(tables: Any, shop: Shop) -> list[tuple[str, str, str]]:
    if not isinstance(tables, list):
        shop.faults.append("connection: tables like [[connection]] are expected")
        return []
    found: list[tuple[str, str, str]] = []
    for index, table in enumerate(tables):
        section = Section(f"connection[{index}]", table, shop.faults)
        source, chain, url = section.text("id"), section.chain("chain"), section.url("url")
        section.done()
        if source is not None and source in [known for known, _, _ in found]:
            section.fault("id", f"{source!r} is there twice")
        elif source is not None and chain is not None and url is not None:
            found.append((source, chain, url))
            _check_register(shop, source, chain)
    return found


def _relays(tables: Any, shop: Shop) -> list[tuple[str, str, int, bool]]:
    if not isinstance(tables, list):
        shop.faults.append("relay: tables like [[relay]] are expected")
        return []
    found: list[tuple[str, str, int, bool]] = []
    for index, table in enumerate(tables):
        section = Section(f"relay[{index}]", table, shop.faults)
        chain, url = section.chain("chain"), section.url("url")
        after_s = section.whole("public_after_s", RELAY_PUBLIC_AFTER_S, 1, RELAY_PUBLIC_AFTER_S_MAX)
        never = section.flag("never_public", False)
        section.done()
        if chain is not None and chain not in shop.chains:
            section.fault("chain", f"no [[connection]] sees {chain}; add one: a relay shows nothing of a chain")
        elif chain is not None and url is not None:
            found.append((chain, url, after_s, never))
    return found


def relays_say(count: int, public_after_s: float, never_public: bool) -> str:
    """How a transaction leaves by these relays of a chain, for people."""
    relays = "1 relay" if count == 1 else f"{count} relays"
    return f"sent through {relays}, {'never public' if never_public else f'public after {public_after_s:g} s'}"


def _check_register(shop: Shop, source: str, chain: str) -> None:
    known = next((one for one in shop.epoch().sources if one.id == source), None)
    if known is None or known.scope != chain:
        scope = "is not in" if known is None else f"stands for {known.scope} in"
        shop.log(f"connection {source}: it {scope} the epoch's source register; what it says counts for no quorum")


def _verifiers(shop: Shop) -> Instances:
    return Instances(**_load("adapters.evm.factory:family")(shop))


def _one(section: str, name: str, table: Any, shop: Shop) -> Instances:
    keys = Section(f"{section}.{name}", table, shop.faults)
    if not _NAME.match(name):
        shop.faults.append(f"{section}.{name[:60]}: a name is 1 to 32 of a-z, 0-9, - and _")
    kind = keys.text("kind")
    if kind is None:
        return Instances()
    factory = _factory(section, kind)
    if factory is None:
        allowed = ", ".join(one.kind for one in BUILT_INS if one.section == section)
        keys.fault("kind", f"{kind[:60]!r} is unknown; built in: {allowed}; others by an entry point of {GROUP}")
        return Instances()
    made = factory(name, keys, shop)
    keys.done()
    for sink in made.sinks:
        if lacks := lacking(sink):
            keys.fault("kind", f"{kind[:60]!r} makes a sink without {lacks}; see Sink in adapters/api.py")
    return made


def _factory(section: str, kind: str) -> Factory | None:
    for one in BUILT_INS:
        if (one.section, one.kind) == (section, kind):
            found: Factory = _load(one.factory)
            return found
    for point in importlib.metadata.entry_points(group=GROUP, name=kind):
        foreign: Factory = point.load()
        return foreign
    return None


def _load(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


def _no_file(name: str) -> bytes:
    raise FileNotFoundError(2, "no files are here", name)


def _joined(one: Instances, other: Instances) -> Instances:
    return Instances(
        sensors=(*one.sensors, *other.sensors),
        verifiers=(*one.verifiers, *other.verifiers),
        readers=one.readers | other.readers,
        levers=one.levers | other.levers,
        sinks=(*one.sinks, *other.sinks),
        probes=one.probes | other.probes,
        countersign=one.countersign or other.countersign,
        closers=(*one.closers, *other.closers),
    )
