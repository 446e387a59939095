"""A registry beside the feed: what differs, how it is said, and when people hear of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from adapters.evm import registry_watch
from adapters.evm.errors import ChainDown
from adapters.evm.mirror import Mirror, differences
from adapters.evm.registry import SUSPENDED, key_words, row_of
from adapters.evm.registry_watch import AGAIN_S, RegistryWatch
from protocol.ids import EpochHash, MemberName
from tests.unit.contracts.registry_stage import epoch_of, key_of, names_of

FOUR = names_of(4)
EPOCH = epoch_of([(name, name) for name in FOUR])
EVM = {MemberName(name): key_of(name).address for name in FOUR}
MIRROR = Mirror("eip155:1", b"\x52" * 20, row_of(EPOCH), 0, key_words(EPOCH, EVM), 7, ())


def said(mirror: Mirror, epoch: Any = EPOCH, evm: Any = EVM) -> list[tuple[str, bool]]:
    return [(one.says, one.urgent) for one in differences(mirror, epoch, evm)]


def with_row(**changed: Any) -> Mirror:
    return replace(MIRROR, row=replace(MIRROR.row, **changed))


def test_what_is_alike_differs_in_nothing() -> None:
    assert said(MIRROR) == []


def test_another_network_is_urgent_and_all_that_is_said() -> None:
    ((says, urgent),) = said(with_row(network=bytes(32), number=9))
    assert ("another network" in says, urgent) == (True, True)


def test_two_epochs_of_one_number_are_urgent() -> None:
    ((says, urgent),) = said(with_row(hash=b"\x66" * 32))
    assert (says.endswith("two of one number"), urgent) == (True, True)


def test_a_registry_that_is_behind_waits_for_somebody_to_advance_it() -> None:
    later = replace(EPOCH, number=1, hash=EpochHash(b"\x67" * 32), parent=EPOCH.hash)
    assert said(MIRROR, later) == [("it is still at epoch 0, the network at 1: nobody has advanced it", False)]


def test_a_registry_whose_epoch_ours_does_not_follow_is_urgent() -> None:
    later = replace(EPOCH, number=1, hash=EpochHash(b"\x67" * 32), parent=EpochHash(b"\x68" * 32))
    ((says, urgent),) = said(MIRROR, later)
    assert ("not the one that ours follows" in says, urgent) == (True, True)


def test_a_registry_that_is_ahead_is_urgent() -> None:
    ((says, urgent),) = said(with_row(number=1))
    assert ("the node is behind, or a quorum of evm keys is in wrong hands" in says, urgent) == (True, True)


@pytest.mark.parametrize(
    "field", ["n", "guard", "isolate", "halt", "guard_lease_ms", "isolate_lease_ms", "halt_lease_ms"]
)
def test_each_number_that_counts_is_compared(field: str) -> None:
    was = getattr(MIRROR.row, field)
    assert said(with_row(**{field: was + 1})) == [(f"{field} is {was + 1} there and {was} in the epoch", True)]


def test_how_it_came_to_this_epoch_is_another_matter() -> None:
    assert said(with_row(parent=b"\x01" * 32, activates_ms=5)) == []


def test_a_replaced_key_differs_twice_and_may_take_its_time() -> None:
    fresh = EVM | {MemberName("m02"): b"\x99" * 20}
    found = said(MIRROR, evm=fresh)
    assert sorted(found) == sorted(
        [
            (f"evm key 0x{'99' * 20} of m02 is not in it", False),
            (f"evm key 0x{EVM[MemberName('m02')].hex()} stands there for m02, and no newest KeySet names it", False),
        ]
    )


def test_a_key_in_a_wrong_group_or_with_a_wrong_flag_is_urgent() -> None:
    word = MIRROR.words[0]
    moved = replace(MIRROR, words=(word ^ 1, *MIRROR.words[1:]))
    ((says, urgent),) = said(moved)
    assert ("counts there for" in says, urgent) == (True, True)
    ((says, urgent),) = said(replace(MIRROR, words=(word | SUSPENDED, *MIRROR.words[1:])))
    assert (says.endswith("is suspended there"), urgent) == (True, True)


# -- when people hear of it


class Watched:
    """The watcher on a virtual clock, over a registry that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, patience_s: float = 600) -> None:
        self.mirror: Any = MIRROR
        self.told: list[str] = []
        self.evm: Any = dict(EVM)
        monkeypatch.setattr(registry_watch, "read_mirror", self._read)
        where = (MIRROR.chain, MIRROR.contract)
        client: Any = None
        self.watch = RegistryWatch(
            "mirror", client, lambda: EPOCH, where, lambda: self.evm, self.told.append, 10_000, patience_s
        )

    async def _read(self, client: Any, chain: str, contract: bytes) -> Mirror:
        if isinstance(self.mirror, Exception):
            raise self.mirror
        found: Mirror = self.mirror
        return found

    async def look(self, after_s: float = 0) -> int:
        """How often people heard of something by then."""
        await trio.sleep(after_s)
        await self.watch.poll(self._report)
        return len(self.told)

    async def _report(self, observation: Any) -> None:
        raise AssertionError(f"a registry's difference is no observation: {observation}")


def play(story: Any) -> None:
    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))


def test_an_urgent_difference_is_told_at_once_and_then_every_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Watched(monkeypatch)

    async def story() -> None:
        scene.mirror = with_row(hash=b"\x66" * 32)
        assert await scene.look() == 1
        assert "differs from the feed, and nothing follows it" in scene.told[0]
        assert await scene.look(60) == 1
        assert await scene.look(AGAIN_S) == 2
        assert "two of one number" in scene.watch.health()

    play(story)


def test_an_honest_delay_shows_at_once_and_is_told_only_when_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Watched(monkeypatch)

    async def story() -> None:
        scene.evm[MemberName("m02")] = b"\x99" * 20
        assert await scene.look() == 0
        assert "is not in it" in scene.watch.health()
        assert await scene.look(599) == 0
        assert await scene.look(1) == 1
        scene.mirror = replace(MIRROR, words=key_words(EPOCH, scene.evm))
        assert await scene.look(1) == 2
        assert scene.told[-1].endswith("agrees with this node again")
        assert scene.watch.health() == ""

    play(story)


def test_a_delay_that_ends_in_time_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Watched(monkeypatch)

    async def story() -> None:
        scene.evm[MemberName("m02")] = b"\x99" * 20
        await scene.look()
        scene.evm = dict(EVM)
        assert await scene.look(599) == 0

    play(story)


def test_a_chain_that_is_down_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Watched(monkeypatch)

    async def story() -> None:
        scene.mirror = ChainDown("no answer")
        assert await scene.look() == 0
        assert "no answer" in scene.watch.health()

    play(story)


def test_one_key_for_two_members_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Watched(monkeypatch)

    async def story() -> None:
        scene.evm[MemberName("m01")] = scene.evm[MemberName("m00")]
        assert await scene.look() == 1
        assert "one evm key" in scene.told[0]

    play(story)


def test_who_signs_with_a_key_that_no_keyset_names_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Watched(monkeypatch)
    scene.watch._own = b"\x55" * 20

    async def story() -> None:
        await scene.look()
        assert "no newest KeySet names that key" in scene.watch.health()
        scene.watch._own = EVM[MemberName("m00")]
        await scene.look()
        assert scene.watch.health() == ""

    play(story)
