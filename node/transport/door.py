"""Who may begin a handshake: sockets have no name yet, so all there is to judge is where they come from.

A handshake costs milliseconds and a socket nothing, so a flooder would own the processor. What a flood of sockets costs
is bounded here: so many a second are looked at, fewer are let in, and those from where members live by themselves.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress

import trio

from node.transport.budget import TokenBucket
from node.transport.limits import (
    DOOR_BACKLOG,
    DOOR_KNOWN_BURST,
    DOOR_KNOWN_PER_S,
    DOOR_LOOKS_AT_ONCE,
    DOOR_LOOKS_BURST,
    DOOR_LOOKS_PER_S,
    DOOR_PLACES_MAX,
    DOOR_PLACES_PER_PEER,
    DOOR_REST_S,
    DOOR_STRANGE_BURST,
    DOOR_STRANGE_PER_S,
    DOOR_STRANGERS_BURST,
    DOOR_STRANGERS_PER_S,
)


class Door:
    """Bounded: one bucket for each place (an IPv4 /24, an IPv6 /48), the oldest forgotten first."""

    def __init__(self) -> None:
        now_s = 0.0
        self._listed: frozenset[str] = frozenset()
        self._came: OrderedDict[str, deque[str]] = OrderedDict()
        self._known: dict[str, TokenBucket] = {}
        self._strange: OrderedDict[str, TokenBucket] = OrderedDict()
        self._strangers = _bucket(DOOR_STRANGERS_PER_S, DOOR_STRANGERS_BURST, now_s)
        self._looks = _bucket(DOOR_LOOKS_PER_S, DOOR_LOOKS_BURST, now_s)
        self.turned_away = 0

    def know(self, addrs: Iterable[str]) -> None:
        """Multiaddr texts of where all allowed peers listen: their places are nobody's but theirs."""
        parts = [text.split("/") for text in addrs]
        self._listed = frozenset(_plain(one[2]) for one in parts if len(one) > 2 and one[1] in ("ip4", "ip6"))
        self._sort()

    def welcome(self, peer_id: str, ip: str) -> None:
        """An allowed peer has proven itself from there: it comes back by a door of its own, and pays for no handshake
        of strangers. Only its last few places: a liar could have many."""
        came = self._came.setdefault(peer_id, deque(maxlen=DOOR_PLACES_PER_PEER))
        if _plain(ip) not in came:
            came.append(_plain(ip))
        self._came.move_to_end(peer_id)
        while len(self._came) > DOOR_PLACES_MAX:
            self._came.popitem(last=False)
        self._sort()

    def admits(self, ip: str, now_s: float) -> bool:
        """Whether this socket may begin a handshake."""
        ip = _plain(ip)
        known = self._known.get(ip)
        if known is not None:
            admitted = known.take(now_s)
        else:
            admitted = self._place(ip, now_s).take(now_s) and self._strangers.take(now_s)
        self.turned_away += not admitted
        return admitted

    def may_look(self, now_s: float) -> bool:
        """Whether the next socket is looked at now; each one that is costs a look."""
        return self._looks.take(now_s)

    def _sort(self) -> None:
        """Buckets of the places that are known now; those that were known keep theirs."""
        known = self._listed.union(*self._came.values())
        if known != self._known.keys():
            fresh = {ip: _bucket(DOOR_KNOWN_PER_S, DOOR_KNOWN_BURST, 0.0) for ip in known - self._known.keys()}
            self._known = {ip: bucket for ip, bucket in self._known.items() if ip in known} | fresh

    def _place(self, ip: str, now_s: float) -> TokenBucket:
        name = _place_of(ip)
        if name not in self._strange:
            self._strange[name] = _bucket(DOOR_STRANGE_PER_S, DOOR_STRANGE_BURST, now_s)
        while len(self._strange) > DOOR_PLACES_MAX:
            self._strange.popitem(last=False)
        return self._strange[name]


def _bucket(per_s: float, burst: float, now_s: float) -> TokenBucket:
    return TokenBucket(per_s, burst, burst, now_s)


def _plain(ip: str) -> str:
    """One text for one address: a socket for both families names IPv4 in its own way."""
    if ":" not in ip:
        return ip
    with suppress(ValueError):
        address = ipaddress.ip_address(ip)
        return str(getattr(address, "ipv4_mapped", None) or address)
    return ip


def _place_of(ip: str) -> str:
    """Who has one address has its neighbours too."""
    if ":" not in ip:
        return ip.rpartition(".")[0]
    with suppress(ValueError):
        address = ipaddress.ip_address(ip.partition("%")[0])
        return str(ipaddress.ip_network((address, 48), strict=False))
    return ip


class GuardedListener(trio.abc.Listener[trio.SocketStream]):
    """Turns sockets away before they cost a task, several in one turn. `door` None: takes all."""

    def __init__(self, behind: trio.SocketListener) -> None:
        self._behind = behind
        self.socket = behind.socket
        self.socket.listen(DOOR_BACKLOG)
        # the same socket without trio's turns of the scheduler around each of its calls
        self._plain = socket.fromfd(self.socket.fileno(), self.socket.family, self.socket.type)
        self._plain.setblocking(False)
        self.door: Door | None = None

    async def accept(self) -> trio.SocketStream:
        """See trio. Only what the door admits is returned."""
        await trio.lowlevel.checkpoint()
        while True:
            admitted, empty = self._look()
            if admitted is not None:
                return trio.SocketStream(trio.socket.from_stdlib_socket(admitted))
            if empty:
                await trio.lowlevel.wait_readable(self.socket.fileno())
            else:
                # what waits, waits in the kernel's queue
                await trio.sleep(DOOR_REST_S)

    def _look(self) -> tuple[socket.socket | None, bool]:
        """The first that is admitted of those that wait, or None and whether nobody was there."""
        for looked in range(DOOR_LOOKS_AT_ONCE):
            now_s = trio.current_time()
            if self.door is not None and not self.door.may_look(now_s):
                break
            try:
                came, address = self._plain.accept()
            except BlockingIOError:
                return None, not looked
            except OSError as error:
                if self.socket.fileno() < 0:
                    raise trio.ClosedResourceError from None
                if error.errno in _NO_ROOM:
                    raise
                continue
            if self.door is None or self.door.admits(str(address[0]), now_s):
                return came, False
            # forgotten by both ends at once: a farewell would be answered, and waited for
            came.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            came.close()
        return None, False

    async def aclose(self) -> None:
        """See trio."""
        self._plain.close()
        await self._behind.aclose()


_AT_ONCE = struct.pack("ii", 1, 0)
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EBADF, errno.EINVAL})
"""Trio waits and tries again after the first four; whatever else happens to one who came is his own matter."""
