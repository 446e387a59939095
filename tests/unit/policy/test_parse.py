"""Reading a policy: whole or refused whole, every fault at once, each with its line."""

from __future__ import annotations

import pytest

from adapters.policy import Ending, Fault, Mode, PolicyFaults, parse, parse_text
from protocol.messages import Level
from tests.unit.policy.stage import EXAMPLES, RSETH, example

MINUTE_MS = 60_000


def faults_of(text: str) -> tuple[Fault, ...]:
    with pytest.raises(PolicyFaults) as caught:
        parse_text(text)
    return caught.value.faults


def changed(title: str, old: str, new: str) -> str:
    assert old in EXAMPLES[title]
    return str(EXAMPLES[title]).replace(old, new, 1)


@pytest.mark.parametrize("title", EXAMPLES)
def test_every_example_of_the_readme_is_well_formed(title: str) -> None:
    assert example(title).rules


def test_there_is_an_example_for_each_of_the_six_roles() -> None:
    assert len(EXAMPLES) == 6


def test_without_a_mode_a_policy_only_observes() -> None:
    assert parse_text("policy = 1").mode is Mode.OBSERVE


def test_a_mapping_that_somebody_else_parsed_is_read_too() -> None:
    assert parse({"policy": 1, "asset": {"rs": [str(RSETH)]}}).assets == {"rs": (RSETH,)}


def test_a_rule_is_read_with_all_its_floors() -> None:
    shut = next(rule for rule in example("Lender, acting").rules if rule.name == "shut")
    assert (shut.level, shut.groups, shut.sources, shut.min_loss_usd) == (Level.ISOLATE, 3, 2, 250_000)
    assert (shut.do, shut.for_ms) == (("freeze", "ltv0"), 6 * 3_600_000)


def test_all_faults_come_at_once_each_with_its_line() -> None:
    text = 'policy = 2\nmode = "sometimes"\n[exposure]\n'
    text += 'lend = { asset = "ghost", read = "r", max_age = "soon", ways_out = [] }\n'
    assert {(one.path, one.line) for one in faults_of(text)} == {
        ("policy", 1),
        ("mode", 2),
        ("exposure.lend.asset", 4),
        ("exposure.lend.max_age", 4),
    }


def test_a_key_in_a_table_of_its_own_is_found_on_its_own_line() -> None:
    text = 'policy = 1\n[rule.other]\nasset = "any"\nlevel = "any"\nown = "any"\ndo = []\ngroups = 0\n'
    assert [(one.path, one.line) for one in faults_of(text)] == [("rule.other.groups", 7)]


def test_a_list_over_several_lines_does_not_shift_the_rest() -> None:
    text = f'policy = 1\n[asset]\nrs = [\n  "{RSETH}", # level = 3\n]\n[rule]\n'
    text += 'x = { asset = "rs", level = "any", own = "any", do = ["gone"], for = "1m" }\n'
    assert [(one.path, one.line) for one in faults_of(text)] == [("rule.x.do", 7)]


def test_broken_toml_names_its_line() -> None:
    (fault,) = faults_of('policy = 1\nmode = "act\n')
    assert fault.line == 2


def test_an_unknown_key_is_an_error() -> None:
    (fault,) = faults_of("policy = 1\npolcy = 2\n")
    assert "unknown key" in fault.what


@pytest.mark.parametrize("line", ['quiet_hours = "22:00-06:00"', "hours = [1]", "weekday = 3"])
def test_a_condition_on_the_clock_is_refused_as_such(line: str) -> None:
    (fault,) = faults_of(f"policy = 1\n{line}\n")
    assert "clock" in fault.what


def test_a_clock_condition_inside_a_rule_is_refused_too() -> None:
    text = changed("Unexposed exchange", "page = true", 'hours = "9-17"')
    assert "clock" in faults_of(text)[0].what


def test_one_person_ends_a_restriction_unless_two_are_wanted() -> None:
    assert parse_text("policy = 1").ending == Ending(1, 30 * MINUTE_MS, "")
    two = parse_text('policy = 1\nrelease = { need = 2, within = "10m", socket = "anna@desk" }').ending
    assert two == Ending(2, 10 * MINUTE_MS, "anna@desk")


@pytest.mark.parametrize(
    "written",
    ["need = 3", "need = 0", "need = true", 'within = "10s"', 'within = "2d"', 'socket = "an na"', "ready = 1"],
)
def test_what_no_two_people_could_do_is_refused(written: str) -> None:
    (fault,) = faults_of(f"policy = 1\nrelease = {{ {written} }}\n")
    assert fault.path == f"release.{written.partition(' ')[0]}" and fault.line == 2 and fault.cure


@pytest.mark.parametrize("word", ["people", "never", "freeze_budget", "looser_waits"])
def test_words_of_a_later_version_are_refused_and_not_silently_ignored(word: str) -> None:
    (fault,) = faults_of(f"policy = 1\n{word} = 1\n")
    assert "not in this version" in fault.what


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('do = ["ltv0"], for = "6h"', 'do = ["ghost"], for = "6h"', "rule.guard.do"),
        ('do = ["ltv0"], for = "6h"', 'do = ["ltv0"]', "rule.guard.for"),
        ('level = "GUARD"', 'level = "WATCH"', "rule.guard.level"),
        ('level = "GUARD", basis = "VERIFIED"', 'level = "GUARD", basis = "HEARSAY"', "rule.guard.basis"),
        ("groups = 2", "groups = -1", "rule.guard.groups"),
        ("groups = 2", "groups = true", "rule.guard.groups"),
        ("groups = 2, min_loss_usd = 250_000", "groups = 2, min_loss_usd = nan", "rule.guard.min_loss_usd"),
        ('on = "lend", call = "lending.freeze"', 'on = "lent", call = "lending.freeze"', "lever.freeze.on"),
        ('expires_by = "target", max = "6h"', 'expires_by = "hope", max = "6h"', "lever.freeze.expires_by"),
        ('max_age = "5m"', 'max_age = "0s"', "exposure.lend.max_age"),
        ('max_age = "5m"', 'max_age = "31d"', "exposure.lend.max_age"),
        ('max_age = "5m"', "max_age = 300", "exposure.lend.max_age"),
        ("eip155:1/erc20:0xa1290d", "rseth-0x", "asset.rseth"),
    ],
)  # fmt: skip
def test_one_wrong_word_is_one_fault_at_its_place(old: str, new: str, path: str) -> None:
    assert [one.path for one in faults_of(changed("Lender, acting", old, new))] == [path]


def test_one_subject_is_one_risk() -> None:
    (fault,) = faults_of(f'policy = 1\nasset.a = ["{RSETH}"]\nasset.b = ["{RSETH}"]\n')
    assert (fault.path, fault.line) == ("asset.b", 3)


def test_a_lever_of_another_asset_is_refused() -> None:
    text = (
        EXAMPLES["Lender, acting"]
        + 'stray = { asset = "dai", level = "GUARD", own = "verified", do = ["ltv0"], for = "1m" }\n'
    )
    text = text.replace(
        "[exposure]", 'asset.dai = ["eip155:1/erc20:0x6b175474e89094c44da98b954eedeac495271d0f"]\n[exposure]'
    )
    assert [one.path for one in faults_of(text)] == ["rule.stray.do"]


def test_a_utilisation_counts_no_groups_and_has_no_start_to_hold_from() -> None:
    text = changed("Second-hop lender", "arm_above = 0.60", 'groups = 2, hold = "4m", arm_above = 0.60')
    assert [one.path for one in faults_of(text)] == ["rule.second.groups", "rule.second.hold"]


def test_arming_after_acting_is_refused() -> None:
    assert faults_of(changed("Second-hop lender", "arm_above = 0.60", "arm_above = 0.80"))


@pytest.mark.parametrize("text", ["rule = 3", "rule = { x = 3 }", "asset = []", "limits = 3", 'lever = ["a"]'])
def test_a_thing_of_the_wrong_shape_is_a_fault_and_not_a_crash(text: str) -> None:
    assert faults_of(f"policy = 1\n{text}\n")
