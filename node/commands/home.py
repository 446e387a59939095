"""The directory of one member as `tocsin init` lays it out, and signing from it.

D/governance.key   cold; leaves this machine after the charter is signed
D/card.toml        public
D/node.toml        the node's configuration
D/policy.toml      the owner's policy: observes until its owner writes rules
D/data/            the node's own: mark.cbor, keys/ and, later, store.sqlite
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from governance.card import Card, parse_card, write_card
from governance.durations import parse_duration
from governance.faults import FileFault, FileFaults
from governance.writing import Scalar, lines_of
from node import keys, mark
from node.config_identity import evm_address_of, peer_id_of
from node.config_model import ADDRESSES_MAX, NOWHERE, split_multiaddr
from node.keys import Purpose
from node.origin import APPLICATION_NAME, NETWORK_NAME
from protocol.crypto import Signer
from protocol.ids import GroupName, MemberName, PublicKey
from protocol.limits import KEYSET_TERM_MS_MAX, NAME_CHARS_MAX
from protocol.messages import NAME_ALPHABET, KeySet

if TYPE_CHECKING:
    from governance.chain import Chain
    from protocol.membership import Epoch

CARD_NAME, CONFIG_NAME, CHARTER_NAME, DATA_NAME = "card.toml", "node.toml", "charter.toml", "data"
POLICY_NAME = "policy.toml"
GOVERNANCE_NAME = "governance.key"
"""Beside the card, never below data_dir: it is cold, and a copy of the node must not hold it."""
CARD_BYTES_MAX = 64 * 1024
NEW_EVM = "new"
"""As `evm`: a key of its own is made beside the others, and its address goes on the card."""
_POLICY = """# The owner's policy. `tocsin policy check --config node.toml` says in sentences what it would do.
policy = 1
mode = "observe"             # answers claims and raises alarms like every member; moves no lever
#
# What is at stake ([asset], [exposure]), what could be shut ([lever]) and when ([rule]) come here; then
# mode = "ask": a person approves each action. mode = "act": the rules do.
"""
_TAIL = """
# One [[connection]] for each chain endpoint; id is the source's id in the charter:
# [[connection]]
# id = "NAME-home"
# chain = "eip155:1"
# url = "http://127.0.0.1:8545"
#
# Whom alone transactions on that chain are given at first, so that nobody runs ahead of a lever:
# [[relay]]
# chain = "eip155:1"
# url = "https://rpc.flashbots.net/fast"
# public_after_s = 25         # then the connections are given them too; never_public = true: never
#
# listen = "none" is for a node that nobody can dial, behind NAT for example: it dials the others.
# Addresses of others stand in the charter; a [[peer]] here stands over them. Of several none is special; names as in
# "/dns4/node.example/tcp/4001" are looked up anew for each dial:
# [[peer]]
# member = "issuer"
# addrs = ["/ip4/192.0.2.2/tcp/4001", "/dns6/issuer.example/tcp/4001"]
#
# Who is no member and may read certificates, up to its ceiling (CLEAR or GREEN), at a small rate:
# [[observer]]
# name = "exchange-x"
# peer_id = "12D3KooW…"
# tlp = "GREEN"
"""


@dataclass(frozen=True)
class Home:
    """What was made. `lever_address` is 0x…"""

    directory: Path
    card: Card
    lever_address: str

    @property
    def card_path(self) -> Path:
        return self.directory / CARD_NAME

    @property
    def config_path(self) -> Path:
        return self.directory / CONFIG_NAME

    @property
    def policy_path(self) -> Path:
        return self.directory / POLICY_NAME

    @property
    def governance_path(self) -> Path:
        return self.directory / GOVERNANCE_NAME


@dataclass(frozen=True)
class Founder:
    governance: Signer
    keyset: KeySet


def _word_faults(name: str, group: str, addresses: tuple[str, ...], evm: str) -> list[FileFault]:
    faults = []
    for where, word in (("NAME", name), ("--group", group or name)):
        if not 1 <= len(word) <= NAME_CHARS_MAX or not set(word) <= set(NAME_ALPHABET):
            cure = f"use 1 to {NAME_CHARS_MAX} characters of a-z, 0-9 and -"
            faults.append(FileFault(f"{word!r} is no name", where, cure))
    for address in addresses:
        try:
            split_multiaddr(address)
        except ValueError as error:
            what, _, cure = str(error).partition(": ")
            faults.append(FileFault(what, "--addr", cure))
    if len(addresses) > ADDRESSES_MAX:
        faults.append(FileFault(f"{len(addresses)} addresses", "--addr", f"at most {ADDRESSES_MAX}"))
    if evm not in ("", NEW_EVM) and _evm(evm) is None:
        cure = f'give 20 bytes in hexadecimal, or "{NEW_EVM}" to make a key here'
        faults.append(FileFault(f"{evm!r} is no address", "--evm", cure))
    return faults


def _evm(written: str) -> bytes | None:
    try:
        raw = bytes.fromhex(written.removeprefix("0x"))
    except ValueError:
        return None
    return raw if len(raw) == 20 else None


def _evm_of(data: Path) -> bytes:
    secret = keys.load_secret(keys.key_path(data, Purpose.EVM), Purpose.EVM)
    return bytes.fromhex(evm_address_of(secret.reveal())[2:])


def make_home(
    directory: Path, name: str, group: str, addresses: tuple[str, ...], evm: str = "", *, seed: bytes | None = None
) -> Home:
    """FileFaults for bad words, KeyFault or OSError where the directory is in use or cannot be written.

    `seed`: 32 bytes, makes the keys deterministic: for tests and the local network.
    """
    faults = _word_faults(name, group, addresses, evm)
    if faults:
        raise FileFaults(faults)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise keys.KeyFault("the directory is in use", directory, "Choose a new one, so that no key is overwritten.")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = directory / DATA_NAME
    data.mkdir(mode=0o700)
    # the attestation key's mark comes with it, so that an empty store beside it may sign at once (PROTOCOL 2)
    made = (Purpose.ATTESTATION, Purpose.TRANSPORT, Purpose.LEVER, *((Purpose.EVM,) if evm == NEW_EVM else ()))
    hot = keys.new_keys(data, purposes=made, seed=seed)
    cold = keys.new_keys(data, purposes=(Purpose.GOVERNANCE,), seed=seed)
    keys.key_path(data, Purpose.GOVERNANCE).rename(directory / GOVERNANCE_NAME)
    transport = keys.load_secret(keys.key_path(data, Purpose.TRANSPORT), Purpose.TRANSPORT)
    lever = keys.load_secret(keys.key_path(data, Purpose.LEVER), Purpose.LEVER)
    card = Card(
        name=MemberName(name),
        group=GroupName(group or name),
        governance=PublicKey(cold[Purpose.GOVERNANCE]),
        attestation=PublicKey(hot[Purpose.ATTESTATION]),
        peer_id=peer_id_of(transport.reveal()),
        addresses=addresses,
        evm=_evm_of(data) if evm == NEW_EVM else _evm(evm) if evm else None,
    )
    _write_new(directory / CARD_NAME, write_card(card))
    _write_new(directory / POLICY_NAME, _POLICY)
    _write_new(directory / CONFIG_NAME, _config(name, addresses[0] if addresses else ""))
    mark.sync_directory(directory)
    return Home(directory, card, evm_address_of(lever.reveal()))


def _config(name: str, address: str) -> str:
    """`address` "": nobody can dial this node."""
    listen = listen_at(address) if address else NOWHERE
    fields: dict[str, Scalar] = {"node": 1, "member": name, "charter": CHARTER_NAME, "data_dir": DATA_NAME}
    fields |= {"policy": POLICY_NAME, "listen": listen, "control": "control.sock", "log": "node.log"}
    return lines_of(fields) + _TAIL


def listen_at(address: str) -> str:
    host, port = split_multiaddr(address)
    family = address.split("/")[1]
    # a name is how others find the node; where it listens is an address of this machine
    return f"/ip4/0.0.0.0/tcp/{port}" if family.startswith("dns") else f"/{family}/{host}/tcp/{port}"


def _write_new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def founder_of(directory: Path, governance_key: Path | None, term: str, now_ms: int) -> Founder:
    """The cold signer and the KeySet of the hot keys that lie in `directory`; KeyFault, FileFaults, MarkError."""
    try:
        term_ms = parse_duration(term)
    except ValueError as error:
        raise FileFaults([FileFault(str(error), "--term", 'write it like "365d"')]) from None
    if not 0 < term_ms <= KEYSET_TERM_MS_MAX:
        raise FileFaults([FileFault(f"{term} is out of bounds", "--term", "at most a year")])
    card = _card(directory / CARD_NAME)
    data = directory / DATA_NAME
    attestation = keys.load_signer(keys.key_path(data, Purpose.ATTESTATION), Purpose.ATTESTATION).public
    found = mark.read(keys.mark_path(data))
    same = found is not None and found.attestation == attestation
    version = found.key_version if found is not None and same else keys.FIRST_KEY_VERSION
    transport = keys.load_secret(keys.key_path(data, Purpose.TRANSPORT), Purpose.TRANSPORT)
    peer_id = peer_id_of(transport.reveal())
    keyset = KeySet(card.name, version, attestation, card.evm, (peer_id,), now_ms + term_ms)
    governance = keys.load_signer(governance_key or directory / GOVERNANCE_NAME, Purpose.GOVERNANCE)
    return Founder(governance, keyset)


def _card(path: Path) -> Card:
    try:
        with path.open("rb") as file:
            return parse_card(file.read(CARD_BYTES_MAX).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not UTF-8"
        cure = "name the directory that `tocsin init` made with --dir"
        raise FileFaults([FileFault(f"the card cannot be read: {what}", str(path), cure)]) from None


def applicant_of(directory: Path, governance_key: Path | None, term: str, now_ms: int) -> tuple[Founder, GroupName]:
    """The same for who applies for a seat, and the group of its card."""
    return founder_of(directory, governance_key, term, now_ms), _card(directory / CARD_NAME).group


def settle(directory: Path, chain: Chain, epoch: Epoch, application: Path | None) -> Path:
    """Writes the network's charter, the chain and what the seat starts with into `directory`; the node.toml to start
    with. FileFaults where the application is another's, or whoever has no seat brings none."""
    from governance.application import parse_application
    from governance.chain import pack_chain

    card = _card(directory / CARD_NAME)
    data = directory / DATA_NAME
    if application is not None:
        text = application.read_text(encoding="utf-8")
        one = parse_application(text)
        if one.admit.member != card.name or one.network != epoch.network:
            raise FileFaults([FileFault("is of another member or network", str(application), "name your own")])
        _write_new(data / APPLICATION_NAME, text)
    elif card.name not in epoch.by_name:
        cure = "add --application FILE, as `tocsin member apply` wrote it"
        raise FileFaults([FileFault(f"{card.name} has no seat in epoch {epoch.number}", "", cure)])
    _write_new(directory / CHARTER_NAME, chain.charter)
    mark.write_durably(data / NETWORK_NAME, pack_chain(chain))
    mark.sync_directory(directory)
    return directory / CONFIG_NAME
