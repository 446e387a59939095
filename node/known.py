"""What a member's directory knows of the network without a running node: the epoch, and whose evm key is whose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from governance.charter import Charter
from node.config import NodeConfig
from node.origin import Origin, origin_of
from node.records import VERSION, KeySetLearned, kind_of, unpack_record
from node.store_check import bodies_of
from protocol.envelope import SealedKeySet, keyset_owner, open_keyset
from protocol.errors import ImpossibleError, ProtocolError
from protocol.ids import MemberName
from protocol.membership import Epoch
from protocol.onchain import evm_keys


@dataclass(frozen=True)
class Known:
    epoch: Epoch
    """The newest."""
    epochs: tuple[Epoch, ...]
    """All that are known here, in order; `epoch` is the last."""
    evm: dict[MemberName, bytes]
    """Member → address of its newest KeySet that is known here."""
    keysets: dict[tuple[MemberName, int], SealedKeySet]
    raws: tuple[bytes, ...]
    """Every KeySet that stands here, of whoever sat at any time."""

    def evm_in(self, epoch: Epoch, now_ms: int) -> dict[MemberName, bytes]:
        """`evm` of an earlier epoch, whose members may have left since."""
        return evm_keys((one.keyset for one in _opened(self.raws, epoch).values()), now_ms)

    def keyset(self, member: MemberName, version: int) -> SealedKeySet | None:
        return self.keysets.get((member, version))


def known_here(config: NodeConfig, charter: Charter, now_ms: int) -> Known:
    """From what the node starts from, the KeySets beside the store and what the store has learned. StoreError."""
    origin = origin_of(config, charter)
    epoch = origin.head
    raws = tuple(_keysets(config, origin))
    held = _opened(raws, epoch)
    return Known(epoch, origin.epochs, evm_keys((one.keyset for one in held.values()), now_ms), held, raws)


def _opened(raws: Iterable[bytes], epoch: Epoch) -> dict[tuple[MemberName, int], SealedKeySet]:
    """What no governance key of this epoch sealed says nothing; of two of one version the lower hash holds."""
    held: dict[tuple[MemberName, int], SealedKeySet] = {}
    for raw in raws:
        try:
            member = epoch.by_name.get(keyset_owner(raw))
            sealed = open_keyset(raw, epoch.network, member.governance_key) if member is not None else None
        except ProtocolError:
            continue
        if sealed is not None:
            key = (sealed.keyset.member, sealed.keyset.version)
            held[key] = min(held.get(key, sealed), sealed, key=lambda one: one.hash)
    return held


def _keysets(config: NodeConfig, origin: Origin) -> Iterator[bytes]:
    yield from origin.keysets
    for path in sorted(config.data_dir.glob("keyset-*.cbor")):
        yield path.read_bytes()
    kind = kind_of(KeySetLearned)
    for body in bodies_of(config.store, kind):
        try:
            record = unpack_record(kind, VERSION, body)
        except (ImpossibleError, ProtocolError):
            continue
        if isinstance(record, KeySetLearned):
            yield record.raw
