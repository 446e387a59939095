"""[[relay]]: whom a chain's transactions are given in private, and what may not be said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.config import ConfigFaults, NodeConfig, load, relays_by_chain

WHOLE = """
node = 1
member = "lender-a"
listen = "/ip4/127.0.0.1/tcp/4001"
[[connection]]
id = "lender-a-home"
chain = "eip155:1"
url = "http://127.0.0.1:8545"
[[relay]]
chain = "eip155:1"
url = "https://relay-a.example/fast?key=s3cret"
"""
SECOND = '[[relay]]\nchain = "eip155:1"\nurl = "https://relay-b.example"\n'


def read(folder: Path, text: str, environ: dict[str, str] | None = None) -> NodeConfig:
    path = folder / "node.toml"
    path.write_text(text)
    return load(path, environ or {})


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        read(folder, text)
    return [str(fault) for fault in caught.value.faults]


def test_what_it_has_goes_public_after_two_blocks_where_nothing_is_said(tmp_path: Path) -> None:
    (one,) = read(tmp_path, WHOLE).relays
    assert (one.public_after_s, one.never_public) == (25, False)


def test_it_shows_its_host_and_never_its_token(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    assert config.relays[0].shown_url == "https://relay-a.example" and "s3cret" not in repr(config)


def test_a_chain_may_have_several(tmp_path: Path) -> None:
    assert {chain: len(found) for chain, found in relays_by_chain(read(tmp_path, WHOLE + SECOND)).items()} == {
        "eip155:1": 2
    }


def test_the_environment_names_it_by_its_place(tmp_path: Path) -> None:
    told = {"TOCSIN_RELAY__2__URL": "https://other.example", "TOCSIN_RELAY__1__NEVER_PUBLIC": "true"}
    first, second = read(tmp_path, WHOLE + SECOND + "never_public = true\n", told).relays
    assert first.never_public and second.shown_url == "https://other.example"


@pytest.mark.parametrize("place", ["0", "3", "A", "01", "²"])
def test_a_place_that_is_not_there_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(ConfigFaults, match="fits no key"):
        read(tmp_path, WHOLE + SECOND, {f"TOCSIN_RELAY__{place}__URL": "https://other.example"})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8545", "http://[::1]:8545/x", "https://user:pw@relay.example"])
def test_plain_http_stays_on_this_machine(tmp_path: Path, url: str) -> None:
    assert read(tmp_path, WHOLE.replace("https://relay-a.example/fast?key=s3cret", url)).relays


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("https://relay-a", "http://relay-a", "relay[0].url: would show transactions to the wire; https://, or an"),
        ("https://relay-a", "http://localhost", "relay[0].url: would show transactions to the wire"),
        ("https://relay-a", "wss://relay-a", "relay[0].url: is no address of a relay; write it like"),
        ("https://relay-a", "https:// relay-a", "relay[0].url: is no address of a relay"),
        (
            '[[relay]]\nchain = "eip155:1"',
            '[[relay]]\nchain = "eip155:5"',
            "relay: no [[connection]] sees eip155:5; add one: a relay takes transactions and shows nothing",
        ),
        (
            '[[relay]]\nchain = "eip155:1"',
            '[[relay]]\nchain = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"',
            "relay: solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp is no EVM chain; remove its [[relay]]",
        ),
    ],
)
def test_what_a_relay_may_not_be(tmp_path: Path, old: str, new: str, says: str) -> None:
    (fault,) = faults_of(tmp_path, WHOLE.replace(old, new))
    assert fault.startswith(says) and "s3cret" not in fault


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("public_after_s = 0", "relay[0].public_after_s: input should be greater than or equal to 1"),
        ("public_after_s = 241", "relay[0].public_after_s: input should be less than or equal to 240"),
        ("public_after_s = 2.5", "relay[0].public_after_s: input should be a valid integer"),
        ('never_public = "no"', "relay[0].never_public: input should be a valid boolean"),
        ("after = 3", "relay[0].after: is an unknown key"),
        (
            "never_public = true\npublic_after_s = 9",
            "relay.public_after_s: eip155:1 has it beside never_public; remove one of them",
        ),
        (SECOND + "public_after_s = 9", "relay.public_after_s: those of eip155:1 say 25 and 9; write the same in each"),
        (SECOND + "never_public = true", "relay.never_public: those of eip155:1 say false and true; write the same"),
        (
            SECOND.replace("https://relay-b.example", "https://relay-a.example/fast?key=s3cret"),
            "relay: one url of eip155:1 stands twice; one [[relay]] for each relay",
        ),
        (SECOND * 16, "relay: list should have at most 16 items"),
    ],
)
def test_what_may_not_stand_beside_it(tmp_path: Path, more: str, says: str) -> None:
    fault, *_ = faults_of(tmp_path, WHOLE + more + "\n")
    assert fault.startswith(says) and "s3cret" not in fault
