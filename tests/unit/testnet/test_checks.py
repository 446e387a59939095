"""Every check of the local network can say no: facts as a good run leaves them, and one thing wrong at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from node.testnet import checks
from node.testnet.scenario import load
from node.testnet.witness import Restriction, Witness

SCENARIO = load("forged-bridge-release")
ROLES = SCENARIO.members(7)
NAMES = [role.name for role in ROLES]
ASSET = "eip155:31337/erc20:0x" + "aa" * 20
OPTIONS: Any = SimpleNamespace(expect_blind=False)
VICTIMS, LIARS = (NAMES[1], NAMES[2]), (NAMES[3], NAMES[4])
UNEXPOSED = next(role.name for role in ROLES if not role.is_exposed)
ASKING = next(role.name for role in ROLES if role.mode == "ask" and role.levers)
ACTING = next(role.name for role in ROLES if role.is_exposed and role.mode == "act" and role.levers)
HOP = "hop2"
LIE = {"claim_id": "ee" * 32, "which": "altered"}
Facts = Any


def key_of(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


def phases(name: str, *told: str, subject: str = ASSET, certificate: bool = True) -> list[dict[str, Any]]:
    return [
        {
            "kind": "action",
            "key": key_of(name),
            "lever": "shut",
            "subject": subject,
            "rung": "ISOLATE",
            "certificate": certificate,
            "phase": phase,
            "at_ms": 1_000_000 + index,
        }
        for index, phase in enumerate(told)
    ]


def certificate(threat: str) -> dict[str, Any]:
    return {"kind": "certificate", "level": "ISOLATE", "threat": threat, "signers": NAMES[:5]}


def told_by(role: Any) -> list[dict[str, Any]]:
    told = [certificate("bridge-forgery"), certificate("unbacked-supply")]
    told.append({"kind": "verdict", "claim": LIE["claim_id"][:12], "ruling": "refuted"})
    if role.name == HOP:
        told += phases(HOP, "armed", certificate=False)
    elif role.is_exposed and role.levers:
        told += phases(role.name, *(["asked"] if role.mode == "ask" else []), "sending", "effective")
    return told


def restricted_by(name: str, **changes: Any) -> Restriction:
    return replace(Restriction("thing-" + name, "shut", ASSET, key_of(name), 1_050, False, 7), **changes)


def feed(author: str, top: str = "h9") -> dict[str, Any]:
    return {"author": author, "key_version": 1, "whole": 9, "links": {"8": "h8" + author, "9": top + author}}


def good() -> Facts:
    """What seven members leave after the story."""
    movers = [role.name for role in ROLES if role.is_exposed and role.levers and role.name != HOP]
    members = [SimpleNamespace(name=name, group=name) for name in NAMES]
    epoch = SimpleNamespace(members=members, n=7, f=2, q=5)
    return SimpleNamespace(
        scenario=SCENARIO,
        roles=ROLES,
        charter=SimpleNamespace(epoch0=lambda: epoch),
        world=SimpleNamespace(register=lambda: ((SimpleNamespace(asset=ASSET),), ())),
        victims=VICTIMS,
        liars=LIARS,
        lies=[LIE],
        told={role.name: told_by(role) for role in ROLES},
        statuses={
            name: {"signing": {"may": True, "why": ""}, "equivocations": [], "quorum": {"blind": False}}
            for name in NAMES
        },
        actions={name: [{"key": key_of(name), "lever": "shut", "phase": "lapsed"}] for name in movers},
        feeds={name: [feed(author) for author in NAMES] for name in NAMES},
        chain=Witness(tuple(map(restricted_by, movers)), 0, (), tuple((name, 1) for name in movers)),
        by_hand={(ASKING, "approve")},
        deeds={"tocsin": []},
        owners={},
    )


def failing(facts: Facts, rules: Any = None) -> set[str]:
    found = (rule(OPTIONS, facts) for rule in (checks._STORY if rules is None else rules))
    return {check.name for check in found if check is not None and not check.ok}


@dataclass(frozen=True)
class Wrong:
    says: str
    spoil: Callable[[Facts], None]
    check: str


def drop(name: str, **match: Any) -> Callable[[Facts], None]:
    def spoil(facts: Facts) -> None:
        facts.told[name] = [
            one for one in facts.told[name] if any(one.get(key) != value for key, value in match.items())
        ]

    return spoil


def tell(name: str, *happenings: dict[str, Any]) -> Callable[[Facts], None]:
    return lambda facts: facts.told[name].extend(happenings)


def chain(**changes: Callable[[Witness], Any]) -> Callable[[Facts], None]:
    def spoil(facts: Facts) -> None:
        facts.chain = replace(facts.chain, **{name: change(facts.chain) for name, change in changes.items()})

    return spoil


def set_(path: str, value: Any) -> Callable[[Facts], None]:
    """`a.b.c` of dictionaries below an attribute."""

    def spoil(facts: Facts) -> None:
        first, *rest = path.split("/")
        if not rest:
            setattr(facts, first, value)
            return
        at = getattr(facts, first)
        for part in rest[:-1]:
            at = at[int(part) if part.isdigit() else part]
        at[rest[-1]] = value

    return spoil


def acts_before_it_asks(facts: Facts) -> None:
    facts.told[ASKING] = phases(ASKING, "sending", "asked", "effective")


WRONGS = [
    Wrong("one node has no certificate", drop(NAMES[0], threat="unbacked-supply"), "certificate-on-every-node"),
    Wrong(
        "a certificate of four groups",
        tell(NAMES[0], {**certificate("bridge-forgery"), "signers": NAMES[:4]}),
        "thresholds-held",
    ),
    Wrong("a policy that does not act", drop(ACTING, kind="action"), "exposed-members-acted"),
    Wrong(
        "a lever that says it acted",
        chain(restricted=lambda was: tuple(one for one in was.restricted if one.key != key_of(ACTING))),
        "effects-are-on-the-chain",
    ),
    Wrong("a member on ask that acts first", acts_before_it_asks, "ask-waits-for-a-person"),
    Wrong("nobody was asked", set_("by_hand", set()), "ask-waits-for-a-person"),
    Wrong("a second hop that waits for others' word", tell(HOP, *phases(HOP, "planned")), "second-hop-armed-then-sent"),
    Wrong("a second hop that never armed", drop(HOP, kind="action"), "second-hop-armed-then-sent"),
    Wrong("an unexposed member acts", tell(UNEXPOSED, *phases(UNEXPOSED, "asked")), "unexposed-members-did-nothing"),
    Wrong("an unexposed member shuts a gate", tell(UNEXPOSED, *phases(UNEXPOSED, "effective")), "false-isolations"),
    Wrong(
        "a gate shut on a subject without fault",
        tell(ACTING, *phases(ACTING, "effective", subject="eip155:1/erc20:0x" + "bb" * 20)),
        "false-isolations",
    ),
    Wrong(
        "an honest member repeats a lie",
        tell(NAMES[0], {"kind": "attestation", "own": True, "claims": [LIE["claim_id"][:12]]}),
        "lies-refused",
    ),
    Wrong(
        "a lie that nobody looked at",
        lambda facts: [drop(name, kind="verdict")(facts) for name in NAMES] and None,
        "lies-refused",
    ),
    Wrong(
        "a killed member stays away", lambda facts: facts.statuses.pop(VICTIMS[0]) and None, "killed-members-came-back"
    ),
    Wrong(
        "a killed member must not sign",
        set_(f"statuses/{VICTIMS[0]}/signing", {"may": False, "why": "rolled back"}),
        "killed-members-came-back",
    ),
    Wrong("a killed member did not catch up", set_(f"feeds/{VICTIMS[0]}/0/whole", 3), "killed-members-came-back"),
    Wrong("two payloads of one number", set_(f"feeds/{NAMES[0]}", [feed(NAMES[1], "other")]), "nobody-signed-twice"),
    Wrong("an equivocation was proven", set_(f"statuses/{NAMES[0]}/equivocations", [NAMES[1]]), "nobody-signed-twice"),
    Wrong(
        "one action key, two effects",
        chain(restricted=lambda was: (*was.restricted, replace(was.restricted[0], block=8))),
        "nobody-acted-twice",
    ),
    Wrong("a transaction without effect", chain(sent=lambda was: ((ACTING, 2), *was.sent[1:])), "nobody-acted-twice"),
    Wrong(
        "an hour more than the lease",
        chain(restricted=lambda was: (restricted_by(ACTING, until_s=1_050 + 3_600), *was.restricted)),
        "no-restriction-beyond-its-lease",
    ),
    Wrong(
        "a restriction that stays",
        chain(standing=lambda was: (restricted_by(ACTING),)),
        "restrictions-ended-by-themselves",
    ),
    Wrong(
        "a node that believes it still stands",
        set_(f"actions/{ACTING}/0/phase", "effective"),
        "restrictions-ended-by-themselves",
    ),
]


def test_a_good_run_passes_every_check() -> None:
    assert failing(good()) == set()


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda one: one.says)
def test_what_is_wrong_is_named(wrong: Wrong) -> None:
    facts = good()
    wrong.spoil(facts)
    assert wrong.check in failing(facts)


def test_every_check_of_the_story_has_been_seen_to_fail() -> None:
    names = {check.name for rule in checks._STORY if (check := rule(OPTIONS, good())) is not None}
    assert {wrong.check for wrong in WRONGS} == names


def test_a_person_may_restrict_longer_than_any_lease() -> None:
    facts = good()
    chain(standing=lambda was: (restricted_by(ACTING, by_human=True),))(facts)
    assert failing(facts) == set()


def test_checks_on_absent_roles_are_left_out() -> None:
    facts = good()
    facts.roles = [role for role in ROLES if role.name not in (HOP, ASKING)]
    facts.lies, facts.victims = [], ()
    found = {check.name for rule in checks._STORY if (check := rule(OPTIONS, facts)) is not None}
    left_out = {"second-hop-armed-then-sent", "ask-waits-for-a-person", "lies-refused", "killed-members-came-back"}
    assert not found & left_out


def test_a_quiet_twin_in_which_anything_moves_is_caught() -> None:
    facts = good()
    assert {"no-lever-moved", "no-certificate"} <= failing(facts, checks._quiet(facts))


def test_a_quiet_twin_in_which_nothing_moves_passes() -> None:
    facts = good()
    facts.told = {name: [] for name in NAMES}
    facts.chain = Witness(sent=((ACTING, 0),))
    assert failing(facts, checks._quiet(facts)) == set()


def test_a_blind_network_that_isolates_or_says_nothing_is_caught() -> None:
    facts = good()
    assert failing(facts, checks._BLIND) == {"nothing-above-guard", "every-node-says-blind"}


def test_a_blind_network_that_says_so_passes() -> None:
    facts = good()
    facts.told = {name: [] for name in NAMES}
    for status in facts.statuses.values():
        status["quorum"]["blind"] = True
    assert failing(facts, checks._BLIND) == set()


def test_a_second_alarm_that_finds_the_target_shut_by_the_first_is_an_effect_too() -> None:
    facts = good()
    name, told = next((name, one) for name, one in checks.happenings(facts, "action") if one["phase"] == "effective")
    facts.told[name].append({**told, "key": "ee" * 32})
    assert failing(facts, [checks.effects_on_the_chain]) == set()
