"""Who may connect, and where they are dialled."""

from __future__ import annotations

from node.allowed import allowed_peers
from node.config_model import ObserverConfig
from node.transport.api import PeerAddress
from protocol.crypto import Signer
from protocol.ids import MemberName
from protocol.messages import KeySet

ME, A, B = MemberName("me"), MemberName("a"), MemberName("b")
KEY = Signer(bytes(32)).public
EYE = "12D3KooWGjH27LzQpZLZpNMGdyEDPjnSCo4YhkQFGsLLShAYgMfR"


def keyset(member: MemberName, *transport: str) -> KeySet:
    return KeySet(member, 0, KEY, None, transport, 1)


def test_members_by_their_keysets_where_their_addresses_say_and_nobody_else() -> None:
    found = allowed_peers(
        [keyset(ME, "m"), keyset(A, "p1", "p2"), keyset(B, "q")], ME, {A: ["/ip4/10.0.0.1/tcp/1"]}, []
    )
    assert found == {
        "p1": PeerAddress("p1", ("/ip4/10.0.0.1/tcp/1",)),
        "p2": PeerAddress("p2", ("/ip4/10.0.0.1/tcp/1",)),
        "q": PeerAddress("q", ()),
    }


def test_an_address_that_names_a_peer_or_makes_no_sense_is_dialled_for_no_other() -> None:
    odd = ["/ip4/10.0.0.1/tcp/1/p2p/" + EYE, "/ip4/10.0.0.1/udp/1", "nonsense"]
    found = allowed_peers([keyset(A, "p1", EYE)], ME, {A: odd}, [])
    assert found == {"p1": PeerAddress("p1", ()), EYE: PeerAddress(EYE, (odd[0],))}


def test_an_identity_that_two_members_name_is_dialled_at_the_addresses_of_both() -> None:
    where = {A: ["/ip4/10.0.0.1/tcp/1"], B: ["/ip4/10.0.0.2/tcp/1"]}
    found = allowed_peers([keyset(A, "p"), keyset(B, "p")], ME, where, [])
    assert found["p"].addrs == ("/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1")


def test_observers_may_connect_and_are_never_dialled_but_a_member_stays_one() -> None:
    listed = [ObserverConfig(name="x", peer_id=EYE)]
    assert allowed_peers([], ME, {}, listed) == {EYE: PeerAddress(EYE, (), observer=True)}
    assert allowed_peers([keyset(A, EYE)], ME, {}, listed) == {EYE: PeerAddress(EYE, ())}
