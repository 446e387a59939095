"""One seal for one purpose in one network; whoever holds a Verified holds the proof."""

from __future__ import annotations

import itertools
import json
import tarfile
from typing import Any

import pytest

from protocol import envelope
from protocol.codec import decode, encode
from protocol.crypto import Signer, sha256, verify
from protocol.envelope import (
    CHARTER_TAG,
    KEYSET_TAG,
    MARK_TAG,
    PROTECTED,
    Verified,
    check_charter_signature,
    domain_tag,
    keyset_owner,
    open_keyset,
    parse_entry,
    seal_entry,
    seal_keyset,
    sign_charter,
    verify_entry,
)
from protocol.errors import Code, ProtocolError
from protocol.ids import ZERO_HASH, MemberName, NetworkId, PublicKey
from protocol.limits import ENTRY_BYTES_MAX, NAME_CHARS_MAX, VALUE_BYTES_MAX
from protocol.messages import BODIES, Commit, EntryKind, Heartbeat, Notice, Prepare, Propose, Tlp, Unknown, value_hash
from tests.unit.protocol.world import (
    EPOCH,
    NETWORK,
    NOW,
    OTHER_NETWORK,
    attestation,
    delegated,
    keyset,
    real_data,
    released,
    sealed,
    signer,
)

KEY = signer("m00").public
WORD = sealed("m00", attestation())
OTHER_KEY = signer("m01").public


def code_of(raw: bytes, network: NetworkId = NETWORK) -> Code:
    with pytest.raises(ProtocolError) as caught:
        parse_entry(raw, network)
    return caught.value.code


def reopened(raw: bytes, network: NetworkId = NETWORK, key: PublicKey = KEY) -> Verified[Any]:
    return verify_entry(parse_entry(raw, network), key)


def parts() -> list[Any]:
    return list(decode(WORD.raw, bytes_max=ENTRY_BYTES_MAX))


def test_what_was_sealed_is_opened_again() -> None:
    again = reopened(WORD.raw)
    assert again.entry == WORD.entry
    assert again.hash == WORD.hash
    assert again.raw == WORD.raw


def test_the_wire_form_is_an_untagged_cose_sign1() -> None:
    protected, unprotected, payload, signature = parts()
    assert protected == bytes.fromhex("a10127") == PROTECTED
    assert unprotected == {}
    signed = encode(["Signature1", protected, encode([domain_tag(EntryKind.ATTESTATION), NETWORK]), payload])
    assert verify(KEY, signed, signature)
    assert WORD.hash == sha256(signed)


def test_the_hash_does_not_depend_on_the_signature() -> None:
    protected, unprotected, payload, _ = parts()
    other = encode([protected, unprotected, payload, bytes(64)])
    assert parse_entry(other, NETWORK).hash == WORD.hash


def test_another_key_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        reopened(WORD.raw, key=OTHER_KEY)
    assert caught.value.code is Code.BAD_SIGNATURE


def test_another_network_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        reopened(WORD.raw, OTHER_NETWORK)
    assert caught.value.code is Code.BAD_SIGNATURE


def test_a_changed_payload_is_refused() -> None:
    protected, unprotected, payload, signature = parts()
    changed = encode([protected, unprotected, payload[:-1] + bytes([payload[-1] ^ 1]), signature])
    with pytest.raises(ProtocolError):
        reopened(changed)


def test_an_unprotected_header_with_anything_in_it_is_refused() -> None:
    protected, _, payload, signature = parts()
    assert code_of(encode([protected, {4: b"kid"}, payload, signature])) is Code.BAD_ENVELOPE


@pytest.mark.parametrize("header", [{1: -7}, {1: -19}, {}, {1: -8, 4: b"kid"}])
def test_another_protected_header_is_refused(header: dict[int, Any]) -> None:
    _, unprotected, payload, signature = parts()
    assert code_of(encode([encode(header), unprotected, payload, signature])) is Code.BAD_ENVELOPE


def test_the_header_as_a_map_instead_of_bytes_is_refused() -> None:
    _, unprotected, payload, signature = parts()
    assert code_of(encode([{1: -8}, unprotected, payload, signature])) is Code.BAD_ENVELOPE


def test_the_tag_of_cose_sign1_is_refused() -> None:
    assert code_of(b"\xd2" + WORD.raw) is Code.NOT_CANONICAL


@pytest.mark.parametrize("count", [0, 3, 5])
def test_an_array_of_another_length_is_refused(count: int) -> None:
    assert code_of(encode((parts() * 2)[:count])) is Code.BAD_ENVELOPE


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    protected, unprotected, payload, _ = parts()
    assert code_of(encode([protected, unprotected, payload, bytes(length)])) is Code.BAD_ENVELOPE


def test_a_payload_with_bytes_behind_it_is_refused() -> None:
    protected, unprotected, payload, signature = parts()
    assert code_of(encode([protected, unprotected, payload + b"\0", signature])) is Code.NOT_CANONICAL


def test_a_detached_payload_is_refused() -> None:
    protected, unprotected, _, signature = parts()
    assert code_of(encode([protected, unprotected, None, signature])) is Code.BAD_ENVELOPE


def test_an_entry_over_its_bound_is_refused_unread() -> None:
    assert code_of(bytes(ENTRY_BYTES_MAX + 1)) is Code.OVERSIZED


def test_we_cannot_say_more_than_an_entry_holds() -> None:
    with pytest.raises(ProtocolError) as caught:
        sealed("m00", Unknown(99, {1: bytes(ENTRY_BYTES_MAX)}))
    assert caught.value.code is Code.OVERSIZED


TAGS = [domain_tag(kind) for kind in range(64)] + [KEYSET_TAG, CHARTER_TAG, MARK_TAG]


def test_every_purpose_has_a_tag_of_its_own() -> None:
    assert len(set(TAGS)) == len(TAGS)
    assert domain_tag(EntryKind.ACTION_REPORT) == "tocsin/1/action-report"


@pytest.mark.parametrize("one, other", list(itertools.permutations([*EntryKind, 11, 200], 2)))
def test_a_signature_made_for_one_kind_is_worth_nothing_for_another(one: int, other: int) -> None:
    """The same payload, relabelled: only the domain tag stands between the two."""
    payload = encode({1: "m00"})
    signature = signer("m00").sign(envelope._to_be_signed(domain_tag(one), NETWORK, payload))
    assert not verify(KEY, envelope._to_be_signed(domain_tag(other), NETWORK, payload), signature)


def test_the_kind_is_inside_the_signed_bytes_too() -> None:
    """Changing the kind of a body that fits another kind breaks the seal twice over."""
    word = sealed("m00", Heartbeat(EPOCH))
    protected, unprotected, payload, signature = decode(word.raw, bytes_max=ENTRY_BYTES_MAX)
    fields = decode(payload, bytes_max=ENTRY_BYTES_MAX)
    relabelled = encode([protected, unprotected, encode({**fields, 6: 77}), signature])
    with pytest.raises(ProtocolError) as caught:
        reopened(relabelled)
    assert caught.value.code is Code.BAD_SIGNATURE


def test_a_keyset_sealed_as_an_entry_or_an_entry_as_a_keyset_is_worth_nothing() -> None:
    governance = signer("m00", "cold")
    sealed_keyset = delegated("m00")
    entry = sealed("m00", Heartbeat(EPOCH), key=governance)
    with pytest.raises(ProtocolError):
        parse_entry(sealed_keyset.raw, NETWORK)
    with pytest.raises(ProtocolError):
        open_keyset(entry.raw, NETWORK, governance.public)


def test_a_charter_signature_holds_for_its_network_and_for_nothing_else() -> None:
    governance = signer("m00", "cold")
    signature = sign_charter(NETWORK, governance)
    assert check_charter_signature(NETWORK, governance.public, signature)
    assert not check_charter_signature(OTHER_NETWORK, governance.public, signature)
    assert not check_charter_signature(NETWORK, KEY, signature)
    assert not verify(governance.public, bytes(NETWORK), signature)


def test_an_unknown_kind_is_carried_whole() -> None:
    word = sealed("m00", Unknown(42, {1: [1, b"x", {2: "y"}], 70: None}))
    again = reopened(word.raw)
    assert again.body == Unknown(42, {1: [1, b"x", {2: "y"}], 70: None})


@pytest.mark.parametrize("body", [Propose, Prepare, Commit])
def test_a_vote_comes_back_as_it_was_said(body: Any) -> None:
    said = body(EPOCH, 3, b"\xa0" if body is Propose else value_hash(b"\xa0"))
    assert reopened(sealed("m00", said).raw).body == said


@pytest.mark.parametrize("kind", [EntryKind.PROPOSE, EntryKind.PREPARE, EntryKind.COMMIT])
def test_a_vote_of_another_shape_is_carried_like_an_unknown_kind(kind: EntryKind) -> None:
    for fields in ({1: 0}, {}, {1: EPOCH, 2: 0, 3: b"", 4: 0, 5: 1}):
        assert reopened(sealed("m00", Unknown(kind, fields)).raw).body == Unknown(kind, fields)


def test_a_value_of_the_largest_size_fits_an_entry_under_the_longest_name() -> None:
    body = Propose(EPOCH, (1 << 63) - 1, bytes(VALUE_BYTES_MAX), (1 << 63) - 2)
    parsed = parse_entry(sealed("m" * NAME_CHARS_MAX, body, seq=(1 << 63) - 1).raw, NETWORK)
    assert parsed.entry.body == body


def test_an_optional_field_of_a_later_version_stays_in_the_signed_bytes() -> None:
    entry = {**decode(parts()[2], bytes_max=ENTRY_BYTES_MAX), 64: "later"}
    entry[7] = {**entry[7], 99: b"later"}
    payload = encode(entry)
    signature = signer("m00").sign(envelope._to_be_signed(domain_tag(1), NETWORK, payload))
    again = reopened(encode([PROTECTED, {}, payload, signature]))
    assert again.entry == WORD.entry
    assert again.hash != WORD.hash


@pytest.mark.parametrize("where", ["entry", "body"])
def test_a_critical_field_of_a_later_version_is_refused_by_its_number(where: str) -> None:
    entry = decode(parts()[2], bytes_max=ENTRY_BYTES_MAX)
    (entry if where == "entry" else entry[7])[63] = 0
    with pytest.raises(ProtocolError) as caught:
        parse_entry(encode([PROTECTED, {}, encode(entry), bytes(64)]), NETWORK)
    assert caught.value.code is Code.UNKNOWN_CRITICAL
    assert "63" in caught.value.detail


def test_a_body_that_is_no_map_is_refused() -> None:
    entry = {**decode(parts()[2], bytes_max=ENTRY_BYTES_MAX), 6: 42, 7: [1]}
    assert code_of(encode([PROTECTED, {}, encode(entry), bytes(64)])) is Code.BAD_SHAPE


def test_a_release_dated_after_its_own_issue_is_refused_at_both_doors() -> None:
    """It would blind its readers to everything that comes until then."""
    with pytest.raises(ProtocolError) as caught:
        sealed("m00", released(NOW + 1))
    assert caught.value.code is Code.BAD_SHAPE
    entry = decode(decode(sealed("m00", released(NOW)).raw, bytes_max=999)[2], bytes_max=999)
    entry[7][4] = NOW + 1
    assert code_of(encode([PROTECTED, {}, encode(entry), bytes(64)])) is Code.BAD_SHAPE


def test_nobody_makes_a_verified_entry_without_checking() -> None:
    with pytest.raises(TypeError):
        Verified(object(), WORD.raw, WORD.entry, WORD.hash)


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_every_kind_has_a_tag_and_a_table(kind: int) -> None:
    assert domain_tag(kind) == f"tocsin/1/{EntryKind(kind).name.lower().replace('_', '-')}"


def test_an_attestation_with_one_claim_stays_small() -> None:
    assert len(sealed("m00", attestation(sources=("m00-eip155:1",))).raw) <= 375
    assert len(WORD.raw) <= 390, "with a second chain's source"


class TestKeySets:
    def test_opens_under_its_governance_key(self) -> None:
        governance = signer("m00", "cold")
        opened = open_keyset(delegated("m00").raw, NETWORK, governance.public)
        assert opened == delegated("m00")
        assert keyset_owner(opened.raw) == MemberName("m00")

    def test_does_not_open_under_another_key_or_network(self) -> None:
        for network, key in ((NETWORK, KEY), (OTHER_NETWORK, signer("m00", "cold").public)):
            with pytest.raises(ProtocolError) as caught:
                open_keyset(delegated("m00").raw, network, key)
            assert caught.value.code is Code.BAD_SIGNATURE

    @pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
    def test_does_not_delegate_an_unsound_key(self, key: bytes) -> None:
        governance = signer("m00", "cold")
        raw = seal_keyset(NETWORK, governance, keyset("m00", attestation=PublicKey(key))).raw
        with pytest.raises(ProtocolError) as caught:
            open_keyset(raw, NETWORK, governance.public)
        assert caught.value.code is Code.BAD_KEY

    def test_two_of_one_version_have_different_hashes(self) -> None:
        assert delegated("m00").hash != delegated("m00", transport=("12D3KooWother",)).hash


def test_the_working_groups_eddsa_example_is_one_we_understand() -> None:
    """RFC 9052's Sig_structure is what we build: their vector verifies once it is put into our door's parts."""
    with tarfile.open(real_data("interop/cose_wg_examples.tar.xz")) as archive:
        member = archive.extractfile("eddsa-examples/eddsa-sig-01.json")
        assert member is not None
        example = json.load(member)
    raw = bytes.fromhex(example["output"]["cbor"])
    assert raw[0] == 0xD2
    with pytest.raises(ProtocolError):
        parse_entry(raw, NETWORK)
    signed = bytes.fromhex(example["intermediates"]["ToBeSign_hex"])
    context, protected, aad, payload = decode(signed, bytes_max=999)
    assert (context, decode(protected, bytes_max=99)[1], aad) == ("Signature1", -8, b"")
    assert encode([context, protected, aad, payload]) == signed
    seed = bytes.fromhex(example["input"]["sign0"]["key"]["d_hex"])
    assert Signer(seed).sign(signed) == raw[-64:]


def test_seal_entry_writes_no_absent_field() -> None:
    """None is never written: an absent optional field is absent."""
    fields = decode(decode(WORD.raw, bytes_max=999)[2], bytes_max=999)[7]
    assert 14 not in fields
    assert None not in fields.values()


def test_notices_carry_their_colour() -> None:
    word = seal_entry(
        NETWORK,
        signer("m00"),
        author=MemberName("m00"),
        key_version=1,
        seq=0,
        prev=ZERO_HASH,
        issued_ms=NOW,
        body=Notice("quiet, please", Tlp.RED),
    )
    assert reopened(word.raw).body.tlp is Tlp.RED
