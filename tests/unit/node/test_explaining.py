"""`tocsin explain`: the questions of whoever is woken, each with an answer from the state."""

from __future__ import annotations

from typing import Any

from adapters.api import ExposureReading, Outcome
from adapters.policy import Mode
from node import explaining, present
from node.events import ActionCommand, ExposuresRead, Raise, ReleaseTopic, Withdraw
from node.machine.step import Step
from protocol.evidence import refuted
from protocol.messages import Level
from protocol.subjects import Kind, subject_of
from tests.unit.machine.test_actions import alarmed, lift_hours
from tests.unit.machine.world import COIN, THREAT, TOPIC, Node, World, claim, opinion, policy_of

ID = present.alert_id(TOPIC)


def told(node: Node, id_: str = ID) -> dict[str, str]:
    found = explaining.explain(Step(node.state, node.clock()), id_)
    assert found is not None
    sections: dict[str, str] = {part["title"]: "\n".join(part["sentences"]) for part in found["sections"]}
    assert found["sentences"] == [line for part in found["sections"] for line in part["sentences"]]
    return sections


def asked_of(node: Node, command: Any) -> None:
    from node.events import OperatorAsked

    node.handle(OperatorAsked(1, "anna", command))


def test_a_certified_alarm_answers_every_question() -> None:
    world = alarmed(World(7))
    world[2].handle(ExposuresRead((ExposureReading("pool", 1_250_000.0, 1_250_000.0, 0.4, world.now_ms),)))
    parts = told(world[2])
    key = world[2].action().key.hex()[:12]
    for title, says in (
        ("What is claimed", f"unbacked-supply on {COIN}: the network says ISOLATE."),
        ("What is claimed", "evm-supply-above-backing: more of a bridged token exists than lies in its escrow."),
        ("Who says so", "m0 says ISOLATE since 2026-09-21 14:13:20"),
        ("Who says so", "(verified, sensor) through m0-node."),
        ("Who says so", "signed the certificate for ISOLATE."),
        ("Who re-ran the evidence", "This node re-ran the evidence itself, and it holds."),
        ("Who re-ran the evidence", "holds, asked through m2-node: it is so."),
        ("Who re-ran the evidence", "m0, m1, m3, m4, m5, m6 say that they re-ran it through sources of their own."),
        ("What it means here", "pool: 1,250,000 USD are at stake, 40% of it lent out; ways out: none that is named."),
        ("What was done, and why", "Lever freeze (ISOLATE) stands, as read back from the target. Rule isolate: "),
        ("What was done, and why", "It was opened by a certificate of the network."),
        ("What was done, and why", "effective: "),
        ("When it ends", "The certificate ends at 2026-09-21 20:13"),
        ("When it ends", "Lever freeze ends at 2026-09-21 15:13"),
        ("What you can do", f"Lift your own lever freeze now, asking nobody: tocsin action lift {key}"),
        ("What you can do", f"Take your own word back: tocsin alert withdraw {ID[:12]}"),
        ("What you can do", f"tocsin alert release {ID[:12]}"),
    ):
        assert says in parts[title], (says, parts[title])


def test_an_action_is_told_with_the_alarm_that_it_rests_on() -> None:
    world = alarmed(World(4))
    action = world[1].action()
    found = explaining.explain(Step(world[1].state, world[1].clock()), action.key.hex()[:10])
    assert found is not None and found["id"] == action.key.hex()
    assert [part["title"] for part in found["sections"]][:2] == ["What is claimed", "Who says so"]


def test_a_certificate_is_named_by_its_own_id() -> None:
    world = alarmed(World(4))
    held = world[1].certificate()
    assert held is not None
    assert told(world[1], held.digest.hex()[:10]) == told(world[1])


def test_what_the_policy_only_asks_waits_for_a_person_with_the_command() -> None:
    world = alarmed(World(4, policy=policy_of(Mode.ASK)))
    key = world[1].action().key.hex()[:12]
    parts = told(world[1])
    assert "waits for a person's yes" in parts["What was done, and why"]
    assert f"tocsin action approve {key}; or not: tocsin action refuse {key}" in parts["What you can do"]


def test_a_policy_that_observes_says_why_nothing_moved() -> None:
    parts = told(alarmed(World(4, policy=policy_of(Mode.OBSERVE)))[1])
    assert "No lever of yours was pulled for it; the policy only observes." in parts["What was done, and why"]
    assert "Policy now: " in parts["What was done, and why"]


def test_a_lever_that_failed_says_so_and_how_to_look() -> None:
    world = World(4)
    world[1].target.script["simulate"] = [Outcome(False, "no right to freeze")] * 40
    alarmed(world)
    world.run(60_000)
    parts = told(world[1])
    assert "no right to freeze" in parts["What was done, and why"]
    assert "tocsin lever test freeze" in parts["What you can do"]


def test_one_persons_word_is_told_as_such() -> None:
    world = World(4)
    asked_of(world[0], Raise(COIN, THREAT, Level.ISOLATE, 0, ""))
    world.run(500)
    parts = told(world[1])
    assert "it rests on persons' words" in parts["What is claimed"]
    assert "(observed, a person)" in parts["Who says so"]
    assert "No certificate: 2 groups are needed, 1 says so." in parts["Who says so"]
    assert parts["Who re-ran the evidence"] == "This node has not re-run any of it."
    assert "was never read" in parts["What it means here"]
    assert parts["When it ends"] == "The last word on it counts until 2026-09-21 20:13:20.300Z."
    assert f"tocsin alert raise {COIN} unbacked-supply LEVEL" in parts["What you can do"]


def test_a_members_own_people_are_no_sensor_of_its() -> None:
    world = World(4)
    asked_of(world[0], Raise(COIN, THREAT, Level.ISOLATE, 0, ""))
    assert told(world[0])["Who re-ran the evidence"] == "This member's own people saw it; nothing was re-run here."


def test_what_was_released_says_so_and_by_whom() -> None:
    world = World(4)
    for name in (0, 1, 2):
        asked_of(world[name], Raise(COIN, THREAT, Level.ISOLATE, 0, ""))
        world.run(500)
    assert "Said to be over" not in told(world[3])["Who says so"]
    for name in (0, 1):
        asked_of(world[name], ReleaseTopic(*TOPIC, 0))
        world.run(500)
    parts, alert = told(world[3]), present.alert(Step(world[3].state, world[3].clock()), TOPIC)
    assert "m0 says ISOLATE" in parts["Who says so"]
    assert "Said to be over by m0, m1; it takes 3 groups." in parts["Who says so"]
    assert ([one["member"] for one in alert["releases"]], alert["release_needed"]) == (["m0", "m1"], 3)
    asked_of(world[2], ReleaseTopic(*TOPIC, 0))
    world.run(500)
    parts, alert = told(world[3]), present.alert(Step(world[3].state, world[3].clock()), TOPIC)
    assert "What m0, m1, m2 said was released by a quorum, and never counts again." in parts["Who says so"]
    assert "says ISOLATE" not in parts["Who says so"] and "Said to be over" not in parts["Who says so"]
    assert [one["released"] for one in alert["opinions"]] == [True] * 3
    assert parts["When it ends"] == "Nothing of it runs."
    assert "tocsin alert withdraw" not in told(world[0])["What you can do"]


def test_an_old_release_is_no_word_on_what_was_said_after_it() -> None:
    world = World(4)
    for deed in (Raise(COIN, THREAT, Level.GUARD, 0, ""), ReleaseTopic(*TOPIC, 0)):
        asked_of(world[0], deed)
        world.run(500)
    asked_of(world[0], Withdraw(*TOPIC))
    asked_of(world[1], Raise(COIN, THREAT, Level.GUARD, 0, ""))
    world.run(500)
    assert "Said to be over" not in told(world[3])["Who says so"]


def test_a_lie_is_told_as_a_lie() -> None:
    world = World(4, liars=1)
    false = claim(9)
    world.truth[false.claim.digest] = refuted("no such supply")
    world.liars["m3"].say(opinion(Level.ISOLATE, (false,), sources=("m3-node",)), false)
    world.run(500)
    parts = told(world[0])
    assert "does not hold: no such supply." in parts["Who re-ran the evidence"]
    assert "m3 signed something on it that is false; the proof is kept." in parts["Who re-ran the evidence"]
    assert "This node re-ran the evidence, and it does not hold." in parts["Who re-ran the evidence"]


def test_what_was_withdrawn_or_is_over_says_so() -> None:
    world = alarmed(World(4))
    asked_of(world[1], Withdraw(*TOPIC))
    assert "tocsin alert withdraw" not in told(world[1])["What you can do"]
    asked_of(world[1], ActionCommand(world[1].action().key, "lift"))
    lift_hours(world, 7)
    parts = told(world[1], world[1].action().key.hex())
    assert "is lifted, as read back from the target" in parts["What was done, and why"]
    assert "tocsin action lift" not in parts["What you can do"]
    assert parts["When it ends"] == "Nothing of it runs."


def test_a_subject_that_concerns_nothing_of_ours_says_so() -> None:
    world = World(4)
    other = subject_of(Kind.ACCOUNT, "eip155", "1", b"\x07" * 20)
    asked_of(world[0], Raise(other, THREAT, Level.GUARD, 0, ""))
    world.run(300)
    parts = told(world[1], present.alert_id((other, THREAT)))
    assert "nothing of yours is at stake" in parts["What it means here"]
    assert "No lever of yours was pulled for it." in parts["What was done, and why"]


def test_a_command_to_paste_holds_no_word_of_somebody_elses(monkeypatch: Any) -> None:
    world = World(4)
    asked_of(world[0], Raise(COIN, THREAT, Level.GUARD, 0, ""))
    world.run(300)
    real = present.alert
    monkeypatch.setattr(explaining, "alert", lambda *of: {**real(*of), "subject": "pkg:a'; rm -rf /; '"})
    line = next(one for one in told(world[1])["What you can do"].splitlines() if "alert raise" in one)
    assert "'pkg:a'\"'\"'; rm -rf /; '\"'\"''" in line


def test_an_id_that_names_nothing_is_none() -> None:
    world = World(4)
    assert explaining.explain(Step(world[1].state, world[1].clock()), "00" * 32) is None
