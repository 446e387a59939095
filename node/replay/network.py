"""Who would have counted: a charter's members, or as many as spoke when the incident was played."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.crypto import sha256
from protocol.ids import EpochHash, GroupName, MemberName, NetworkId, PublicKey, SourceId
from protocol.membership import Epoch, Member, Source

Sources = Mapping[MemberName, tuple[SourceId, ...]]
SCOPE = "eip155:1"


def supposed(seats: int) -> tuple[Epoch, Sources]:
    """`seats` members under the default formulas, each a group with a source of its own: for who has no charter yet."""
    names = [MemberName(f"seat-{number}") for number in range(seats)]
    members = tuple(Member(name, GroupName(name), PublicKey(bytes(32))) for name in names)
    sources = tuple(Source(SourceId(name), str(name), SCOPE) for name in names)
    told = sha256(b"supposed")
    epoch = Epoch(NetworkId(told), 0, EpochHash(told), 0, members, sources=sources)
    return epoch, {name: (SourceId(name),) for name in names}


def of_charter(epoch: Epoch) -> tuple[Epoch, Sources]:
    """Each member through what the register has of its own; who has nothing there counts for GUARD alone."""
    own = {
        one.name: tuple(source.id for source in epoch.sources if source.operator == one.name) for one in epoch.members
    }
    return epoch, own
