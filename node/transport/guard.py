"""py-libp2p 0.8.1 with the doors closed that it leaves open.

Every class here overrides a few methods of the library; `check_pinned_library` proves at start-up that each
of those names still exists in the one version they were written against. README.md says which defect
each override answers.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import libp2p.stream_muxer.muxer_multistream as muxer_module
import libp2p.stream_muxer.yamux.yamux as yamux_module
import libp2p.transport.tcp.tcp as tcp_module
import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.host.basic_host import BasicHost
from libp2p.identity.identify.identify import ID as IDENTIFY_ID
from libp2p.identity.identify.identify import identify_handler_for
from libp2p.network.auto_connector import AutoConnector
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.exceptions import SwarmException
from libp2p.network.stream.net_stream import NetStream
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from libp2p.protocol_muxer.generic_selector import GenericMultistreamSelector
from libp2p.protocol_muxer.multiselect import Multiselect
from libp2p.security.exceptions import HandshakeFailure
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as Noise
from libp2p.security.security_multistream import SecurityMultistream
from libp2p.stream_muxer.muxer_multistream import MuxerMultistream
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream
from libp2p.transport.tcp.tcp import TCP
from libp2p.transport.upgrader import TransportUpgrader

from node.transport.budget import TokenBucket
from node.transport.door import Door, GuardedListener
from node.transport.handshake import ENDLESS_TALK, EndlessTalkError, HandshakeStream, brief
from node.transport.limits import (
    CONNECTIONS_MAX,
    INBOUND_STREAMS_BURST,
    INBOUND_STREAMS_PER_CONNECTION,
    INBOUND_STREAMS_PER_S,
    PENDING_HANDSHAKES,
)
from node.transport.mux import QuietStream, QuietYamux
from node.transport.noise import RecordSession
from node.transport.tcp import EagerTCP

PINNED_VERSION = "0.8.1"

_SWARM_NAMES = (
    "dial_peer", "dial_addr", "listen", "_handle_inbound_connection", "upgrade_inbound_raw_conn",
    "register_notifee", "auto_connector", "add_conn",
)  # fmt: skip


class UnknownLibraryError(RuntimeError):
    """The installed libp2p is not the one that the overrides were written for."""


class Gate(Protocol):
    """Who may connect, and who is told about refusals. Called from inside the library; must not raise."""

    def refusal(self, peer_id: str) -> str | None:
        """Why this peer may not connect now; None when it may."""

    def misbehaved(self, peer_id: str, why: str) -> None:
        """Count something that the wire layer refused."""

    def turned_away(self) -> None:
        """Count a connection that failed before it had a name."""


def own_key_pair(identity_seed: bytes) -> Any:
    """The library's Ed25519 key pair of a 32-byte seed. Raises ValueError for another length."""
    if len(identity_seed) != 32:
        raise ValueError(f"an identity seed holds 32 bytes, this one holds {len(identity_seed)}")
    return create_new_key_pair(identity_seed)


def peer_id_of(identity_seed: bytes) -> str:
    """The peer id text of a 32-byte Ed25519 seed."""
    return str(ID.from_pubkey(own_key_pair(identity_seed).public_key))


def check_pinned_library(extra: tuple[tuple[Any, tuple[str, ...]], ...] = ()) -> None:
    """Refuse to run on a libp2p whose insides we do not know. Raises UnknownLibraryError saying what is missing."""
    found = importlib.metadata.version("libp2p")
    if found != PINNED_VERSION:
        raise UnknownLibraryError(
            f"libp2p {found} is installed and the transport knows {PINNED_VERSION} only; "
            f"install libp2p=={PINNED_VERSION} (see requirements.lock)"
        )
    probe = Yamux(None, None, is_initiator=True)
    wanted: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (Swarm(None, PeerStore(), None, []), _SWARM_NAMES),
        (BasicHost, ("_swarm_stream_handler", "_schedule_identify", "_push_identify_to_all_peers")),
        (AutoConnector, ("run_background_task", "maybe_connect")),
        (Noise, ("secure_inbound", "secure_outbound")),
        (
            probe,
            ("streams", "stream_buffers", "stream_events", "secured_conn", "event_shutting_down", "event_closed"),
        ),
        (
            YamuxStream(1, probe, True),
            (
                "recv_window",
                "send_window",
                "send_closed",
                "recv_closed",
                "reset_received",
                "send_window_update",
                "_auto_tune_and_send_window_update",
            ),
        ),
        (Yamux, ("handle_incoming", "_write_frame", "_read_data_body")),
        (muxer_module, ("Yamux",)),
        (tcp_module, ("_set_reuse_flags", "_open_reuseport_listeners")),
        (TCP, ("_dial_resolved",)),
        (GenericMultistreamSelector(), ("multiselect",)),
        (SecurityMultistream({}), ("_selector",)),
        (MuxerMultistream({}, 1), ("_selector",)),
        (Multiselect(), ("negotiate", "handlers")),
        *extra,
    )
    missing = [f"{owner!r}.{name}" for owner, names in wanted for name in names if not hasattr(owner, name)]
    if missing:
        raise UnknownLibraryError(f"libp2p {found} lacks what the transport overrides: {', '.join(missing)}")


class GatedNoise(Noise):  # type: ignore[misc]
    """Noise that lets in nobody who is not on the allow-list; the library's own gate knows IP addresses only."""

    def __init__(self, key_pair: Any, gate: Gate) -> None:
        super().__init__(key_pair, noise_privkey=create_noise_key_pair().private_key)
        self._gate = gate

    async def secure_inbound(self, conn: Any) -> Any:
        """Complete the handshake, then refuse strangers: a stranger costs us the handshake and nothing more."""
        return await self._admit(await super().secure_inbound(conn))

    async def secure_outbound(self, conn: Any, peer_id: Any) -> Any:
        """Complete the handshake with the expected peer, which may have left the list meanwhile."""
        return await self._admit(await super().secure_outbound(conn, peer_id))

    async def _admit(self, secured: Any) -> Any:
        peer_id = str(secured.get_remote_peer())
        why = self._gate.refusal(peer_id)
        if why is None:
            return RecordSession(secured, lambda fault: self._gate.misbehaved(peer_id, fault))
        await secured.close()
        raise HandshakeFailure(f"{peer_id} is refused: {why}")


class IdleConnector(AutoConnector):  # type: ignore[misc]
    """The library dials whomever it has heard of until half the connection limit is used; this one does not."""

    async def run_background_task(self, nursery: Any) -> None:
        """Start nothing."""

    async def maybe_connect(self) -> None:
        """Dial nobody."""


class GuardedSwarm(Swarm):  # type: ignore[misc]
    """A swarm that dials only when the link keeper says so, and forgets connections that have ended."""

    def __init__(self, key_pair: Any, gate: Gate, door: Door | None = None) -> None:
        own_id = ID.from_pubkey(key_pair.public_key)
        peerstore = PeerStore()
        peerstore.add_key_pair(own_id, key_pair)
        upgrader = TransportUpgrader(
            secure_transports_by_protocol={NOISE_ID: GatedNoise(key_pair, gate)},
            muxer_transports_by_protocol={YAMUX_ID: QuietYamux},
        )
        brief(upgrader.security_multistream._selector)
        brief(upgrader.muxer_multistream._selector)
        config = ConnectionConfig(
            max_connections=CONNECTIONS_MAX,
            min_connections=0,
            low_watermark=0,
            high_watermark=CONNECTIONS_MAX,
            inbound_upgrade_timeout=10.0,
            outbound_upgrade_timeout=10.0,
        )
        super().__init__(
            own_id,
            peerstore,
            upgrader,
            [EagerTCP()],
            retry_config=RetryConfig(max_retries=0),
            connection_config=config,
        )
        self.auto_connector = IdleConnector(swarm=self)
        self._gate = gate
        self._door = door
        self._pending: dict[int, Any] = {}
        self.inbound_live = 0

    async def dial_peer(self, peer_id: Any) -> Any:
        """Refuse: pubsub, peer exchange and identify would dial addresses that peers chose."""
        raise SwarmException(f"{peer_id} is dialled by the link keeper or not at all")

    @property
    def handshakes(self) -> int:
        """Inbound connections that have not proven an identity yet."""
        return len(self._pending)

    async def _handle_inbound_connection(self, read_write_closer: Any, maddr: Any) -> None:
        """The library's version keeps its slot until the swarm stops, so that reconnects use up all slots."""
        if len(self._pending) >= PENDING_HANDSHAKES:
            # The oldest is the likeliest to be a stranger who only holds the place: honest ones take milliseconds.
            await self._pending.pop(next(iter(self._pending))).close()
        self._pending[id(read_write_closer)] = read_write_closer
        try:
            raw = RawConnection(HandshakeStream(read_write_closer.stream), False)
            muxed = await self.upgrade_inbound_raw_conn(raw, maddr)
        except Exception:
            self._gate.turned_away()
            with trio.move_on_after(1):
                await read_write_closer.close()
            return
        finally:
            self._pending.pop(id(read_write_closer), None)
        self.inbound_live += 1
        try:
            await muxed.event_closed.wait()
        finally:
            self.inbound_live -= 1

    async def listen(self, *multiaddrs: Any) -> bool:
        """As the library, behind the door."""
        listening = bool(await super().listen(*multiaddrs))
        for listener in self.listeners.values():
            for one in getattr(listener, "listeners", ()):
                if isinstance(one, GuardedListener):
                    one.door = self._door
        return listening

    async def add_conn(self, muxed_conn: Any, direction: str = "unknown") -> Any:
        """As the library. Who is added has proven an identity that is allowed, whoever dialled."""
        where = muxed_conn.get_remote_address()
        if self._door is not None and where is not None:
            self._door.welcome(str(muxed_conn.peer_id), str(where[0]))
        return await super().add_conn(muxed_conn, direction)


class GuardedHost(BasicHost):  # type: ignore[misc]
    """A host whose stream handlers cannot raise into the swarm, and that asks nobody to identify himself."""

    def __init__(self, swarm: GuardedSwarm, gate: Gate) -> None:
        # Identify is answered, since other implementations need it; push and the ping service are not offered.
        handlers = OrderedDict([(IDENTIFY_ID, identify_handler_for(self, use_varint_format=True))])
        super().__init__(
            network=swarm, default_protocols=handlers, disable_identify_address_discovery=True, negotiate_timeout=10
        )
        brief(self)
        self._gate = gate
        self._inbound_streams: dict[int, int] = {}
        self._opening: dict[str, TokenBucket] = {}

    def _schedule_identify(self, peer_id: Any, *, reason: str) -> None:
        """Nothing here uses what identify says, and the library runs it as a system task, where errors are fatal."""

    async def _push_identify_to_all_peers(self) -> None:
        """See `_schedule_identify`."""

    async def _swarm_stream_handler(self, net_stream: NetStream) -> None:
        connection = id(net_stream.muxed_conn)
        peer_id = str(net_stream.muxed_conn.peer_id)
        live = self._inbound_streams.get(connection, 0)
        self._inbound_streams[connection] = live + 1
        try:
            if live >= INBOUND_STREAMS_PER_CONNECTION or not self._may_open(peer_id):
                self._gate.misbehaved(peer_id, "opened too many streams")
                await net_stream.reset()
                return
            await super()._swarm_stream_handler(net_stream)
        except EndlessTalkError:
            self._gate.misbehaved(peer_id, ENDLESS_TALK)
            await _reset_quietly(net_stream)
        except Exception as error:
            self._gate.misbehaved(peer_id, f"broke a stream: {type(error).__name__}")
            await _reset_quietly(net_stream)
        finally:
            left = self._inbound_streams[connection] - 1
            if left:
                self._inbound_streams[connection] = left
            else:
                del self._inbound_streams[connection]

    def _may_open(self, peer_id: str) -> bool:
        """Who resets what he opened may open again at once, and each costs a negotiation. Bounded: by allowed peers."""
        if peer_id not in self._opening:
            burst = INBOUND_STREAMS_BURST
            self._opening[peer_id] = TokenBucket(INBOUND_STREAMS_PER_S, burst, burst, trio.current_time())
        while len(self._opening) > CONNECTIONS_MAX:
            self._opening.pop(next(iter(self._opening)))
        return self._opening[peer_id].take(trio.current_time())


async def _reset_quietly(net_stream: NetStream) -> None:
    try:
        with trio.move_on_after(1):
            await net_stream.reset()
    except Exception as error:
        logging.getLogger(__name__).debug("a stream could not be reset: %r", error)


def build_host(key_pair: Any, gate: Gate, door: Door | None = None) -> tuple[GuardedSwarm, GuardedHost]:
    """A swarm and host that are not running yet: TCP, Noise and yamux, nothing else is offered. `door`: which sockets
    may begin a handshake; None: all."""
    # Remote peers decide what the library logs, at ERROR and with tracebacks; what matters is said by our own.
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    # Listening with SO_REUSEPORT lets a second node take half of the first one's connections without an error.
    tcp_module._set_reuse_flags = _reuse_address_only
    tcp_module._open_reuseport_listeners = _open_guarded_listeners
    # The library makes a Yamux by name, whatever class it was told to offer.
    muxer_module.Yamux = QuietYamux
    yamux_module.YamuxStream = QuietStream
    swarm = GuardedSwarm(key_pair, gate, door)
    return swarm, GuardedHost(swarm, gate)


def _reuse_address_only(sock: Any) -> None:
    sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)


_open_listeners = tcp_module._open_reuseport_listeners


async def _open_guarded_listeners(host: str | None, port: int) -> list[GuardedListener]:
    return [GuardedListener(one) for one in await _open_listeners(host, port)]


Notify = Callable[[Any], None]


class ConnectionNews:
    """A notifee of the swarm: tells the link keeper of every connection that stands."""

    def __init__(self, connected: Notify) -> None:
        self._connected = connected

    async def connected(self, network: Any, conn: Any) -> None:
        """Pass a new connection on."""
        self._connected(conn)

    async def disconnected(self, network: Any, conn: Any) -> None:
        """Links watch their own connection."""

    async def opened_stream(self, network: Any, stream: Any) -> None:
        """Not needed."""

    async def closed_stream(self, network: Any, stream: Any) -> None:
        """Not needed."""

    async def listen(self, network: Any, multiaddr: Any) -> None:
        """Not needed."""

    async def listen_close(self, network: Any, multiaddr: Any) -> None:
        """Not needed."""
