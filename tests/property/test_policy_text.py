"""Whatever is written, the answer is a policy or faults."""

from __future__ import annotations

import contextlib
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.policy import Fault, Policy, PolicyFaults, check, parse, parse_text, say
from protocol.membership import LEASE_MS_MOST
from tests.unit.policy.stage import DECLARED, EXAMPLES

CHARACTERS = "abz019._-=[]{}\"'#\\\n\t é\u2028\x00"
WORDS = st.sampled_from(
    ["any", "none", "GUARD", "rseth", "lend", "ltv0", "5m", "verified", "act", "on", "asset", "level", "own", "do", ""]
)
KEYS = st.sampled_from(
    ["policy", "mode", "asset", "exposure", "lever", "rule", "limits", "level", "own", "do", "for", "hold", "x"]
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(CHARACTERS, max_size=5))
TREES = st.recursive(
    LEAVES, lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(KEYS | WORDS, deeper, max_size=4)
)

WIDE = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Other processes may hold the machine: time is no fact of these tests."""


def read_text(text: str) -> Policy | None:
    with contextlib.suppress(PolicyFaults):
        return parse_text(text)
    return None


@WIDE
@given(st.dictionaries(KEYS, TREES, max_size=6))
def test_any_tree_is_a_policy_or_faults(tree: dict[str, Any]) -> None:
    with contextlib.suppress(PolicyFaults):
        parse(tree)


@WIDE
@given(st.text(CHARACTERS, max_size=200))
def test_any_text_is_a_policy_or_faults(text: str) -> None:
    read_text(text)


@WIDE
@given(st.sampled_from(sorted(EXAMPLES.values())), st.data())
def test_an_example_with_a_word_exchanged_is_told_or_refused(text: str, data: st.DataObject) -> None:
    words = text.split(" ")
    words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.sampled_from(words))
    policy = read_text(" ".join(words))
    if policy is not None:
        found = check(policy, DECLARED, LEASE_MS_MOST, 7, 2)
        assert all(isinstance(fault, Fault) and fault.cure for fault in found)
        assert say(policy, DECLARED, LEASE_MS_MOST, 7, 2)


@WIDE
@given(st.sampled_from(sorted(EXAMPLES.values())), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_of_a_table_never_matters(text: str, chance: Random) -> None:
    head, *tables = text.split("\n[")
    mixed = []
    for table in tables:
        name, *lines = table.rstrip().splitlines()
        lines = [line for line in lines if line]
        chance.shuffle(lines)
        mixed.append("\n".join([name, *lines]))
    assert parse_text("\n[".join([head, *mixed])) == parse_text(text)
