"""Preflight: everything that would keep a node from starting, signing or acting, each with its cure.

A list of small checks over one `Facts`; the world (sockets, chains, the running node) comes in through `Probes`, so
that every check is tested without one. `tocsin doctor` runs them; nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from governance.charter import CharterFaults, check, parse
from governance.charter_toml import CHARTER_CHARS_MAX
from governance.faults import FileFaults
from node import keys, mark
from node.check_machine import MACHINE_CHECKS
from node.check_policy import policy_findings
from node.check_reach import adapters, agreement, levers, relays, tracing
from node.check_running import RUNNING_CHECKS
from node.check_types import Facts, Finding, Probes
from node.config import ConfigFaults, load
from node.config_identity import evm_address_of, peer_id_of
from node.config_model import split_multiaddr
from node.expiry import CURE, warning
from node.keys import KeyFault, Purpose
from node.origin import NoSeatError, Origin, OriginFault, origin_of
from protocol.errors import ProtocolError
from protocol.ids import SourceId
from protocol.messages import KeySet

LEVER_BALANCE_WEI_LEAST = 10**16
"""A hundredth of a coin: some hundred transactions of a lever at ordinary prices."""


def examine(config_path: Path, probes: Probes) -> list[Finding]:
    """Never raises for what is wrong with a node: that is what the findings say."""
    findings = list(_interpreter(probes))
    try:
        config = load(config_path, probes.environ)
    except ConfigFaults as error:
        return [
            *findings,
            *(
                Finding("config", False, f"{one.where or config_path.absolute()}: {one.what}", one.cure)
                for one in error.faults
            ),
        ]
    findings.append(Finding("config", True, f"{config.path} is whole"))
    facts = Facts(config, probes, status=probes.status(config.control))
    for one in CHECKS:
        findings.extend(one(facts))
    return findings


def _interpreter(probes: Probes) -> Iterator[Finding]:
    if probes.optimised:
        yield Finding("python", False, "runs with -O, which strips checks", "start it without -O and PYTHONOPTIMIZE")


def _keys(facts: Facts) -> Iterator[Finding]:
    data = facts.config.data_dir
    try:
        path = keys.key_path(data, Purpose.ATTESTATION)
        facts.attestation = keys.load_signer(path, Purpose.ATTESTATION).public
        transport = keys.load_secret(keys.key_path(data, Purpose.TRANSPORT), Purpose.TRANSPORT)
        facts.own_peer_id = peer_id_of(transport.reveal())
        yield Finding("keys", True, f"{facts.config.keys}: whole and private")
    except KeyFault as fault:
        yield Finding("keys", False, f"{fault.what} ({fault.path})", fault.cure)
    cold = [path for path in (data, facts.config.keys) if (path / "governance.key").exists()]
    if cold:
        what = f"the governance key lies in {cold[0]}, where the node can read it"
        yield Finding("keys", None, what, "move it off this machine")


def _mark(facts: Facts) -> Iterator[Finding]:
    try:
        found = mark.read(facts.config.mark)
    except mark.MarkError as error:
        yield Finding("mark", False, str(error), "")
        return
    if found is None:
        cure = "put the mark back, or run `tocsin restore --fresh-key` with the governance key"
        yield Finding("mark", False, f"no mark at {facts.config.mark}: the node would sign nothing", cure)
    elif facts.attestation is not None and found.attestation != facts.attestation:
        cure = "put the key that belongs to it back, or run `tocsin restore --fresh-key`"
        yield Finding("mark", False, "the mark is of another attestation key", cure)
    elif found.seq != mark.NOTHING_SIGNED and not facts.config.store.exists():
        what = f"the key has signed up to seq {found.seq} and there is no store"
        yield Finding("mark", False, what, "run `tocsin restore BACKUP`, which delegates a fresh key")
    else:
        said = "nothing signed yet" if found.seq == mark.NOTHING_SIGNED else f"signed up to seq {found.seq}"
        yield Finding("mark", True, said)


def _charter(facts: Facts) -> Iterator[Finding]:
    path = facts.config.charter
    try:
        with path.open("rb") as file:
            charter = parse(file.read(CHARTER_CHARS_MAX + 1).decode("utf-8"))
    except OSError as error:
        cure = "put the signed charter there; `tocsin charter create` begins one"
        yield Finding("charter", False, f"{path} cannot be read: {error.strerror}", cure)
        return
    except UnicodeDecodeError:
        yield Finding("charter", False, f"{path} is not UTF-8", "get the signed charter again")
        return
    except CharterFaults as error:
        yield from _faults("charter", error)
        return
    facts.charter = charter
    result = check(charter, facts.probes.now_ms)
    yield from _faults("charter", result) if result.faults else ()
    yield from (Finding("charter", None, note, "") for note in result.notes)
    if result.ok:
        yield Finding("charter", True, f"network {charter.network.hex()[:16]}…, signed by all {len(charter.members)}")


def _faults(name: str, found: FileFaults | Any) -> Iterator[Finding]:
    yield from (
        Finding(name, False, f"{one.where}: {one.what}" if one.where else one.what, one.cure) for one in found.faults
    )


def _seat(facts: Facts) -> Iterator[Finding]:
    """Is this node the member that it says it is, under a key that was delegated?"""
    charter, member = facts.charter, facts.config.member
    if charter is None:
        return
    try:
        facts.origin = origin_of(facts.config, charter)
    except NoSeatError:
        names = ", ".join(charter.by_name)
        cure = "mend `member`, or the charter; who joins starts with `tocsin join`"
        yield Finding("seat", False, f"{member} has no seat in this charter ({names})", cure)
        return
    except OriginFault as error:
        yield Finding("seat", False, str(error), "put it there anew")
        return
    if facts.attestation is None:
        return
    delegated = _delegated(facts, facts.origin)
    newest = max(delegated, key=lambda one: one.version, default=None)
    if newest is None or newest.attestation != facts.attestation:
        cure = "run `tocsin charter sign` before founding, or `tocsin restore --fresh-key` after"
        yield Finding("seat", False, "the governance key has not delegated this attestation key", cure)
    elif newest.expires_ms <= facts.probes.now_ms:
        yield Finding("seat", False, "the KeySet has expired: the node signs nothing", f"run `{CURE}`")
    elif words := warning(newest.expires_ms, facts.probes.now_ms):
        yield Finding("seat", None, words)
    else:
        yield Finding("seat", True, f"{member}, KeySet {newest.version}")


def _delegated(facts: Facts, origin: Origin) -> list[KeySet]:
    raws = [*origin.keysets, *(one.raw for one in origin.extra)]
    for path in sorted(facts.config.data_dir.glob("keyset-*.cbor")):
        try:
            raws.append(path.read_bytes()[:65_536])
        except OSError:
            continue
    found = []
    for raw in raws:
        try:
            keyset = origin.open_own(raw).keyset
        except ProtocolError:
            continue
        if keyset.member == facts.config.member:
            found.append(keyset)
    return found


def _keysets(facts: Facts) -> list[KeySet]:
    """The charter's; of a file that cannot be read another check tells."""
    try:
        return [] if facts.charter is None else [sealed.keyset for sealed in facts.charter.keysets]
    except ProtocolError:
        return []


def _store(facts: Facts) -> Iterator[Finding]:
    if not facts.config.store.exists():
        return
    # SQLAlchemy comes with it: only where there is a store to look at
    from node.store_check import check_file, own_seq
    from node.store_errors import StoreError

    try:
        found = check_file(facts.config.store)
    except StoreError as error:
        yield Finding("store", False, f"{error.what} ({error.where})", error.cure)
        return
    if facts.charter is not None and found.network not in (None, facts.charter.network):
        cure = "put the network's own charter back, or give this network a data_dir of its own"
        yield Finding("store", False, "the store is of another network than the charter", cure)
    elif found.member not in (None, facts.config.member):
        yield Finding("store", False, f"the store is {found.member}'s", "each member has a data_dir of its own")
    elif facts.status is None and (behind := _behind(facts, own_seq)):
        yield Finding("store", False, behind, "run `tocsin restore --fresh-key` with the governance key")
    else:
        yield Finding("store", True, f"whole, {found.records} records")


def _behind(facts: Facts, own_seq: Callable[[Path, str, int], int]) -> str:
    """What the node itself would find at its start; "" where mark and store can agree."""
    try:
        found = mark.read(facts.config.mark)
    except mark.MarkError:
        return ""
    if found is None:
        return ""
    seq = own_seq(facts.config.store, facts.config.member, found.key_version)
    if seq > found.seq:
        return f"the store (seq {seq}) is ahead of the mark (seq {found.seq}): the mark was rolled back"
    if seq < found.seq - len(found.raws):
        return f"the key has signed up to seq {found.seq}, the store ends at seq {seq}: it is an older copy"
    return ""


def _observers(facts: Facts) -> Iterator[Finding]:
    """Who reads along must be nobody whose word counts: as a member it would be sent everything."""
    listed = facts.config.observers
    if not listed:
        return
    seats: dict[str, str] = {}
    for keyset in _keysets(facts):
        seats.update((peer_id, keyset.member) for peer_id in keyset.transport)
    sick = False
    for one in listed:
        seat = facts.config.member if one.peer_id == facts.own_peer_id else seats.get(one.peer_id, "")
        if seat:
            sick = True
            what = f"{one.name} is listed under the peer id of {seat}, a member, which is sent everything"
            yield Finding("observer", False, what, "remove that [[observer]], or mend its peer_id")
    if not sick:
        names = ", ".join(f"{one.name} (up to TLP:{one.tlp})" for one in listed)
        yield Finding("observer", True, f"may connect and read certificates: {names}")


def _port(facts: Facts) -> Iterator[Finding]:
    if facts.config.listen is None:
        yield Finding("port", None, "listens nowhere: this node dials, nobody can dial it", "")
        return
    host, port = split_multiaddr(facts.config.listen)
    if facts.status is not None:
        yield Finding("port", True, f"the node runs and listens on {facts.config.listen}")
        return
    why = facts.probes.port(host, port)
    cure = "stop what holds it, or change `listen` in node.toml"
    yield (
        Finding("port", False, f"{facts.config.listen}: {why}", cure)
        if why
        else Finding("port", True, f"{facts.config.listen} is free")
    )


def _chains(facts: Facts) -> Iterator[Finding]:
    for connection in facts.config.connections:
        where = f"{connection.id} at {connection.shown_url}"
        registered = {} if facts.origin is None else facts.origin.head.source_by_id
        source = registered.get(SourceId(connection.id))
        if facts.origin is not None and (source is None or source.scope != connection.chain):
            what = f"{where} is no source of {connection.chain} in the register: what it says counts for no quorum"
            yield Finding(
                "chain",
                None,
                what,
                "name it by its id in the register: tocsin network show, or the charter's [[source]] list",
            )
        namespace, _, reference = connection.chain.partition(":")
        if namespace != "eip155" or connection.url.startswith("ws"):
            yield Finding("chain", None, f"{where}: not asked (only eip155 over http is)", "")
            continue
        yield _chain(facts, connection.url, where, int(reference) if reference.isdigit() else -1)


def _chain(facts: Facts, url: str, where: str, wanted: int) -> Finding:
    try:
        found = int(str(facts.probes.rpc(url, "eth_chainId", [])), 16)
    except (OSError, ValueError) as error:
        return Finding("chain", False, f"{where} does not answer: {error}", "start it, or mend its url")
    if found != wanted:
        what = f"{where} is chain eip155:{found}, not eip155:{wanted}"
        return Finding("chain", False, what, "mend `url` or `chain` of that [[connection]]")
    return Finding("chain", True, f"{where} answers as eip155:{found}")


def _gas(facts: Facts) -> Iterator[Finding]:
    """Each account of a lever on each of its chains."""
    urls = {one.chain: one.url for one in reversed(facts.config.connections) if one.url.startswith("http")}
    seen = set()
    for name, target in facts.config.targets.items():
        file, chain = target.get("key_file"), str(target.get("chain", ""))
        if type(file) is not str or (file, chain) in seen:
            continue
        seen.add((file, chain))
        yield _account_gas(facts, name, file, chain, urls.get(chain, ""))


def _account_gas(facts: Facts, name: str, file: str, chain: str, url: str) -> Finding:
    try:
        address = evm_address_of(keys.load_secret(facts.config.keys / Path(file).name, Purpose.LEVER).reveal())
    except KeyFault as fault:
        return Finding("lever", False, f"target {name}: {fault.what} ({fault.path})", fault.cure)
    if not url:
        return Finding("lever", None, f"target {name}: no http connection to {chain}, gas was not asked", "")
    try:
        balance = int(str(facts.probes.rpc(url, "eth_getBalance", [address, "latest"])), 16)
    except (OSError, ValueError) as error:
        return Finding("lever", None, f"target {name}: the gas of {address} was not answered ({error})", "")
    if balance == 0:
        return Finding("lever", False, f"target {name}: {address} has no gas on {chain}", "send it some")
    if balance < LEVER_BALANCE_WEI_LEAST:
        what = f"target {name}: {address} has only {balance / 1e18:g} coins on {chain}"
        return Finding("lever", None, what, "send it some")
    return Finding("lever", True, f"target {name}: {address} has gas on {chain}")


def _policy(facts: Facts) -> Iterator[Finding]:
    yield from policy_findings(facts.config, facts.charter if facts.adapters_whole else None)


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _keys,
    _mark,
    _charter,
    _seat,
    _store,
    *MACHINE_CHECKS,
    adapters,
    tracing,
    _policy,
    _observers,
    _port,
    _chains,
    agreement,
    relays,
    _gas,
    levers,
    *RUNNING_CHECKS,
)
