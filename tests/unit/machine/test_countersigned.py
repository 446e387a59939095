"""Words for contracts: what a node signs a second time, over the very entry that carries it."""

from __future__ import annotations

from adapters.evm.eip712 import Domain
from adapters.evm.evm_key import EvmKey
from adapters.evm.registry import alarm_values, countersigned, signer
from protocol.envelope import Verified
from protocol.ids import NetworkId
from protocol.messages import Attestation, Level
from tests.unit.machine.world import World, claim

KEY = EvmKey(b"\x07" * 32)
DOMAIN = Domain(1, b"\x52" * 20)


def own_words(world: World) -> list[Verified[Attestation]]:
    """Of every member, in its own store."""
    return [one for node in world if (one := node.opinion(node.name)) is not None]


def countersign(network: NetworkId, entry: object) -> bytes:
    assert network
    return countersigned(DOMAIN, KEY, network, entry)  # type: ignore[arg-type]


def test_every_word_of_guard_and_above_is_signed_for_the_registry() -> None:
    world = World(4, countersign=countersign)
    world[0].sense(world.true(claim()))
    world.run(2_000)
    words = own_words(world)
    assert len(words) == 4
    for one in words:
        assert one.body.level >= Level.GUARD and one.body.evm_sig is not None
        values = alarm_values(world.epoch.network, one.entry, one.raw)
        assert signer(DOMAIN, "Alarm", values, one.body.evm_sig) == KEY.address
    assert all(node.certificate() is not None for node in world)


def test_what_moves_no_lever_is_not_signed_for_contracts() -> None:
    world = World(4, countersign=countersign)
    world[0].sense(world.true(claim(), level=Level.WATCH), level=Level.WATCH)
    world.run(1_000)
    (first, *_) = own_words(world)
    assert (first.body.level, first.body.evm_sig) == (Level.WATCH, None)


def test_a_node_without_an_evm_key_says_the_same_without_it() -> None:
    world = World(4)
    world[0].sense(world.true(claim()))
    world.run(2_000)
    assert {one.body.evm_sig for one in own_words(world)} == {None}


def test_a_word_said_again_is_signed_anew() -> None:
    """Under another number and at another time: the old signature is of another entry."""
    world = World(4, countersign=countersign)
    world[0].sense(world.true(claim()))
    world.run(2_000)
    node = world[0]
    before = node.opinion(node.name)
    node.sense(world.true(claim(2)))
    world.run(2_000)
    after = node.opinion(node.name)
    assert before is not None and after is not None and after.entry.seq > before.entry.seq
    assert after.body.evm_sig not in (None, before.body.evm_sig)
    values = alarm_values(world.epoch.network, after.entry, after.raw)
    assert signer(DOMAIN, "Alarm", values, after.body.evm_sig or b"") == KEY.address
