"""Who may connect: the members by their newest KeySets, and the node's own list of observers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from node.config_model import ObserverConfig, split_multiaddr
from node.transport.api import PeerAddress
from protocol.ids import MemberName
from protocol.messages import KeySet


def allowed_peers(
    keysets: Iterable[KeySet],
    me: MemberName,
    addresses: Mapping[MemberName, Sequence[str]],
    observers: Iterable[ObserverConfig],
) -> dict[str, PeerAddress]:
    """By peer id. `keysets`: each member's newest. Of one identity that several name the addresses of all are dialled,
    since nothing proves whose it is. An observer is never dialled, and who is a member by a KeySet is one."""
    found: dict[str, dict[str, None]] = {}
    for keyset in sorted(keysets, key=lambda one: one.member):
        if keyset.member != me:
            for peer_id in keyset.transport:
                usable = [one for one in addresses.get(keyset.member, ()) if is_address_of(peer_id, one)]
                found.setdefault(peer_id, {}).update(dict.fromkeys(usable))
    allowed = {peer_id: PeerAddress(peer_id, tuple(addrs)) for peer_id, addrs in found.items()}
    for observer in observers:
        allowed.setdefault(observer.peer_id, PeerAddress(observer.peer_id, (), observer=True))
    return allowed


def is_address_of(peer_id: str, text: str) -> bool:
    """Whether it can be dialled for this peer: the charter's addresses stand outside what founders signed."""
    try:
        split_multiaddr(text)
    except ValueError:
        return False
    _, _, named = text.partition("/p2p/")
    return named in ("", peer_id)
