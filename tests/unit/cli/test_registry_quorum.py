"""What a quorum signs for a registry: its next epoch, new keys, the end of a restriction; gathered into one call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from governance.proposals import Remove, Retune
from protocol.crypto import sha256
from protocol.ids import MemberName
from tests.unit.cli.registry_site import TOKEN, Signing, address, now_ms

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signing:
    return Signing(tmp_path, monkeypatch)


def test_a_quorum_moves_a_registry_to_the_networks_next_epoch(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    after = site.decides(Retune(halt="n"))
    assert "nobody has advanced it" in site.said(capsys, "compare", *contract).out
    files = site.signed(capsys, tmp_path, "abc", "epoch", *contract)
    planned = site.said(capsys, "submit", *files, *contract)
    assert (planned.code, f"move it to epoch 1, {after.hash.hex()[:16]}" in planned.out) == (0, True), planned
    done = site.said(capsys, "submit", *files, *contract, "--send")
    assert (done.code, "it is at epoch 1 with 4 keys" in done.out) == (0, True), done
    assert site.said(capsys, "compare", *contract).code == 0


def test_two_of_three_move_nothing(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    site.decides(Retune(halt="n"))
    ran = site.said(capsys, "submit", *site.signed(capsys, tmp_path, "ab", "epoch", *contract), *contract, "--send")
    assert (ran.code, "2 groups with keys in the registry have signed this, 3 are needed" in ran.err) == (1, True), ran


def test_who_signed_other_keys_is_named(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    site.decides(Retune(halt="n"))
    files = site.signed(capsys, tmp_path, "bc", "epoch", *contract)
    site.learn("d", 2, b"\x99" * 20)
    files += site.signed(capsys, tmp_path, "a", "epoch", *contract)
    ran = site.said(capsys, "submit", *files, *contract)
    assert (ran.code, "b signed other keys; c signed other keys" in ran.err) == (1, True), ran


def test_a_replaced_key_is_put_there_by_the_quorum(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    assert "nothing to sign" in site.said(capsys, "sign", "keys", *contract).err
    for member in "abc":
        site.learn_at(member, "d", 2, b"\x99" * 20)
    files = site.signed(capsys, tmp_path, "abc", "keys", *contract)
    done = site.said(capsys, "submit", *files, *contract, "--send")
    assert done.code == 0, done
    assert "0x" + "99" * 20 in site.said(capsys, "show", *contract).out
    assert site.said(capsys, "compare", *contract).code == 0


def test_a_quorum_lifts_what_the_registry_restricts(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    said = site.certificate(tmp_path, contract[1], issued_ms=now_ms() - 2_000)
    assert site.said(capsys, "submit", said, *contract, "--send").code == 0
    about = ("lift", str(TOKEN), "bridge-forgery")
    files = site.signed(capsys, tmp_path, "bcd", *about, *contract)
    planned = site.said(capsys, "submit", *files, *contract)
    assert f"release what was said of bridge-forgery on {TOKEN} through 20" in planned.out
    done = site.said(capsys, "submit", *files, *contract, "--send")
    assert (done.code, "released through" in done.out) == (0, True), done
    shown = site.said(capsys, "show", str(TOKEN), "bridge-forgery", *contract, "-o", "json").json
    assert set(shown["standing"]["until_s"].values()) == {0}


def test_a_wallet_signs_what_the_command_signs(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    site.decides(Retune(halt="n"))
    typed = site.by("a", capsys, "sign", "epoch", "--wallet", *contract).json
    said = Account.sign_message(encode_typed_data(full_message=typed), sha256(b"evm key of a")).signature.hex()
    words = ("sign", "epoch", "--signature", "0x" + said.removeprefix("0x"), "--out", tmp_path / "wallet.json")
    assert site.by("a", capsys, *words, *contract).code == 0
    here = site.signed(capsys, tmp_path, "a", "epoch", *contract)[0]
    assert (tmp_path / "wallet.json").read_text() == here.read_text()


def test_a_key_that_is_not_the_members_signs_nothing(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    site.decides(Retune(halt="n"))
    foreign = site.homes["b"].directory / "data" / "keys" / "evm.key"
    out = tmp_path / "epoch.json"
    ran = site.by("a", capsys, "sign", "epoch", "--evm-key", foreign, "--out", out, *contract)
    assert (ran.code, f"the newest KeySet of a names {address('a')}" in ran.err, out.exists()) == (1, True, False), ran


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda told: told | {"registry_word": 2}, "no word for a registry"),
        (lambda told: told | {"type": "Alarm"}, "has type 'Alarm'"),
        (lambda told: told | {"chain": "eip155:0"}, "names no chain"),
        (lambda told: told | {"chain": "eip155:5"}, "on eip155:5"),
        (lambda told: told | {"contract": "0x" + "AB" * 20}, "contract is not 0x and 40 lower"),
        (lambda told: told | {"signature": "0x12"}, "signature is not 0x and 130"),
        (lambda told: told | {"values": {}}, "does not have the values of Epoch"),
        (lambda told: told | {"values": told["values"] | {"n": 4}}, "n is no decimal text"),
        (lambda told: told | {"values": told["values"] | {"n": "9" * 78}}, "n is above 2^256 - 1"),
        (lambda told: told | {"values": told["values"] | {"keys": ["1"] * 257}}, "keys is no list of at most 256"),
        (lambda told: [told], "no word for a registry"),
    ],
)
def test_a_spoilt_file_is_one_line(site: Signing, tmp_path: Path, capsys: Capsys, spoil, says: str) -> None:
    contract = ("--contract", site.deployed(capsys))
    site.decides(Retune(halt="n"))
    good = site.signed(capsys, tmp_path, "a", "epoch", *contract)[0]
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(spoil(json.loads(good.read_text()))))
    ran = site.said(capsys, "submit", good, bad, *contract)
    assert (ran.code, says in ran.err, len(ran.err.splitlines())) == (1, True, 1), ran.err


def test_no_epoch_that_is_known_no_word(site: Signing, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    ran = site.said(capsys, "sign", "epoch", *contract)
    assert (ran.code, "knows 0 as the newest" in ran.err) == (1, True), ran


@pytest.mark.parametrize("through", [-1, now_ms() + 3_600_000, 10**15])
def test_nobody_signs_the_release_of_what_is_said_later(
    site: Signing, tmp_path: Path, capsys: Capsys, through: int
) -> None:
    contract = ("--contract", site.deployed(capsys))
    out = tmp_path / "lift.json"
    about = ("lift", str(TOKEN), "bridge-forgery", "--through", through)
    ran = site.by("a", capsys, "sign", *about, "--out", out, *contract)
    assert (ran.code, "nobody releases what is said later" in ran.err, out.exists()) == (2, True, False), ran


@pytest.mark.parametrize("value", [("network", "0x" + "12" * 32), ("through", str(10**15))])
def test_one_word_that_would_spoil_the_call_is_named(
    site: Signing, tmp_path: Path, capsys: Capsys, value: tuple[str, str]
) -> None:
    contract = ("--contract", site.deployed(capsys))
    files = site.signed(capsys, tmp_path, "bcd", "lift", str(TOKEN), "bridge-forgery", *contract)
    told = json.loads(files[0].read_text())
    told["values"][value[0]] = value[1]
    files[0].write_text(json.dumps(told))
    ran = site.said(capsys, "submit", *files, *contract)
    assert (ran.code, "are of another network, or release what is said later" in ran.err) == (1, True), ran


def test_a_lift_says_in_words_what_it_lifts(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    file = site.signed(capsys, tmp_path, "b", "lift", str(TOKEN), "bridge-forgery", *contract)[0]
    told = json.loads(file.read_text())
    file.write_text(json.dumps(told | {"about": str(TOKEN).replace("11", "12")}))
    assert "is about another subject than it signs" in site.said(capsys, "submit", file, *contract).err


def test_a_registry_two_epochs_behind_is_moved_one_after_the_other(
    site: Signing, tmp_path: Path, capsys: Capsys
) -> None:
    """Who sat in the epoch between has left since: its key belongs there all the same."""
    contract = ("--contract", site.deployed(capsys))
    first = site.decides(Retune(halt="n"))
    site.decides(Remove(MemberName("d")), of=first)
    assert len(site.by("a", capsys, "sign", "epoch", "--wallet", *contract).json["message"]["keys"]) == 4
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        files = site.signed(capsys, tmp_path / str(number), "abc", "epoch", *contract)
        done = site.said(capsys, "submit", *files, *contract, "--send")
        assert (done.code, f"it is at epoch {number} with" in done.out) == (0, True), done
    assert site.said(capsys, "compare", *contract).code == 0


def test_words_on_two_matters_are_not_shown_as_one(site: Signing, tmp_path: Path, capsys: Capsys) -> None:
    contract = ("--contract", site.deployed(capsys))
    (tmp_path / "other").mkdir()
    files = site.signed(capsys, tmp_path / "other", "a", "lift", str(TOKEN), "unbacked-supply", *contract)
    files += site.signed(capsys, tmp_path, "bcd", "lift", str(TOKEN), "bridge-forgery", *contract)
    ran = site.said(capsys, "submit", *files, *contract)
    assert (ran.code, "several subjects or threats" in ran.err) == (1, True), ran
