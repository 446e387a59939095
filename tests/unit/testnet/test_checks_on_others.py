"""Checks of a story on contracts of others: facts as a good run leaves them, and one thing wrong at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from node.testnet.real.checks import ON_OTHERS
from node.testnet.real.owners import Signed
from node.testnet.real.pack import realised
from node.testnet.real.seen import Change, Seen
from node.testnet.scenario import TOCSIN, load
from node.testnet.witness import Witness

Facts = Any
OPTIONS: Any = SimpleNamespace()
SCENARIO = realised(load("forged-bridge-release"))
ROLES = SCENARIO.members(7)
KEYS = {"lender-a": "aa" * 32, "lender-b": "bb" * 32, "venue": "cc" * 32}
LEVERS = {"lender-a": "ltv0", "lender-b": "shut", "venue": "stop"}
MARKETS = {"lender-a": "lend-a", "lender-b": "lend-b", "venue": "perp"}
DEEDS = {"lend-a": "post_and_borrow", "lend-b": "post_and_borrow", "perp": "post_and_open"}
FROM_MS, TO_MS, AMID_MS = 10_000, 60_000, 20_000


def phases(name: str) -> list[dict[str, Any]]:
    told = (("effective", FROM_MS), ("lifting", TO_MS), ("lifted", TO_MS + 3_000))
    action = {"kind": "action", "key": KEYS[name], "lever": LEVERS[name]}
    return [{**action, "phase": phase, "at_ms": at_ms} for phase, at_ms in told]


def deed(do: str, ok: bool, at_ms: int = AMID_MS, who: str = "attacker") -> dict[str, Any]:
    return {"who": who, "do": do, "ok": ok, "at_ms": at_ms, "why": "" if ok else "refused"}


def change(name: str, until_s: int, key: str = "") -> Change:
    return Change(MARKETS[name], "rs", "fn", key or KEYS[name], until_s, False, 7)


def signed(does: str, first_ms: int) -> list[Signed]:
    return [Signed("council", does, KEYS["lender-b"], number, 2, first_ms + 1_000 * number) for number in (1, 2)]


def good() -> Facts:
    deeds = [deed(f"{market}.{verb}", False) for market, verb in DEEDS.items()]
    deeds += [deed("lend-a.post_and_borrow", True, 5_000), deed("lend-a.repay", True, who="crowd")]
    changes = tuple(change(name, until_s) for name in KEYS for until_s in (60, 0))
    seen = Seen(changes, (("lend-a.rs", 1, 1),), (("council", 2),))
    return SimpleNamespace(
        scenario=SCENARIO,
        roles=ROLES,
        told={role.name: phases(role.name) if role.name in KEYS else [] for role in ROLES},
        deeds={TOCSIN: deeds},
        actions={name: [{"key": key, "lever": LEVERS[name]}] for name, key in KEYS.items()},
        owners={"lender-b": [*signed("restrict", FROM_MS - 3_000), *signed("lift", TO_MS)]},
        chain=Witness(others=seen),
    )


def failing(facts: Facts) -> set[str]:
    found = (rule(OPTIONS, facts) for rule in ON_OTHERS)
    return {check.name for check in found if check is not None and not check.ok}


def seen(**changes: Callable[[Seen], Any]) -> Callable[[Facts], None]:
    def spoil(facts: Facts) -> None:
        others = replace(facts.chain.others, **{name: made(facts.chain.others) for name, made in changes.items()})
        facts.chain = replace(facts.chain, others=others)

    return spoil


def did(do: str, ok: bool, who: str = "attacker") -> Callable[[Facts], None]:
    return lambda facts: facts.deeds[TOCSIN].append(deed(do, ok, who=who))


def never_tried(facts: Facts) -> None:
    facts.deeds[TOCSIN] = [
        one if one["do"] != "perp.post_and_open" else {**one, "at_ms": 5_000} for one in facts.deeds[TOCSIN]
    ]


def nobody_repaid(facts: Facts) -> None:
    facts.deeds[TOCSIN] = [
        {**one, "at_ms": TO_MS + 5_000} if one["do"] == "lend-a.repay" else one for one in facts.deeds[TOCSIN]
    ]


def too_few_owners(facts: Facts) -> None:
    facts.owners["lender-b"] = [one for one in facts.owners["lender-b"] if one.number == 1]


def before_the_last_owner(facts: Facts) -> None:
    facts.owners["lender-b"] = [replace(one, at_ms=one.at_ms + 10_000) for one in facts.owners["lender-b"]]


@dataclass(frozen=True)
class Wrong:
    says: str
    spoil: Callable[[Facts], None]
    check: str


WRONGS = [
    Wrong("an attacker gets in amid a freeze", did("lend-a.post_and_borrow", True), "attacker-was-refused"),
    Wrong("an attacker opens amid a cap", did("perp.post_and_open", True), "attacker-was-refused"),
    Wrong("a gate that nobody tried", never_tried, "attacker-was-refused"),
    Wrong("debt that cannot be paid back", did("lend-b.repay", False, "crowd"), "honest-users-repaid-meanwhile"),
    Wrong("nobody repaid amid a freeze", nobody_repaid, "honest-users-repaid-meanwhile"),
    Wrong("one signature where two are needed", too_few_owners, "safe-waited-for-its-owners"),
    Wrong("a Safe that moved too early", before_the_last_owner, "safe-waited-for-its-owners"),
    Wrong("a reserve left otherwise", seen(terms=lambda was: (("lend-a.rs", 1, 2),)), "markets-stand-as-before"),
    Wrong("nothing was compared", seen(terms=lambda was: ()), "markets-stand-as-before"),
    Wrong(
        "a change without a key",
        seen(changes=lambda was: (*was.changes, change("venue", 9, "dd" * 32))),
        "nothing-else-was-touched",
    ),
    Wrong(
        "a change on another market",
        seen(changes=lambda was: (*was.changes, replace(change("venue", 9), thing="lend-c"))),
        "nothing-else-was-touched",
    ),
    Wrong("a Safe that did more", seen(executed=lambda was: (("council", 3),)), "nothing-else-was-touched"),
]


def test_a_good_run_passes_every_check() -> None:
    assert failing(good()) == set()


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda one: one.says)
def test_what_is_wrong_is_named(wrong: Wrong) -> None:
    facts = good()
    wrong.spoil(facts)
    assert wrong.check in failing(facts)


def test_a_deed_that_was_under_way_is_no_breach() -> None:
    facts = good()
    facts.deeds[TOCSIN].append(deed("lend-a.post_and_borrow", True, FROM_MS + 500))
    assert failing(facts) == set()


def test_a_run_on_own_contracts_has_none_of_these() -> None:
    facts = good()
    facts.scenario, facts.owners = load("forged-bridge-release"), {}
    assert [rule(OPTIONS, facts) for rule in ON_OTHERS] == [None] * len(ON_OTHERS)
