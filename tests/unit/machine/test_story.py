"""One alarm from a sensor to every lever, as it is meant to go."""

from __future__ import annotations

import pytest

from adapters.policy import Mode
from node.machine import Phase
from protocol.messages import Basis, Level
from tests.unit.machine.world import DELAY_MS, VERIFY_MS, World, claim, policy_of


def test_one_sensors_true_claim_is_a_certificate_everywhere_within_two_delays() -> None:
    world = World(7)
    world[0].sense(world.true(claim()))
    took_ms = world.until(lambda: all(node.certificate() for node in world))
    assert took_ms <= 2 * DELAY_MS + VERIFY_MS + 1
    world.run(1_000)
    assert all(node.action().phase is Phase.EFFECTIVE for node in world)


@pytest.mark.parametrize("mode", list(Mode))
def test_members_answer_in_every_policy_mode(mode: Mode) -> None:
    world = World(7, policy=policy_of(mode))
    world[0].sense(world.true(claim()))
    world.run(200)
    answers = [world[0].opinion(node.name) for node in world]
    assert all(one is not None and one.body.basis is Basis.VERIFIED for one in answers)
    assert world[3].certificate(Level.ISOLATE)
