"""The start-up check, addresses and identities."""

from __future__ import annotations

import importlib.metadata
from types import SimpleNamespace

import pytest
import trio
from libp2p.pubsub.pubsub import Pubsub

from node.transport import gossip, guard
from node.transport.guard import UnknownLibraryError, check_pinned_library, peer_id_of
from node.transport.host import Libp2pTransport
from node.transport.link import checked_address


def checked(extra: tuple = ()) -> None:
    async def body() -> None:
        check_pinned_library((*gossip.OVERRIDDEN, *extra))

    trio.run(body)


def test_the_installed_library_is_the_one_that_was_read() -> None:
    checked()


def test_another_version_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.9.0")
    with pytest.raises(UnknownLibraryError, match=r"0\.9\.0 is installed .* install libp2p==0\.8\.1"):
        checked()


def test_a_name_that_has_gone_is_named() -> None:
    with pytest.raises(UnknownLibraryError, match="gone_tomorrow"):
        checked(((Pubsub, ("gone_tomorrow",)),))


def test_an_identity_is_its_seed() -> None:
    assert peer_id_of(bytes(32)) == peer_id_of(bytes(32)) != peer_id_of(b"1" * 32)
    with pytest.raises(ValueError, match="32 bytes"):
        peer_id_of(b"short")


def test_addresses_are_taken_with_and_without_the_peer() -> None:
    own, other = peer_id_of(bytes(32)), peer_id_of(b"1" * 32)
    assert str(checked_address(own, "/ip4/127.0.0.1/tcp/1")) == "/ip4/127.0.0.1/tcp/1"
    checked_address(own, f"/dns4/node.example/tcp/1/p2p/{own}")
    with pytest.raises(ValueError, match="names another peer"):
        checked_address(own, f"/ip4/127.0.0.1/tcp/1/p2p/{other}")
    with pytest.raises(ValueError, match="not an address"):
        checked_address(own, "127.0.0.1:4001")


def test_a_transport_never_shows_its_key() -> None:
    async def body() -> None:
        assert (
            repr(Libp2pTransport(bytes(32), "/ip4/127.0.0.1/tcp/0", {}, "t"))
            == f"Libp2pTransport({peer_id_of(bytes(32))})"
        )

    trio.run(body)


@pytest.mark.parametrize(
    "fields",
    [
        {"topicIDs": []}, {"topicIDs": ["t", "t"]}, {"from_id": bytes(65)}, {"seqno": b"1"}, {"key": bytes(65)},
        {"data": b""}, {"data": bytes(64 * 1024 + 1)},
    ],
)  # fmt: skip
def test_a_gossip_message_of_impossible_shape_is_refused_before_its_signature(fields: dict[str, object]) -> None:
    whole = {"topicIDs": ["t"], "from_id": bytes(38), "seqno": bytes(8), "key": b"", "data": b"x"}
    assert gossip._malformed(SimpleNamespace(**whole)) is None
    assert gossip._malformed(SimpleNamespace(**{**whole, **fields})) is not None


def test_the_yamux_of_the_pinned_version_is_offered_alone() -> None:
    async def body() -> None:
        swarm, host = guard.build_host(guard.own_key_pair(bytes(32)), SimpleNamespace())
        offered = swarm.upgrader.security_multistream.transports, swarm.upgrader.muxer_multistream.transports
        assert [list(each) for each in offered] == [["/noise"], ["/yamux/1.0.0"]]
        assert list(host.multiselect.handlers) == ["/ipfs/id/1.0.0"] or set(host.multiselect.handlers) == {
            None,
            "/ipfs/id/1.0.0",
        }

    trio.run(body)
