"""The source rule is asked at every word that comes in: what it says, and that it stays cheap in a large network."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

from protocol.alarm import Opinion, operators_of, source_rule_holds
from protocol.envelope import parse_entry, verify_entry
from protocol.frames import Entries, parse_frame
from protocol.ids import GroupName, MemberName, SourceId
from protocol.membership import Epoch, Source
from tests.sim.scale.measure import Stage
from tests.unit.machine import cast


def as_written(by_group: dict[GroupName, list[Opinion]], epoch: Epoch) -> bool:
    """The rule word for word: for every operator, f + 1 groups with another one in each of their scopes."""
    views = [operators_of(opinions, epoch) for opinions in by_group.values()]
    everyone = {operator for view in views for operators in view.values() for operator in operators}
    return bool(everyone) and all(
        sum(1 for view in views if view and all(operators - {operator} for operators in view.values())) > epoch.f
        for operator in everyone
    )


def groups_of(stage: Stage, pick: Iterable[int]) -> dict[GroupName, list[Opinion]]:
    found = {}
    for i in pick:
        frame = parse_frame(stage.frames[i])
        if not isinstance(frame, Entries):
            raise TypeError("the stage frames entries")
        parsed = parse_entry(frame.raws[0], stage.epoch.network)
        opinion = verify_entry(parsed, cast.hot(parsed.entry.author).public)
        found[stage.epoch.group_of(opinion.entry.author)] = [opinion]
    return found


def merged(rng: random.Random, by_group: dict[GroupName, list[Opinion]]) -> dict[GroupName, list[Opinion]]:
    """Some groups with several members, who look at several scopes through several operators."""
    found: dict[GroupName, list[Opinion]] = {}
    for group, opinions in by_group.items():
        joins = rng.choice([group, *found]) if rng.random() < 0.2 else group
        found.setdefault(joins, []).extend(opinions)
    return found


def test_it_says_what_its_definition_says_however_operators_are_shared() -> None:
    rng = random.Random(7)
    stage = Stage(13)
    held = set()
    for _ in range(300):
        operators = [f"operator-{k}" for k in range(rng.randint(1, 9))]
        sources = tuple(
            Source(SourceId(f"{member.name}-node"), MemberName(rng.choice(operators)), rng.choice(("a", "b")))
            for member in stage.epoch.members
            if rng.random() < 0.9
        )
        epoch = cast.epoch_of(13, hash=stage.epoch.hash, sources=sources)
        by_group = merged(rng, groups_of(stage, rng.sample(range(12), rng.randint(0, 12))))
        assert source_rule_holds(by_group, epoch) == as_written(by_group, epoch)
        held.add(source_rule_holds(by_group, epoch))
    assert held == {True, False}


def test_four_times_the_groups_cost_about_four_times_as_much() -> None:
    def spent(n: int) -> float:
        stage = Stage(n)
        by_group = groups_of(stage, range(n - 1))
        assert source_rule_holds(by_group, stage.epoch)
        best = float("inf")
        for _ in range(5):
            began = time.thread_time_ns()
            source_rule_holds(by_group, stage.epoch)
            best = min(best, time.thread_time_ns() - began)
        return best

    assert spent(200) < 9 * spent(50)
