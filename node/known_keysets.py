"""A member's KeySets as this machine knows them: of a running node, or of its files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from node import mark
from node.config import NodeConfig
from node.origin import Origin
from node.records import EquivocationProven, KeySetLearned, kind_of, unpack_record
from protocol.envelope import SealedKeySet, parse_entry
from protocol.errors import ImpossibleError, ProtocolError
from protocol.ids import MemberName, NetworkId


@dataclass(frozen=True)
class FromFiles:
    """`held` of every member, the lower hash of two of one version. `forked`: (member, version) proven."""

    held: tuple[SealedKeySet, ...]
    forked: frozenset[tuple[MemberName, int]]
    marked: int
    """The version of the mark, 0 where none can be read."""


def from_files(config: NodeConfig, origin: Origin) -> FromFiles:
    """What it starts from, `keyset-*.cbor`, what the store learned. Each proves itself: what is torn is passed over."""
    found: dict[tuple[MemberName, int], SealedKeySet] = {}
    stored, forked = _of_store(config.store, origin.epoch.network)
    raws = [*origin.keysets, *(one.raw for one in origin.extra), *_files(config.data_dir), *stored]
    for raw in raws:
        sealed = origin.opened(raw)
        if sealed is None:
            continue
        name = (sealed.keyset.member, sealed.keyset.version)
        if name not in found or sealed.hash < found[name].hash:
            found[name] = sealed
    return FromFiles(tuple(found.values()), frozenset(forked), _marked(config))


def _files(data_dir: Path) -> Iterator[bytes]:
    for path in sorted(data_dir.glob("keyset-*.cbor")):
        try:
            yield path.read_bytes()[:65_536]
        except OSError:
            continue


def _of_store(path: Path, network: NetworkId) -> tuple[list[bytes], set[tuple[MemberName, int]]]:
    learned: list[bytes] = []
    forked: set[tuple[MemberName, int]] = set()
    if not path.exists():
        return learned, forked
    kinds = (kind_of(KeySetLearned), kind_of(EquivocationProven))
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            asked = "SELECT kind, version, body FROM records WHERE kind IN (?, ?) ORDER BY position"
            for row in connection.execute(asked, kinds):
                record = unpack_record(*row)
                if isinstance(record, KeySetLearned):
                    learned.append(record.raw)
                elif isinstance(record, EquivocationProven):
                    entry = parse_entry(record.one, network).entry
                    forked.add((entry.author, entry.key_version))
    except (sqlite3.Error, ProtocolError, ImpossibleError, TypeError):
        # `tocsin doctor` looks into a store that cannot be read; what was read so far proves itself
        pass
    return learned, forked


def _marked(config: NodeConfig) -> int:
    try:
        found = mark.read(config.mark)
    except mark.MarkError:
        return 0
    return found.key_version if found else 0
