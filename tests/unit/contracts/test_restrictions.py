"""What every lever on every contract keeps to: it starts, extends, expires, and is counted once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.contracts.scenes import bridge, lending, venue
from tests.unit.contracts.world import ATTACKER, GUARDIAN, KEY_A, KEY_B, START, Contract, happened

LEASE = 60


@dataclass
class Lever:
    """One lever, with the arguments that come before `until`, and how to read one slot's end."""

    contract: Contract
    setter: str
    lift: str
    asset: list[Any]
    limit: list[Any]
    reader: str

    def set(self, until: int, human: bool = False, key: bytes = KEY_A, by: str = GUARDIAN) -> str | None:
        return self.contract.refusal(self.setter, *self.asset, *self.limit, until, human, key, by=by)

    def release(self, human: bool = False, key: bytes = KEY_B, by: str = GUARDIAN) -> str | None:
        return self.contract.refusal(self.lift, *self.asset, human, key, by=by)

    def until(self, human: bool = False) -> int:
        found = self.contract(self.reader, *self.asset, human)
        return found[-1] if isinstance(found, tuple) else found


def _pause_releases() -> Lever:
    return Lever(bridge().escrow, "pause_releases", "lift_pause", [], [], "paused_until")


def _lending(setter: str, lift: str, reader: str) -> Lever:
    scene = lending()
    return Lever(scene.market, setter, lift, [scene.rs.address], [], reader)


def _cap() -> Lever:
    return Lever(lending().market, "set_borrow_cap", "lift_borrow_cap", [], [5], "borrow_cap_of")


def _perp(setter: str, lift: str, reader: str, limit: list[Any]) -> Lever:
    scene = venue()
    return Lever(scene.perp, setter, lift, [scene.rs.address], limit, reader)


LEVERS: dict[str, Callable[[], Lever]] = {
    "escrow pause": _pause_releases,
    "ltv zero": lambda: _lending("set_ltv_zero", "lift_ltv_zero", "ltv_zero_until"),
    "freeze": lambda: _lending("freeze", "lift_freeze", "frozen_until"),
    "pause": lambda: _lending("pause", "lift_pause", "paused_until"),
    "cap": _cap,
    "reduce only": lambda: _perp("set_reduce_only", "lift_reduce_only", "reduce_only_until", []),
    "margin": lambda: _perp("set_initial_margin_bps", "lift_initial_margin", "initial_margin_of", [5_000]),
    "halt": lambda: _perp("halt", "lift_halt", "halted_until", []),
}
every_lever = pytest.mark.parametrize("make", LEVERS.values(), ids=list(LEVERS))


@every_lever
def test_a_setter_is_counted_once_under_its_action_key(make: Callable[[], Lever]) -> None:
    lever = make()
    lever.set(START + LEASE)
    [event] = lever.contract.events
    assert event.name == "Restricted"
    assert (event.fields["action_key"], event.fields["until"]) == (KEY_A, START + LEASE)
    assert lever.set(START + LEASE) is None
    assert lever.contract.events == []


@every_lever
def test_a_guardian_cannot_shorten(make: Callable[[], Lever]) -> None:
    lever = make()
    lever.set(START + LEASE)
    assert lever.set(START + LEASE // 2, key=KEY_B) is None
    assert lever.contract.events == []
    assert lever.until() == START + LEASE


@every_lever
def test_a_guardian_extends_and_the_extension_is_counted(make: Callable[[], Lever]) -> None:
    lever = make()
    lever.set(START + LEASE)
    lever.set(START + 2 * LEASE, key=KEY_B)
    assert [event.fields["action_key"] for event in lever.contract.events] == [KEY_B]
    assert lever.until() == START + 2 * LEASE


@every_lever
def test_an_automatic_lift_leaves_the_human_restriction(make: Callable[[], Lever]) -> None:
    lever = make()
    lever.set(START + LEASE)
    lever.set(START + LEASE, human=True)
    lever.release()
    assert happened(lever.contract) == ["Lifted"]
    assert (lever.until(), lever.until(human=True)) == (0, START + LEASE)


@every_lever
def test_a_human_lift_leaves_the_automatic_restriction(make: Callable[[], Lever]) -> None:
    lever = make()
    lever.set(START + LEASE)
    lever.set(START + LEASE, human=True)
    lever.release(human=True)
    assert (lever.until(), lever.until(human=True)) == (START + LEASE, 0)


@every_lever
def test_lifting_what_does_not_stand_succeeds_without_an_event(make: Callable[[], Lever]) -> None:
    lever = make()
    assert lever.release() is None
    lever.set(START + LEASE)
    lever.contract.world.now = START + LEASE
    assert lever.release() is None
    assert lever.contract.events == []


@every_lever
def test_a_stranger_neither_restricts_nor_lifts(make: Callable[[], Lever]) -> None:
    lever = make()
    assert lever.set(START + LEASE, by=ATTACKER) == "not guardian"
    lever.set(START + LEASE)
    assert lever.release(by=ATTACKER) == "not guardian"
    assert lever.until() == START + LEASE


@every_lever
def test_a_late_transaction_cannot_start_a_lease_that_is_over(make: Callable[[], Lever]) -> None:
    lever = make()
    assert lever.set(START) == "expired"
    assert lever.until() == 0


@every_lever
def test_nothing_can_be_closed_for_ever(make: Callable[[], Lever]) -> None:
    lever = make()
    assert lever.set(START + 30 * 86_400 + 1) == "lease too long"
    assert lever.set(START + 30 * 86_400) is None


@every_lever
def test_a_replay_after_the_lease_starts_nothing(make: Callable[[], Lever]) -> None:
    lever = make()
    lever.set(START + LEASE)
    lever.contract.world.now = START + LEASE + 1
    lever.set(START + LEASE)
    assert lever.contract.events == []
    assert lever.until() == START + LEASE


def test_removing_a_guardian_lifts_nothing() -> None:
    lever = _pause_releases()
    lever.set(START + LEASE)
    lever.contract("set_guardian", GUARDIAN, False)
    assert lever.until() == START + LEASE
    assert lever.release() == "not guardian"


def test_only_the_owner_names_guardians() -> None:
    lever = _pause_releases()
    assert lever.contract.refusal("set_guardian", ATTACKER, True, by=ATTACKER) == "not owner"
