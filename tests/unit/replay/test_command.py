"""`tocsin replay` as its owner sees it."""

import json
from pathlib import Path
from typing import Any

import pytest

from node.cli import main
from tests.unit.policy.stage import EXAMPLES

RSETH = "eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7"
LIST = f"""name,asset,usd,levers
lend,{RSETH},52100000,lending.ltv_zero=GUARD lending.freeze
perp,{RSETH.upper().replace("EIP155", "eip155").replace("ERC20:0X", "erc20:0x")},3100000,
vault,rs,900000,
dai,eip155:1/erc20:0x6b175474e89094c44da98b954eedeac495271d0f,1000000,
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.csv"
    file.write_text(LIST)
    return file


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    main(["replay", *words, "-o", "json"])
    return dict(json.loads(capsys.readouterr().out))


def test_it_says_when_one_would_have_acted_and_what_has_no_lever(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", "forged-bridge-release", "--exposure", str(mine)]) == 0
    said = capsys.readouterr().out
    assert "You would have acted at +12." in said
    assert "2 have no lever: perp, vault (4,000,000 USD)." in said
    assert "+46 min" in said


def test_a_list_without_levers_is_told_how_to_name_some(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine.write_text("name,asset,usd\nlend,rs,1000000\n")
    assert main(["replay", "forged-bridge-release", "--exposure", str(mine)]) == 1
    said = capsys.readouterr().out
    assert "1 has no lever: lend (1,000,000 USD). Name some in a column levers: lending.freeze=ISOLATE" in said
    mine.write_text("name,asset,usd,levers\nlend,rs,1000000,lending.freeze=ISOLATE lending.ltv_zero=GUARD\n")
    assert main(["replay", "forged-bridge-release", "--exposure", str(mine)]) == 0
    assert "Name some" not in capsys.readouterr().out


def test_two_blocks_pass_before_a_lever_stands(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fast = told(capsys, "forged-bridge-release", "-e", str(mine), "--block", "0s")
    slow = told(capsys, "forged-bridge-release", "-e", str(mine), "--block", "12s")
    assert slow["acted_ms"] - fast["acted_ms"] == 12_000
    assert slow["effect_ms"] - fast["effect_ms"] == 24_000


def test_each_exposure_is_answered(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "forged-bridge-release", "-e", str(mine))
    does = {one["name"]: one["does"] for one in found["exposures"]}
    assert does == {"lend": "acts", "perp": "no lever", "vault": "no lever", "dai": "untouched"}


def test_the_same_incident_is_played_on_another_asset(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dai = "eip155:1/erc20:0x6b175474e89094c44da98b954eedeac495271d0f"
    found = told(capsys, "oracle-push", "-e", str(mine), "--as", dai)
    assert {one["name"]: one["does"] for one in found["exposures"]}["dai"] == "no lever"


def test_an_incident_that_hits_nothing_is_refused_with_a_way_on(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "oracle-push", "-e", str(mine)]) == 1
    assert "add --as with an asset" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [["--block", "soon"], ["--block", "30d"], ["--own", "maybe"]])
def test_a_bad_option_is_a_usage_error(mine: Path, bad: list[str]) -> None:
    assert main(["replay", "forged-bridge-release", "-e", str(mine), *bad]) == 2


def test_a_nodes_own_log_counts_from_its_first_word(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "node.log"
    word = {"where": "tocsin.loop", "kind": "attestation", "subject": RSETH, "threat": "bridge-forgery"}
    word |= {"level": "ISOLATE", "basis": "VERIFIED"}
    rows = [word | {"author": f"m{n}", "seq": 3, "issued_ms": 1_790_000_000_000 + 50 * n} for n in range(4)]
    log.write_text("\n".join(map(json.dumps, [{"level": "info", "says": "up"}, *rows])))
    found = told(capsys, str(log), "-e", str(mine))
    # three of four groups are a quorum; the own check is as slow as the slowest; a block passes before a lever stands
    assert [(one["level"], one["at_ms"]) for one in found["formed"]] == [("GUARD", 50), ("ISOLATE", 100)]
    assert (found["acted_ms"], found["effect_ms"], found["counts_from"]) == (150, 12_150, "the first word")


def test_a_policy_that_observes_is_played_as_if_it_acted_and_that_is_said(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(EXAMPLES["Lender, acting"].replace('mode = "act"', 'mode = "observe"'))
    assert main(["replay", "forged-bridge-release", "-e", str(mine), "--policy", str(policy)]) == 0
    said = capsys.readouterr().out
    assert "it only observes: played as if it acted" in said
    assert "lending.freeze at +12." in said and "stays open: withdraw" in said


def test_rows_whose_names_begin_alike_keep_their_own_levers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{'x' * 31}{end},{RSETH},5000000,lending.freeze" for end in "ab"]
    (tmp_path / "mine.csv").write_text("name,asset,usd,levers\n" + "\n".join(rows))
    found = told(capsys, "forged-bridge-release", "-e", str(tmp_path / "mine.csv"))
    assert [one["does"] for one in found["exposures"]] == ["acts", "acts"]
