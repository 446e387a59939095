"""What the console's pages are told: the log in pages, levers as lent, and what a policy would do without doing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from node import dry_run, history
from node.machine import State
from node.present_levers import levers
from node.records import OperatorDid, Record, pack_record
from node.store_rows import RecordRow
from protocol.messages import Level
from tests.unit.machine.world import START_MS, World, claim

NOW_MS = START_MS + 60_000


class Log:
    """Records as a store pages them."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.rows = [(at, RecordRow(*pack_record(one))) for at, one in enumerate(records, 1)]
        self.read: list[tuple[int, int]] = []

    def page(self, after: int, limit: int) -> list[tuple[int, RecordRow]]:
        self.read.append((after, limit))
        return [(at, row) for at, row in self.rows if at > after][:limit]


def paged(log: Log, state: State, before: int, limit: int) -> dict[str, Any]:
    return trio.run(history.page, log.page, state, before, limit)


@pytest.fixture(scope="module")
def state() -> State:
    world = World(4)
    world[0].start()
    return world[0].state


def deeds(count: int) -> Log:
    return Log([OperatorDid("ann", f"deed {number}", START_MS + number) for number in range(count)])


def test_the_log_is_read_from_its_end_and_no_record_twice(state: State) -> None:
    log, seen, before, pages = deeds(100), [], 101, 0
    while before:
        told = paged(log, state, before, 40)
        seen = [one["position"] for one in told["happenings"]] + seen
        before, pages = told["from"], pages + 1
    assert seen == list(range(1, 101)) and pages == 3
    assert max(limit for _, limit in log.read) <= history.PART


def test_the_first_page_ends_at_the_first_record(state: State) -> None:
    told = paged(deeds(3), state, 4, 40)
    assert told["from"] == 0 and [one["deed"] for one in told["happenings"]] == ["deed 0", "deed 1", "deed 2"]
    assert paged(deeds(3), state, 1, 40) == {"from": 0, "happenings": []}


def test_a_lever_is_told_as_lent_and_when_it_was_tried(state: State) -> None:
    (one,) = levers(state, {"freeze": 7})
    assert (one["name"], one["rung"], one["tested_ms"], one["stands"]) == ("freeze", "ISOLATE", 7, [])
    assert set(one["closes"]).isdisjoint(one["leaves"])
    assert levers(state, {})[0]["tested_ms"] is None


def test_a_lever_that_holds_says_which_action(state: State) -> None:
    world = World(4)
    for node in world:
        node.start()
    world.run(1_000)
    node = world[0]
    node.sense(world.true(claim(1)))
    world.until(lambda: bool(node.state.actions))
    (one,) = levers(node.state, {})
    assert [stand["key"] for stand in one["stands"]] == [node.action().key.hex()]


def asset_of(state: State) -> str:
    (name,) = state.setup.policy.assets
    return name


def test_a_quorum_that_the_own_check_bears_out_would_act_and_nothing_moves(state: State) -> None:
    told = dry_run.tried(state, asset_of(state), "ISOLATE", "verified", 0, NOW_MS)
    assert told["certified"] and told["groups"] == state.epoch.thresholds[Level.ISOLATE]
    assert [one["lever"] for one in told["decisions"]] == ["freeze"]
    assert state.actions == {}


def test_the_own_check_against_it_holds(state: State) -> None:
    told = dry_run.tried(state, asset_of(state), "ISOLATE", "contradicted", 0, NOW_MS)
    assert [one["verdict"] for one in told["decisions"]] == ["hold"]
    assert "contradicts" in told["decisions"][0]["why"]


def test_fewer_groups_than_are_needed_certify_nothing(state: State) -> None:
    told = dry_run.tried(state, asset_of(state), "ISOLATE", "verified", 1, NOW_MS)
    assert not told["certified"]


@pytest.mark.parametrize(
    ("asset", "level", "own"), [("x", "ISOLATE", "verified"), ("", "", ""), ("coin", "LOUD", "none")]
)
def test_what_is_none_of_ours_is_said_to_be_so(state: State, asset: str, level: str, own: str) -> None:
    told = dry_run.tried(state, asset, level, own, 0, NOW_MS)
    assert told["decisions"] == [] and "no such" in told["fault"]


def test_every_incident_is_answered_for_each_own_word(state: State) -> None:
    told = trio.run(dry_run.told, state, NOW_MS)
    assert {one["pack"] for one in told["incidents"]} >= {"forged-bridge-release", "oracle-push"}
    for one in told["incidents"]:
        assert [given["own"] for given in one["answers"]] == ["verified", "unable", "contradicted"]
    assert told["sentences"] and told["assets"]
