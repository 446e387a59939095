"""A member card: what one organisation hands to the others when a network is founded. Nothing in it is secret."""

from __future__ import annotations

from dataclasses import dataclass

from governance.faults import CardFaults, FileFault
from governance.reading import TableReader, read_toml
from governance.writing import Scalar, lines_of
from protocol.crypto import is_sound_key
from protocol.ids import GroupName, MemberName, PublicKey

ADDRESSES_MAX = 8
_HEAD = """\
# Tocsin member card. Public: hand it to whoever writes the charter, over a channel where they know your voice,
# and read the governance key out to them.
"""


@dataclass(frozen=True)
class Card:
    """`peer_id` is the libp2p identity, `addresses` multiaddrs without it, `evm` 20 bytes or None."""

    name: MemberName
    group: GroupName
    governance: PublicKey
    attestation: PublicKey
    peer_id: str
    addresses: tuple[str, ...]
    evm: bytes | None = None


def write_card(card: Card) -> str:
    fields: dict[str, Scalar] = {
        "card": 1,
        "name": card.name,
        "group": card.group,
        "governance": card.governance.hex(),
        "attestation": card.attestation.hex(),
        "peer_id": card.peer_id,
        "addresses": card.addresses,
    }
    if card.evm is not None:
        fields["evm"] = "0x" + card.evm.hex()
    return _HEAD + lines_of(fields)


def parse_card(text: str) -> Card:
    """CardFaults with every fault of the file."""
    document, faults = read_toml(text)
    if not faults:
        card = _read(TableReader(document, "", faults))
    if faults:
        raise CardFaults(faults)
    return card


def _read(reader: TableReader) -> Card:
    if reader.unsigned("card", 1) not in (0, 1):
        reader.fault("card", "is of a version unknown here", "write card = 1, or use a newer tocsin")
    name = reader.name("name")
    card = Card(
        name=MemberName(name),
        group=GroupName(reader.name("group") if reader.has("group") else name),
        governance=PublicKey(reader.raw("governance", 32, 32)),
        attestation=PublicKey(reader.raw("attestation", 32, 32)),
        peer_id=reader.text("peer_id", "12D3KooW…", 64),
        addresses=reader.texts("addresses", "/ip4/192.0.2.1/tcp/4001", ADDRESSES_MAX),
        evm=reader.raw("evm", 20, 20) if reader.has("evm") else None,
    )
    reader.done()
    reader.faults.extend(_key_faults(card))
    return card


def _key_faults(card: Card) -> list[FileFault]:
    faults = [
        FileFault("is no point of the prime-order group", where, "make the card again with `tocsin init`")
        for where, key in (("governance", card.governance), ("attestation", card.attestation))
        if key and not is_sound_key(key)
    ]
    if card.governance and card.governance == card.attestation:
        faults.append(FileFault("is the governance key too", "attestation", "keys are apart: run `tocsin init`"))
    return faults
