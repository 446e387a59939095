"""Who may connect: the members by their newest KeySets, and the node's own list of observers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import trio

from node.config import ConfigFaults, NodeConfig, load
from node.config_model import ObserverConfig, split_multiaddr
from node.events import Observer, ObserversListed
from node.machine.state import State
from node.parts import Parts
from node.transport.api import PeerAddress
from protocol.ids import MemberName
from protocol.messages import KeySet

FOLLOW_S = 0.5

log = logging.getLogger("tocsin.node")


def observers_of(config: NodeConfig) -> dict[str, Observer]:
    """By peer id, as the machine takes them."""
    return {one.peer_id: Observer(one.name, one.ceiling) for one in config.observers}


def list_observers_anew(parts: Parts) -> ObserversListed | None:
    """Only the observers: everything else of node.toml is read at the start alone. A file with a fault changes
    nothing, and nothing is told of it but in the log."""
    try:
        parts.config = replace(parts.config, observers=load(parts.config.path).observers)
    except ConfigFaults as error:
        for fault in error.faults:
            log.warning("%s: %s; the observers of before stay", error.path, fault)
        return None
    names = ", ".join(f"{one.name} up to {one.tlp}" for one in parts.config.observers)
    log.info("observers from now on: %s", names or "nobody")
    return ObserversListed(observers_of(parts.config))


def allowed_now(parts: Parts, state: State) -> dict[str, PeerAddress]:
    """By what the charter and the node know now; where members listen by our configuration, else the charter."""
    config, charter = parts.config, parts.charter
    addresses = {one.member: one.addresses for one in charter.contacts}
    addresses |= {MemberName(one.member): tuple(one.addrs) for one in config.peers}
    newest: dict[MemberName, KeySet] = {}
    held = [sealed.keyset for versions in state.keysets.values() for sealed in versions.values()]
    # before the machine has begun it knows none: then those of the start, of who still sits
    for keyset in held or [sealed.keyset for sealed in parts.keysets]:
        if keyset.member not in state.epoch.by_name:
            continue
        known = newest.get(keyset.member)
        if known is None or keyset.version >= known.version:
            newest[keyset.member] = keyset
    return allowed_peers(newest.values(), config.member, addresses, config.observers)


async def follow_members(
    allowed: Callable[[], dict[str, PeerAddress]], allow: Callable[[Mapping[str, PeerAddress]], None]
) -> None:
    """Whom a newer KeySet names may connect; whom it names no more is cut off, on live connections too."""
    last = allowed()
    while True:
        await trio.sleep(FOLLOW_S)
        wanted = allowed()
        if wanted != last:
            for peer_id in sorted(set(wanted) ^ set(last)):
                log.info("%s %s connect from now on", peer_id, "may" if peer_id in wanted else "may not")
            allow(wanted)
            last = wanted


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
