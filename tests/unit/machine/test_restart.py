"""A crash, a restart, a rollback: the same mind, no word twice, no action twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from node.events import ActionCommand
from node.machine import Phase, State
from node.records import ActionOpened, SigningStopped
from protocol.messages import Level
from tests.unit.machine.world import HOUR_MS, World, claim, opinion


def remembered(state: State) -> dict[str, Any]:
    """All that a restart must bring back."""
    return {
        "keysets": {name: {v: one.hash for v, one in held.items()} for name, held in state.keysets.items()},
        "feeds": {key: (one.top, one.top_hash, one.whole, sorted(one.links)) for key, one in state.feeds.items()},
        "opinions": {key: {who: one.hash for who, one in held.items()} for key, held in state.opinions.items()},
        "releases": state.releases,
        "manifests": state.manifests,
        "certificates": {key: one.digest for key, one in state.certificates.items()},
        "accepted": (state.accepted_ms, state.held_since_ms, state.first_newest_ms),
        "said": list(state.said),
        "ruled": {key: one.judgement for key, one in state.ruled.items()},
        "blobs": state.blobs,
        "proofs": (sorted(state.equivocations), state.false_statements, state.stopped),
        "actions": {
            key: (one.phase, one.until_ms, one.claims, one.steps, one.attempts, one.rests_ms, one.ended_ms)
            for key, one in state.actions.items()
        },
    }


def test_a_restarted_machine_remembers_the_same() -> None:
    world = World(7, liars=1)
    world.liars["m6"].say(opinion(Level.ISOLATE, (claim(9),)), claim(9))
    world[0].sense(world.true(claim()))
    world.run(2_000)
    for node in world:
        before = remembered(node.state)
        fresh = type(node.machine)(node.setup)
        fresh.recover(node.records())
        assert remembered(fresh.state) == before


def test_an_action_goes_on_at_its_step_and_acts_once() -> None:
    world = World(7)
    world[0].sense(world.true(claim()))
    node = world[2]
    world.until(lambda: any(one.phase is Phase.SENDING for one in node.state.actions.values()))
    node.stop()
    world.run(200)
    node.restart()
    world.replug("m2")
    world.run(1_500)
    assert node.action().phase is Phase.EFFECTIVE
    assert node.count(ActionOpened) == 1 and len(node.target.until_ms) == 1


def test_what_ended_is_not_begun_again_after_a_restart() -> None:
    world = World(7)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    node = world[2]
    node.ask(ActionCommand(node.action().key, "lift"))
    world.run(200)
    node.stop()
    node.restart()
    world.replug("m2")
    world.run(3_000)
    assert node.action().phase is Phase.LIFTED and node.count(ActionOpened) == 1


def test_a_lease_that_ended_while_down_is_not_sent_again() -> None:
    world = World(7)
    world[0].sense(world.true(claim()))
    node = world[2]
    world.until(lambda: any(one.running == "apply" for one in node.state.actions.values()))
    node.stop()
    world.skip(2 * HOUR_MS)
    node.restart()
    world.run(4_000)
    assert node.action().phase is Phase.LAPSED and node.target.times("apply") == 0


def test_no_seq_is_signed_twice_over_many_restarts() -> None:
    world = World(7)
    node = world[2]
    for number in range(5):
        world[0].sense(world.true(claim(number)))
        world.run(20 + 7 * number)
        node.stop()
        node.restart()
        world.replug("m2")
        world.run(1_500)
    seqs = node.own_seqs()
    assert seqs == list(range(len(seqs))) and len(seqs) > 5
    assert all(not one.state.equivocations for one in world)


def test_after_a_restart_nothing_is_signed_before_f_plus_1_peers_showed_their_heads() -> None:
    world = World(7)
    node = world[2]
    node.stop()
    node.restart()
    world.plug("m2", "m0")
    world.plug("m2", "m1")
    world.run(1_000)
    assert "too few peers" in node.state.may_sign()
    world.plug("m2", "m3")
    world.run(100)
    assert not node.state.may_sign()


def test_with_no_peer_a_restarted_node_observes_and_says_so() -> None:
    world = World(7)
    node = world[2]
    node.stop()
    node.restart()
    world.run(11_000)
    assert node.state.may_sign() and any("observes" in told for told in node.told)


def test_a_peer_that_holds_more_of_our_own_stops_the_pen() -> None:
    world = World(7)
    node = world[2]
    world[0].sense(world.true(claim()))
    world.run(1_000)
    said = len(node.own_seqs())
    node.stop()
    node.restart(lose_last=len(node.disk) - 12)
    world.replug("m2")
    world.run(2_000)
    assert node.count(SigningStopped) == 1 and "restore" in node.state.may_sign()
    world[0].sense(world.true(claim(2)))
    world.run(1_000)
    assert len(node.own_seqs()) < said and all(not one.state.equivocations for one in world)


TRACE = """
from tests.unit.machine.world import World, claim
from protocol.crypto import sha256
world = World(7, seed=7)
world.loss = 0.1
world[0].sense(world.true(claim()))
world.run(3000)
world[3].sense(world.true(claim(2)))
world.run(3000)
print(sha256(b"".join(body for node in world for _, _, body in node.disk)).hex())
"""


def test_the_same_seed_gives_the_same_records_whatever_the_hash_seed() -> None:
    root = Path(__file__).parents[3]
    traces = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        made = subprocess.run([sys.executable, "-c", TRACE], env=env, cwd=root, capture_output=True, check=True)
        traces.add(made.stdout)
    assert len(traces) == 1
