"""TCP that asks again within a second. By default the system doubles its pauses: a dial into a partition asks after 1,
3 and 7 seconds, and a connection that survived one of six seconds stays silent for six more."""

from __future__ import annotations

import socket
import sys
from typing import Any

import trio
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.transport.exceptions import OpenConnectionError
from libp2p.transport.tcp.tcp import TCP
from libp2p.utils.multiaddr_utils import extract_ip_from_multiaddr

from node.transport.handshake import HandshakeStream

_TCP_RTO_MAX_MS = 44
"""Linux's number, from 6.15 on; Python has no name for it yet."""
_RETRANSMIT_MS_MAX = 1_000
"""The least that it takes."""


def ask_again_soon(sock: Any) -> bool:
    """Bounds the pause between two tries; False where the system cannot, and nothing changes."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_RTO_MAX_MS, _RETRANSMIT_MS_MAX)
    except OSError:
        return False
    return True


def asks_again_soon() -> bool:
    """Whether this system can."""
    with socket.socket() as one:
        return ask_again_soon(one)


class EagerTCP(TCP):  # type: ignore[misc]
    """The library's, but for the socket of a dial."""

    async def _dial_resolved(self, maddr: Any, source: Any = None) -> RawConnection:
        """Connect to an address without a name. Raises OpenConnectionError."""
        host, port = extract_ip_from_multiaddr(maddr), maddr.value_for_protocol("tcp")
        if host is None or port is None:
            raise OpenConnectionError(f"{maddr} is no IP address and TCP port")
        family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
        sock = trio.socket.socket(family, trio.socket.SOCK_STREAM)
        try:
            ask_again_soon(sock)
            await sock.connect((host, int(port)))
            return RawConnection(HandshakeStream(trio.SocketStream(sock)), True)
        except OSError as error:
            sock.close()
            raise OpenConnectionError(f"{maddr} cannot be reached: {error}") from error
        except BaseException:
            sock.close()
            raise
