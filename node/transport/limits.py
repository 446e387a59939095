"""Every bound of the wire layer, with its reason. Times in seconds, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass

from node.transport.api import Channel

KIB = 1024

FRAME_MAX: dict[Channel, int] = {
    # An entry is at most a few KiB; a batch of attestations in a certificate of 50 members fits four times.
    Channel.ENTRIES: 64 * KIB,
    # One page of reconciliation; equal to the receive window, so one frame can never need two windows.
    Channel.SYNC: 256 * KIB,
    # Relayed to everyone by everyone: the price of a byte here is the number of peers.
    Channel.GOSSIP: 64 * KIB,
}

# Per stream and peer. 512 frames of 400 bytes are two seconds of a node at its highest measured rate.
OUTBOX_FRAMES = 512
OUTBOX_BYTES = 4 * KIB * KIB
# One write to the multiplexer: large enough to amortise encryption, small enough that a ping gets between.
WRITE_BATCH_BYTES = 128 * KIB
# What one Noise record holds: 65 535 bytes less its tag.
RECORD_MAX = 65_519
# Events of one peer waiting for the node. Small on purpose: what does not fit waits in the sender's windows instead.
EVENTS_PER_PEER = 16
# The same of a transport in memory, which has one queue for all.
EVENT_QUEUE = 256
NEWS_QUEUE = 256
# Yamux's window: what a peer may have in flight on one stream before we must have read some of it.
RECEIVE_WINDOW = 256 * KIB
# All unread bytes of one connection. Yamux 0.8.1 only warns when a peer ignores its window, so we look.
UNREAD_MAX = 2 * KIB * KIB

# The multiplexer's frames of one connection, each one unit and one more for each 4 KiB: 8 MiB a second. Those that
# open, end or ask something go through the library's loop, a tenth of a millisecond each.
FRAMES_PER_S = 2_000.0
FRAMES_BURST = 8_000.0
FRAME_UNIT_BYTES = 4 * KIB
RARE_FRAME_UNITS = 8

# One read of a socket, and the Noise records opened before others have a turn: some milliseconds of a flooder's bytes.
READ_BYTES = 64 * KIB
RECORDS_AT_ONCE = 64

INBOUND_STREAMS_PER_CONNECTION = 16
# How often a peer may open one, whatever became of those before. An honest one opens five, once a connection.
INBOUND_STREAMS_PER_S = 5.0
INBOUND_STREAMS_BURST = 64.0
PENDING_HANDSHAKES = 64
CONNECTIONS_MAX = 256

# All that may be said until Noise has finished: three messages of a few hundred bytes, and names of protocols.
HANDSHAKE_BYTES_MAX = 16 * KIB
HANDSHAKE_READ_BYTES = 4 * KIB
# Names of protocols that a peer may try on one connection, and then on each stream; other implementations know a dozen.
NEGOTIATION_LINES_MAX = 24

# Sockets that nobody has a name for yet. A handshake costs some 2 ms of CPU, looking at a socket a hundredth of that.
DOOR_LOOKS_PER_S = 500.0
DOOR_LOOKS_BURST = 100.0
# In one turn, and the pause after a turn in which somebody was sent away.
DOOR_LOOKS_AT_ONCE = 32
DOOR_REST_S = 0.01
# What waits in the kernel to be looked at: a second of it.
DOOR_BACKLOG = 512
# From an address at which an allowed peer listens, or from which one has come: the peers behind it, all at once.
DOOR_KNOWN_PER_S = 5.0
DOOR_KNOWN_BURST = 32.0
# From one place that nobody allowed is known to be at, and from all of those together.
DOOR_STRANGE_PER_S = 1.0
DOOR_STRANGE_BURST = 8.0
DOOR_STRANGERS_PER_S = 4.0
DOOR_STRANGERS_BURST = 16.0
DOOR_PLACES_MAX = 1024
DOOR_PLACES_PER_PEER = 3

# Control frames carry a kind and a nonce, nothing more.
CONTROL_MAX = 16
# Pings of one connection, and answers that nobody asked for. An honest peer asks every 2 s.
PINGS_PER_S = 20.0
PINGS_BURST = 64.0

GOSSIP_OUT_QUEUE = 1024
GOSSIP_IN_QUEUE = 1024
GOSSIP_RPC_QUEUE = 1024
GOSSIP_RPC_MAX = 1024 * KIB
# A gossip message costs 5 to 11 ms of CPU, and who has a steady rate has that of each peer. Gossip is the second path:
# the burst lets a round of a large network through at once, one after the other.
GOSSIP_RATE_PER_S = 20.0
GOSSIP_BURST = 320.0


# An observer: frames of up to 4 KiB a second, then it waits; and how often it may connect anew, each time a handshake,
# four streams and what is said first.
OBSERVER_UNITS_PER_S = 32.0
OBSERVER_BURST = 128.0
OBSERVER_UNIT_BYTES = 4 * KIB
OBSERVER_CONNECTS_PER_S = 0.2
OBSERVER_CONNECTS_BURST = 8.0


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient the transport is. Defaults are for real networks; tests shorten them."""

    ping_every_s: float = 2.0
    ping_misses: int = 3
    # Whoever is heard from is pinged only this often (times the above), for the round trip.
    ping_when_heard: int = 5
    dial_first_s: float = 0.2
    # After a partition everything is to be everywhere within 5 s: this and `round_s` must leave time for the rest.
    dial_max_s: float = 1.5
    # Generous: on a machine that is short of CPU, giving up makes everything be done again, and nothing gets ready.
    dial_timeout_s: float = 10.0
    # Where nothing answers the next round begins beside this one after so long.
    round_s: float = 2.0
    # The higher peer id lets the lower one dial first, for this long.
    follower_wait_s: float = 3.0
    open_timeout_s: float = 15.0
    # A second connection from a peer that is up: the first one has this long to show that it lives.
    probe_s: float = 1.0
    ban_first_s: float = 1.0
    ban_max_s: float = 30.0
    # More than three consecutive writes closer together than this count as load; then frames are gathered.
    busy_gap_s: float = 0.002
    gather_s: float = 0.003
    rebuild_pause_s: float = 0.2
    gossip_heartbeat_s: int = 1
