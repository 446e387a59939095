"""One round of dialling a peer: all its addresses side by side, none special, names looked up anew each time.

What does not answer is left to end by itself: where packets vanish, as in a partition, the system asks again each
second (`tcp`), or after 1, 3 and 7, and then the next round begins beside it.
"""

from __future__ import annotations

import socket
from typing import Any

import trio
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from node.transport.limits import Timing
from node.transport.tcp import asks_again_soon

_FAMILIES = {"dns": socket.AF_UNSPEC, "dns4": socket.AF_INET, "dns6": socket.AF_INET6}
_LOOK_UP_S = 3.0
_STAGGER_S = 0.1
"""Between two addresses of one peer: the second is not dialled where the first is that quick."""
_TARGETS_MAX = 16
_PENDING_MAX = 1 if asks_again_soon() else 2
"""Of one target. Rounds overlap where nothing answers and the system asks ever more seldom; each is a handshake at the
heal, all at once."""


class Dialler:
    """Dials one peer. `peer_id` as text."""

    def __init__(self, peer_id: str, timing: Timing) -> None:
        self._id = ID.from_base58(peer_id)
        self._timing = timing
        self._pending: dict[str, int] = {}

    async def round(self, net: Any, addresses: tuple[Multiaddr, ...]) -> str:
        """ "" when one address connected, else why each did not, in words. Dials go on in the host's nursery: the
        library tells of a connection before its dial returns, whoever heard of it ends the dialling, and a dial that
        is cancelled then closes that connection."""
        faults: dict[str, str] = {}
        targets: dict[str, Multiaddr] = {}
        for address in addresses:
            try:
                targets.update((str(target), target) for target in await look_up(address))
            except OSError as error:
                faults[str(address)] = f"the name is not known: {reason(error)}"
        attempt = _Attempt(faults)
        for name, target in list(targets.items())[:_TARGETS_MAX]:
            if self._pending.get(name, 0) >= _PENDING_MAX:
                faults[name] = "no answer yet"
                continue
            attempt.open += 1
            net.nursery.start_soon(self._dial, net, name, target, attempt)
            with trio.move_on_after(_STAGGER_S):
                await attempt.news.wait()
            if attempt.connected:
                return ""
        with trio.move_on_after(self._timing.round_s):
            while attempt.open and not attempt.connected:
                await attempt.news.wait()
        if attempt.connected:
            return ""
        return "; ".join(f"{name}: {faults.get(name, 'no answer yet')}" for name in {**targets, **faults})

    async def _dial(self, net: Any, name: str, target: Multiaddr, attempt: _Attempt) -> None:
        self._pending[name] = self._pending.get(name, 0) + 1
        try:
            with trio.fail_after(self._timing.dial_timeout_s):
                await net.swarm.dial_addr(target, self._id)
            attempt.connected = True
        except Exception as error:
            attempt.faults[name] = reason(error)
        finally:
            self._pending[name] -= 1
            if not self._pending[name]:
                del self._pending[name]
            attempt.open -= 1
            attempt.tell()


class _Attempt:
    """What is known of one round."""

    def __init__(self, faults: dict[str, str]) -> None:
        self.faults = faults
        self.open = 0
        self.connected = False
        self.news = trio.Event()

    def tell(self) -> None:
        self.news.set()
        self.news = trio.Event()


async def look_up(address: Multiaddr) -> list[Multiaddr]:
    """The IP addresses behind `/dns|dns4|dns6/<name>/tcp/<port>`, by the system's own resolver, which knows its hosts
    file; the library's asks name servers only. Anything else as it is. Raises OSError where the name is not known."""
    protocol, _, rest = str(address).lstrip("/").partition("/")
    if protocol not in _FAMILIES:
        return [address]
    host, _, port = rest.partition("/tcp/")
    with trio.move_on_after(_LOOK_UP_S):
        found = await trio.socket.getaddrinfo(
            host, int(port.partition("/")[0]), _FAMILIES[protocol], trio.socket.SOCK_STREAM
        )
        return [
            Multiaddr(f"/{'ip6' if family == socket.AF_INET6 else 'ip4'}/{where[0]}/tcp/{where[1]}")
            for family, _, _, _, where in found
        ]
    raise OSError(f"no answer within {_LOOK_UP_S:g} s")


def reason(error: BaseException) -> str:
    """The innermost cause, shortened: the library wraps `connection refused` three times."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error) or type(error).__name__)[:120]
