"""A node's configuration: node.toml, the environment over it, every fault at once.

Relative paths are relative to the file, but `control`, which is relative to `data_dir`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from governance.faults import FileFault, FileFaults, nearest
from governance.reading import read_toml
from node.config_model import (
    EXAMPLES,
    NOWHERE,
    CanaryConfig,
    ClockConfig,
    ConnectionConfig,
    ConsoleConfig,
    MetricsConfig,
    NodeFile,
    ObserverConfig,
    PeerConfig,
    RelayConfig,
    TracingConfig,
    split_endpoint,
)
from node.config_overlay import overlay
from protocol.ids import MemberName

CONFIG_BYTES_MAX = 1024 * 1024
BESIDE_BYTES_MAX = 4 * 1024 * 1024
"""Of a file beside node.toml that it names."""
CONTROL_PATH_BYTES_MAX = 107
"""sockaddr_un holds 108 bytes on Linux, the last one a zero."""
STORE_NAME, MARK_NAME, KEYS_NAME, PEOPLE_NAME = "store.sqlite", "mark.cbor", "keys", "people.json"
INSIDERS_NAME = "insiders.jsonl"


class ConfigFaults(FileFaults):
    """node.toml that cannot be used; `path` is the file."""

    def __init__(self, path: Path, faults: Iterable[FileFault]) -> None:
        super().__init__(faults)
        self.path = path


@dataclass(frozen=True)
class NodeConfig:
    """All paths absolute. `log` None: standard error. `policy` None: observe, answer, touch nothing. `listen` None:
    this node dials and cannot be dialled."""

    path: Path
    member: MemberName
    charter: Path
    data_dir: Path
    policy: Path | None
    listen: str | None
    control: Path
    log: Path | None
    peers: tuple[PeerConfig, ...] = ()
    observers: tuple[ObserverConfig, ...] = ()
    connections: tuple[ConnectionConfig, ...] = ()
    relays: tuple[RelayConfig, ...] = ()
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    sensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    sinks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    clock: ClockConfig = field(default_factory=ClockConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    canary: CanaryConfig = field(default_factory=CanaryConfig)
    console: ConsoleConfig | None = None
    """Its paths absolute too."""
    tracing: TracingConfig | None = None

    @property
    def store(self) -> Path:
        return self.data_dir / STORE_NAME

    @property
    def mark(self) -> Path:
        return self.data_dir / MARK_NAME

    def read_beside(self, name: str) -> bytes:
        """A file that the configuration names, from its own directory; at most a byte above what is taken. OSError."""
        with (self.path.parent / name).open("rb") as file:
            return file.read(BESIDE_BYTES_MAX + 1)

    @property
    def insiders(self) -> Path:
        """Who read what is not for everybody (node.insiders)."""
        return self.data_dir / INSIDERS_NAME

    @property
    def people(self) -> Path:
        """Who may use the console (node.people)."""
        return self.data_dir / PEOPLE_NAME

    @property
    def keys(self) -> Path:
        """The directory of `attestation.key`, `transport.key`, `lever.key` (node.keys)."""
        return self.data_dir / KEYS_NAME


def load(path: Path, environ: Mapping[str, str] | None = None) -> NodeConfig:
    """ConfigFaults with every fault; `environ` defaults to the process's."""
    path = path.absolute()
    document, faults = read_toml(_read(path))
    if faults:
        raise ConfigFaults(path, faults)
    faults.extend(overlay(document, os.environ if environ is None else environ))
    try:
        file = NodeFile.model_validate(document)
    except ValidationError as error:
        raise ConfigFaults(path, [*map(_fault, error.errors()), *faults]) from None
    config = _resolved(path, file)
    faults.extend(_sense(config))
    if faults:
        raise ConfigFaults(path, faults)
    return config


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(CONFIG_BYTES_MAX + 1)
        if len(raw) > CONFIG_BYTES_MAX:
            raise ConfigFaults(path, [FileFault(f"is over {CONFIG_BYTES_MAX} bytes", "", "this is no node.toml")])
        return raw.decode("utf-8")
    except OSError as error:
        maker = "tocsin drill init" if path.name == "drill.toml" else "tocsin init"
        cure = f"name it with --config, or make one with `{maker}`"
        raise ConfigFaults(path, [FileFault(f"cannot be read: {error.strerror}", "", cure)]) from None
    except UnicodeDecodeError:
        raise ConfigFaults(path, [FileFault("is not UTF-8", "", "save it as UTF-8")]) from None


def _resolved(path: Path, file: NodeFile) -> NodeConfig:
    base = path.parent
    data_dir = base / file.data_dir
    return NodeConfig(
        path=path,
        member=MemberName(file.member),
        charter=base / file.charter,
        data_dir=data_dir,
        policy=None if file.policy is None else base / file.policy,
        listen=None if file.listen == NOWHERE else file.listen,
        control=data_dir / file.control,
        log=None if file.log == "-" else base / file.log,
        peers=tuple(file.peer),
        observers=tuple(file.observer),
        connections=tuple(file.connection),
        relays=tuple(file.relay),
        targets=file.target,
        sensors=file.sensor,
        sinks=file.sink,
        clock=file.clock,
        metrics=file.metrics,
        canary=file.canary,
        console=_console(base, file.console),
        tracing=file.tracing,
    )


def _console(base: Path, console: ConsoleConfig | None) -> ConsoleConfig | None:
    if console is None:
        return None
    paths = {name: str(base / one) for name in ("cert", "key") if (one := getattr(console, name)) is not None}
    return console.model_copy(update=paths)


def _sense_console(console: ConsoleConfig) -> list[FileFault]:
    faults = []
    if (console.cert is None) != (console.key is None):
        faults.append(FileFault("has one of cert and key", "console", "name both, or neither on loopback"))
    if not console.loopback and console.cert is None:
        cure = "name cert and key, or listen on 127.0.0.1 and come through a tunnel"
        faults.append(FileFault("would carry tokens in the clear", "console.listen", cure))
    if console.anywhere and not console.hosts:
        faults.append(FileFault("is missing", "console.hosts", "name what people write into their browser"))
    return faults


def _sense(config: NodeConfig) -> list[FileFault]:
    """What no single key shows."""
    faults = []
    if len(os.fsencode(config.control)) > CONTROL_PATH_BYTES_MAX:
        size = len(os.fsencode(config.control))
        cure = f'a Unix socket\'s path has at most {CONTROL_PATH_BYTES_MAX}; write control = "/run/tocsin/NAME.sock"'
        faults.append(FileFault(f"the socket's path has {size} bytes", "control", cure))
    shown = config.metrics.listen
    if shown and not config.metrics.beyond_this_machine and not ip_address(split_endpoint(shown)[0]).is_loopback:
        what = f"{shown} can be reached from other machines, and who is there sees members, levers and exposures"
        cure = 'write "127.0.0.1:9464", or add beyond_this_machine = true'
        faults.append(FileFault(what, "metrics.listen", cure))
    for name, count in Counter(peer.member for peer in config.peers).items():
        if count > 1:
            faults.append(
                FileFault(f"{name} stands {count} times", "peer", "one [[peer]] of each member, all addrs in it")
            )
        if name == config.member:
            faults.append(FileFault(f"{name} is this node itself", "peer", "remove that [[peer]]"))
    for what in ("name", "peer_id"):
        for name, count in Counter(getattr(one, what) for one in config.observers).items():
            if count > 1:
                faults.append(FileFault(f"{name} stands {count} times", "observer", f"each observer has one {what}"))
    faults += _sense_console(config.console) if config.console is not None else []
    for name, count in Counter(connection.id for connection in config.connections).items():
        if count > 1:
            faults.append(
                FileFault(f"{name} stands {count} times", "connection", "each connection has an id of its own")
            )
    return faults + list(_sense_relays(config))


def relays_by_chain(config: NodeConfig) -> dict[str, list[RelayConfig]]:
    """In the order of chains; all of one agree on when what they have goes public."""
    chains = sorted({one.chain for one in config.relays})
    return {chain: [one for one in config.relays if one.chain == chain] for chain in chains}


def _sense_relays(config: NodeConfig) -> Iterator[FileFault]:
    """Never with a url: it may hold a token."""
    seen = {one.chain for one in config.connections}
    for chain, relays in relays_by_chain(config).items():
        if not chain.startswith("eip155:"):
            yield FileFault(
                f"{chain} is no EVM chain", "relay", "remove its [[relay]]: nothing is sent there in private"
            )
        elif chain not in seen:
            cure = "add one: a relay takes transactions and shows nothing of a chain"
            yield FileFault(f"no [[connection]] sees {chain}", "relay", cure)
        if len({one.url for one in relays}) < len(relays):
            yield FileFault(f"one url of {chain} stands twice", "relay", "one [[relay]] for each relay")
        for key in ("public_after_s", "never_public"):
            told = dict.fromkeys(str(getattr(one, key)).lower() for one in relays)
            if len(told) > 1:
                cure = "write the same in each [[relay]] of a chain: what one of them has, all have"
                yield FileFault(f"those of {chain} say {' and '.join(told)}", f"relay.{key}", cure)
        if any(one.never_public and "public_after_s" in one.model_fields_set for one in relays):
            cure = "remove one of them: what never goes public goes after no time"
            yield FileFault(f"{chain} has it beside never_public", "relay.public_after_s", cure)


def _fault(error: Any) -> FileFault:
    """A pydantic error as place, fact and cure. Never shows the input: it may hold a secret."""
    *parents, last = error["loc"] or ("",)
    where = _where(error["loc"])
    if error["type"] == "extra_forbidden":
        return FileFault("is an unknown key", where, nearest(str(last), _known(parents)))
    if error["type"] == "missing":
        return FileFault("is missing", where, f"add {EXAMPLES.get(str(last), f'{last} = …')}")
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error":
        fact, _, cure = text.partition(": ")
        return FileFault(fact, where, cure)
    return FileFault(text[:1].lower() + text[1:], where, "mend its value")


def _where(loc: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


_TABLES: dict[str, type[BaseModel]] = {
    "peer": PeerConfig,
    "observer": ObserverConfig,
    "connection": ConnectionConfig,
    "relay": RelayConfig,
    "clock": ClockConfig,
    "metrics": MetricsConfig,
    "canary": CanaryConfig,
    "console": ConsoleConfig,
    "tracing": TracingConfig,
}


def _known(parents: list[Any]) -> list[str]:
    model = _TABLES.get(str(parents[0]), NodeFile) if parents else NodeFile
    return list(model.model_fields)
