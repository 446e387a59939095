from __future__ import annotations

import pytest

from governance.charter import Charter, CharterFaults, check, create, parse, sign, write
from protocol.codec import encode
from protocol.crypto import sha256
from protocol.errors import ProtocolError
from protocol.ids import MemberName
from protocol.messages import Level
from tests.unit.governance import world


def faults_of(text: str, now_ms: int = world.NOW_MS) -> list[str]:
    return [str(fault) for fault in check(parse(text), now_ms).faults]


def parse_faults(text: str) -> list[str]:
    with pytest.raises(CharterFaults) as caught:
        parse(text)
    return [str(fault) for fault in caught.value.faults]


def test_four_founders_make_a_charter_without_faults() -> None:
    result = check(parse(world.founded()), world.NOW_MS)
    assert (result.faults, result.notes) == ([], [])


def test_what_is_written_reads_back_the_same() -> None:
    charter = parse(world.founded())
    assert parse(write(charter)) == charter


def test_the_id_is_the_same_before_and_after_signing() -> None:
    assert parse(world.unsigned()).network == parse(world.founded()).network


def test_the_order_of_cards_and_addresses_do_not_change_the_id() -> None:
    cards = [world.card(name) for name in world.NAMES]
    moved = create(reversed(cards), world.parameters()).replace("/tcp/4001", "/tcp/4999")
    assert parse(moved).network == parse(world.unsigned()).network


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('network = "test-net"', 'network = "test-nets"'),
        ("created_ms = 1780000000000", "created_ms = 1780000000001"),
        ('guard = "max(2, f + 1)"', 'guard = "max(3, f + 1)"'),
        ('halt = "1h"', 'halt = "59m"'),
        ('change = "3d"', 'change = "2d"'),
        ('silence = "3d"', 'silence = "2d"'),
        ('group = "venue"', 'group = "issuer"'),
        ('operator = "lender-b"', 'operator = "lender-a"'),
        ('escrow = "0x22', 'escrow = "0x23'),
        ('references = ["0x55', 'references = ["0x56'),
    ],
)
def test_everything_inside_moves_the_id_and_voids_every_signature(old: str, new: str) -> None:
    text = world.founded()
    assert old in text
    changed = text.replace(old, new, 1)
    assert parse(changed).network != parse(text).network
    assert sum("does not hold for this id" in fault for fault in faults_of(changed)) == 4


def test_epoch_0_counts_what_the_charter_says() -> None:
    charter = parse(world.founded())
    epoch = charter.epoch0()
    assert epoch.hash == sha256(encode(["tocsin/1/epoch", charter.network, 0]))
    assert (epoch.n, epoch.f, epoch.q, epoch.activates_ms) == (4, 1, 3, world.NOW_MS)
    assert epoch.thresholds == {Level.GUARD: 2, Level.ISOLATE: 3, Level.HALT: 3}
    assert epoch.lease_bound_ms(Level.HALT) == 3_600_000
    assert {sealed.keyset.member for sealed in charter.keysets} == set(world.NAMES)


def test_a_network_of_three_is_valid_and_only_informs() -> None:
    result = check(parse(world.founded(world.NAMES[:3])), world.NOW_MS)
    assert result.ok
    assert "only informs" in result.notes[0]


def test_a_network_of_one_is_valid_and_nothing_can_form_in_it() -> None:
    result = check(parse(world.founded(world.NAMES[:1])), world.NOW_MS)
    assert result.ok
    assert any("GUARD needs 2 of 1 groups: never" in note for note in result.notes)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('isolate = "Q"', 'isolate = "Q - 1"', "ISOLATE needs 2 of 4 groups"),
        ('halt = "Q"', 'halt = "n + 1"', "HALT needs 5 of 4 groups: never"),
        ('guard = "max(2, f + 1)"', 'guard = "f"', "at least max(2, f + 1) = 2"),
        ('guard = "max(2, f + 1)"', 'guard = "open(1)"', "only n, f, Q"),
        ('isolate = "6h"', 'isolate = "7h"', "lease.isolate: 7h is out of bounds"),
        ('name = "venue"', 'name = "issuer"', "member issuer: stands 2 times"),
        ('id = "node-b"', 'id = "node-a"', "source node-a: stands 2 times"),
        ('scope = "eip155:130"', 'scope = "eip155:131"', "nobody reads eip155:130"),
        ('home = "eip155:1"', 'home = "eip155:130"', "the asset lives on eip155:1"),
    ],
)
def test_what_cannot_hold_is_named(old: str, new: str, says: str) -> None:
    changed = world.unsigned().replace(old, new, 1)
    assert changed != world.unsigned()
    assert any(says in fault for fault in faults_of(changed))


def test_one_key_for_two_seats_is_a_fault() -> None:
    twin = world.governance("issuer").public.hex()
    text = world.unsigned().replace(world.governance("venue").public.hex(), twin)
    assert any("is the key of issuer too" in fault for fault in faults_of(text))


def test_a_key_of_small_order_is_a_fault() -> None:
    text = world.unsigned().replace(world.governance("venue").public.hex(), "01" + "00" * 31)
    assert any("prime-order" in fault for fault in faults_of(text))


def test_a_founder_who_has_not_signed_is_named_with_what_to_run() -> None:
    text = sign(world.unsigned(), MemberName("issuer"), world.governance("issuer"), world.keyset("issuer"))
    faults = faults_of(text)
    assert len(faults) == 3
    assert "lender-a runs `tocsin charter sign" in faults[0]


def test_an_expired_keyset_is_a_fault_and_signing_again_cures_it() -> None:
    later_ms = world.NOW_MS + world.YEAR_MS + 1
    text = world.founded()
    assert sum("has expired" in fault for fault in faults_of(text, later_ms)) == 4
    for name in world.NAMES:
        text = sign(text, MemberName(name), world.governance(name), world.keyset(name, later_ms + 1, version=2))
    assert faults_of(text, later_ms) == []


def test_a_keyset_for_longer_than_a_year_is_a_fault() -> None:
    forever = world.keyset("issuer", world.NOW_MS + 2 * world.YEAR_MS)
    text = sign(world.founded(), MemberName("issuer"), world.governance("issuer"), forever)
    assert any("longer than a year" in fault for fault in faults_of(text))


def test_a_tampered_keyset_is_a_fault() -> None:
    text = world.founded()
    sealed = parse(text).sealed[0].hex()
    last = "00" if not sealed.endswith("00") else "01"
    assert any("keyset[0]" in fault for fault in faults_of(text.replace(sealed, sealed[:-2] + last)))


def test_nobody_signs_with_a_key_that_the_charter_does_not_name() -> None:
    with pytest.raises(ProtocolError, match="another governance key"):
        sign(world.unsigned(), MemberName("issuer"), world.governance("venue"), world.keyset("issuer"))


def test_an_attestation_key_that_is_a_governance_key_is_a_fault() -> None:
    stolen = world.keyset("issuer")
    both = type(stolen)(stolen.member, 1, world.governance("venue").public, None, stolen.transport, stolen.expires_ms)
    text = sign(world.founded(), MemberName("issuer"), world.governance("issuer"), both)
    assert any("delegates the governance key of venue" in fault for fault in faults_of(text))


def test_all_faults_of_form_are_told_at_once_with_place_and_cure() -> None:
    text = (
        world.unsigned()
        .replace('halt = "1h"', 'halt = "soon"')
        .replace('network = "test-net"', "network = 3")
        .replace("[seat]", "[seats]")
        .replace('escrow = "0x22', 'escow = "0x22')
    )
    faults = parse_faults(text)
    assert any(fault.startswith("lease.halt: 'soon' is no duration; write it like") for fault in faults)
    assert any(fault.startswith("network: is int, not str") for fault in faults)
    assert any("seats: is an unknown key; did you mean 'seat'?" in fault for fault in faults)
    assert any("bridge[0].escow: is an unknown key; did you mean 'escrow'?" in fault for fault in faults)


@pytest.mark.parametrize("text", ["", "charter = ", "= 1", "[" * 5000, "\x00", "charter = 9", 'member = "x"'])
def test_garbage_is_faults_and_never_another_exception(text: str) -> None:
    assert parse_faults(text)


def test_every_line_taken_away_is_a_fault_or_another_charter() -> None:
    whole = world.founded()
    lines = whole.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("#") or not line:
            continue
        try:
            charter: Charter = parse("\n".join(lines[:at] + lines[at + 1 :]))
        except CharterFaults:
            continue
        assert not check(charter, world.NOW_MS).ok or line.startswith(("group", "[[contact]]"))
