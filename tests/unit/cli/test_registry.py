"""`tocsin registry`: what it would do, what it does, and what it says of a registry that shows something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.testnet.chain_evm import EmbeddedChain
from tests.unit.cli.registry_site import MEMBERS, TOKEN, Site, address, now_ms


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def test_a_dry_run_shows_everything_and_sends_nothing(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    ran = site.said(capsys, "deploy")
    assert ran.code == 0
    for shown in (*map(address, MEMBERS), site.payer, "groups   4, quorum 3", "nothing is sent without --send"):
        assert shown in ran.out
    assert "cannot see sources" in ran.out
    assert len(site.chain.blocks) == 1


def test_its_json_says_gas_and_every_key(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    said = site.said(capsys, "deploy", "-o", "json").json
    assert (said["sent"], said["sender"]) == (False, site.payer)
    assert 2_000_000 < said["gas"] < 5_000_000
    assert said["most_wei"] < said["balance_wei"]
    assert sorted((one["key"], one["group"], one["member"]) for one in said["keys"]) == sorted(
        (address(member), member, member) for member in MEMBERS
    )


def test_sent_it_stands_where_it_was_said_and_shows_the_network(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    planned = site.said(capsys, "deploy", "-o", "json").json["contract"]
    ran = site.said(capsys, "deploy", "--send")
    assert ran.code == 0
    assert f'contract = "{planned}"' in ran.out
    compared = site.said(capsys, "compare", "--contract", planned)
    assert compared.code == 0
    assert "shows this network: epoch 0, 4 evm keys of 4 groups" in compared.out


def test_shown_are_epoch_keys_and_what_stands(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    contract = site.deployed(capsys)
    with site.home.config_path.open("a") as file:
        file.write(f'[sensor.mirror]\nkind = "evm.registry"\nchain = "eip155:1"\ncontract = "{contract}"\n')
    said = site.said(capsys, "show", "-o", "json").json
    assert (said["registry"]["groups"], said["sources"], said["standing"]) == (4, ["a-home", "a-other"], None)
    ran = site.said(capsys, "show", "eip155:1/erc20:0x" + "11" * 20, "bridge-forgery")
    assert ran.code == 0
    assert "ISOLATE  never, or lifted: bridge-forgery" in ran.out


def test_a_key_that_was_replaced_is_a_difference_and_exit_1(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    contract = site.deployed(capsys)
    site.learn("b", 2, b"\x99" * 20)
    ran = site.said(capsys, "compare", "--contract", contract)
    assert ran.code == 1
    assert f"evm key 0x{'99' * 20} of b is not in it" in ran.out
    said = site.said(capsys, "compare", "--contract", contract, "-o", "json").json["differences"]
    assert [one["urgent"] for one in said] == [False, False]


def test_a_keyset_that_no_governance_key_sealed_says_nothing(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    contract = site.deployed(capsys)
    site.learn("b", 2, b"\x99" * 20, sealed_by="c")
    assert site.said(capsys, "compare", "--contract", contract).code == 0


def test_too_few_keys_are_said_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, monkeypatch, keyed="ab")
    ran = site.said(capsys, "deploy")
    assert ran.code == 1
    assert "2 of 4 groups have an evm key, and a registry needs 3" in ran.err


def test_members_without_a_key_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, monkeypatch, keyed="abc")
    assert "silent there and still counted: d" in site.said(capsys, "deploy").out


def test_an_account_without_gas_plans_and_does_not_send(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.answer_from(EmbeddedChain(1, {}))
    assert site.said(capsys, "deploy").code == 0
    ran = site.said(capsys, "deploy", "--send")
    assert ran.code == 1
    assert "put gas on it" in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("deploy", "--chain", "eip155:5"), "sees eip155:5; --chain, one of: eip155:1"),
        (("show",), "no registry is named"),
        (("show", "--contract", "0x12"), "is no address"),
        (("show", "x", "--contract", "0x" + "12" * 20), "a subject without a threat"),
        (("show", "x", "bridge-forgery", "--contract", "0x" + "12" * 20), "is no subject"),
        (("show", "eip155:1", "x", "--contract", "0x" + "12" * 20), "is no threat"),
    ],
)
def test_wrong_words_end_in_one_line(
    site: Site, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    ran = site.said(capsys, *words)
    assert (ran.code, says in ran.err, len(ran.err.splitlines())) == (2, True, 1), ran.err


def test_where_no_registry_is_that_is_said(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    ran = site.said(capsys, "compare", "--contract", "0x" + "12" * 20)
    assert ran.code == 1
    assert "no contract answers at this address" in ran.err
    assert "s3cret" not in ran.err + ran.out


def test_json_is_json(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(site.said(capsys, "deploy", "-o", "json").out)["chain"] == "eip155:1"


# -- a certificate becomes a call


def test_a_certificate_whose_words_are_signed_for_it_restricts(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = site.deployed(capsys)
    cert = site.certificate(tmp_path, contract)
    planned = site.said(capsys, "submit", cert, "--contract", contract)
    assert planned.code == 0
    assert f"Would restrict (nothing is sent without --send): ISOLATE on {TOKEN}, 3 signed words" in planned.out
    done = site.said(capsys, "submit", cert, "--contract", contract, "--send", "-o", "json").json
    shown = site.said(capsys, "show", str(TOKEN), "bridge-forgery", "--contract", contract, "-o", "json").json
    assert shown["standing"]["until_s"] == {"guard": done["until_s"], "isolate": done["until_s"], "halt": 0}
    assert done["until_s"] > shown["standing"]["chain_s"]


def test_too_few_signatures_are_said_with_what_gives_them(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = site.deployed(capsys)
    ran = site.said(capsys, "submit", site.certificate(tmp_path, contract, signing="ab"), "--contract", contract)
    assert ran.code == 1
    assert "2 groups with keys in the registry have signed, 3 are needed for ISOLATE" in ran.err


def test_words_for_another_registry_count_for_none(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = site.deployed(capsys)
    cert = site.certificate(tmp_path, "0x" + "12" * 20)
    assert (
        "0 groups with keys in the registry have signed"
        in site.said(capsys, "submit", cert, "--contract", contract).err
    )


def test_a_certificate_kept_too_long_is_refused_in_the_registrys_words(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = site.deployed(capsys)
    cert = site.certificate(tmp_path, contract, issued_ms=now_ms() - 700_000)
    ran = site.said(capsys, "submit", cert, "--contract", contract, "--send")
    assert (ran.code, "refused: late" in ran.err) == (1, True), ran.err


def test_what_proves_nothing_is_not_submitted(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = site.deployed(capsys)
    cert = site.certificate(tmp_path, contract)
    cert.write_bytes(cert.read_bytes()[:-1])
    assert "proves nothing" in site.said(capsys, "submit", cert, "--contract", contract).err
