"""What fuzzing found in the readers, each as the sentence that holds since. The inputs themselves lie in `found/`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from adapters.policy import PolicyFaults, parse_text
from adapters.policy.lines import find_lines
from adapters.section import Section
from governance.charter import parse as parse_charter
from governance.faults import FileFaults
from protocol.envelope import parse_entry
from protocol.messages import Manifest
from tests.fuzz.seeds import word
from tests.unit.machine.cast import NETWORK

DIGITS = "9" * 5_000
HEXADECIMAL = "0x" + "f" * 4_000
TEXTS: dict[str, Callable[[str], Any]] = {"policy": parse_text, "charter": parse_charter}
SLOW = {
    "spaces after a bracket": "x = '''\n[" + " " * 3_000 + "\n'''\n",
    "quotes that never close": "x = '''\n" + '"\\' * 2_000 + "\n'''\n",
    "a key of a thousand parts": "a." * 2_000 + "a = 1\n",
    "a table of a thousand parts": "[" + "a." * 2_000 + "a]\n",
    "a thousand quoted parts": '"a".' * 1_000 + "a = 1\n",
}


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize("number", [DIGITS, HEXADECIMAL, "-" + DIGITS])
def test_a_number_of_thousands_of_digits_is_a_fault_like_any_other(what: str, number: str) -> None:
    for key in ("policy", "charter", "created_ms", "mode", "x"):
        with pytest.raises((PolicyFaults, FileFaults)):
            TEXTS[what](f"{key} = {number}\n")


@pytest.mark.parametrize("key", ["min_loss_usd", "arm_above", "groups", "for", "do", "page", "level", "asset"])
def test_such_a_number_is_refused_wherever_a_rule_holds_one(key: str) -> None:
    with pytest.raises(PolicyFaults, match=key):
        parse_text(f"policy = 1\n[rule.one]\n{key} = {HEXADECIMAL}\n")


def test_an_amount_that_no_float_holds_is_a_fault() -> None:
    faults: list[str] = []
    assert Section("target.pool", {"usd": 10**400}, faults).amount("usd") is None
    assert faults == ["target.pool.usd: must be a number above 0"]


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_no_text_of_four_kilobytes_takes_longer_than_ten_milliseconds(what: str, text: str) -> None:
    spent = []
    for _ in range(3):
        start = time.thread_time_ns()
        with pytest.raises((PolicyFaults, FileFaults)):
            TEXTS[what](text)
        spent.append(time.thread_time_ns() - start)
    assert min(spent) <= 10_000_000


BRACKETS = """\
x = '''
no [table]
'''
  [rule.one] # why
for = "5m"
[[ list ]]
a . "b" = 1
[ ]
d = [
[1]
]
e = 2
"""


def test_lines_are_still_found_where_texts_hold_brackets_and_quotes() -> None:
    found = {"x": 1, "rule": 4, "rule.one": 4, "rule.one.for": 5}
    found |= {"list": 6, "list.a": 7, "list.a.b": 7, "list.d": 9, "list.e": 12}
    assert find_lines(BRACKETS) == found


def test_a_long_list_of_dotted_names_on_one_line_is_no_deep_key() -> None:
    names = ", ".join('"domain:app.of.some.example.org"' for _ in range(100))
    with pytest.raises(PolicyFaults) as refused:
        parse_text(f"policy = 1\nasset.one = [{names}] # {'.' * 100}\n[rule.r]\n")
    assert not any("too many parts" in fault.what for fault in refused.value.faults)


def exposed_to(*counts: int, shape: str) -> str:
    """A policy with an exposure to so many subjects for each count."""
    lines = ["policy = 1"]
    for at, count in enumerate(counts):
        names = ", ".join(f'"{shape.format(1000 * at + number)}"' for number in range(count))
        lines.append(f"asset.coin{at} = [{names}]")
        lines.append(f'exposure.e{at} = {{ asset = "coin{at}", read = "log.read", max_age = "5m", ways_out = [] }}')
    return "\n".join(lines)


SHORT = "eip155:1:0x{:040x}"
LONG = "market:eip155:1:0x{:040x}/0x" + "00" * 32


@pytest.mark.parametrize("text", [exposed_to(128, 128, shape=SHORT), exposed_to(230, shape=LONG)], ids=["many", "long"])
def test_what_a_policy_exposes_fits_one_manifest(text: str) -> None:
    subjects = tuple(one for held in parse_text(text).assets.values() for one in held)
    said = word("m1", Manifest(subjects))
    assert parse_entry(said.raw, NETWORK).entry.body.subjects == subjects


@pytest.mark.parametrize("text", [exposed_to(128, 129, shape=SHORT), exposed_to(231, shape=LONG)], ids=["many", "long"])
def test_a_policy_exposed_to_more_than_a_manifest_declares_is_refused(text: str) -> None:
    """Else the node would seal what nobody can read, and could not start again upon its own store."""
    with pytest.raises(PolicyFaults, match="more than one Manifest"):
        parse_text(text)
