"""Certificates: proof to anybody, offline; each way to be wrong has its own word."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from protocol.alarm import Opinion, reaches, weigh
from protocol.codec import encode
from protocol.envelope import SealedKeySet, seal_keyset
from protocol.errors import Code, ProtocolError
from protocol.ids import EpochHash, MemberName
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.membership import Epoch
from protocol.messages import Basis, Heartbeat, Level, Tlp
from protocol.quorum import (
    Certificate,
    CheckedCertificate,
    assemble,
    certificate_id,
    check_certificate,
    pack_certificate,
    parse_certificate,
    without_known_keysets,
)
from tests.unit.protocol.world import (
    CLAIM,
    EPOCH,
    HOUR,
    NETWORK,
    NO_RELEASES,
    NOW,
    OTHER_CLAIM,
    OTHER_NETWORK,
    OTHER_TOKEN,
    TOPIC,
    all_say,
    attestation,
    delegated,
    epoch,
    keyset,
    keysets_of,
    names,
    regrouped,
    says,
    sealed,
    signer,
    suspending,
    vendor,
)

FOUR = epoch(4)
Lookup = Any


def nobody(who: MemberName, version: int) -> SealedKeySet | None:
    return None


def certificate(opinions: list[Opinion], level: Level = Level.ISOLATE, of: Epoch = FOUR) -> Certificate:
    """Of exactly these opinions, whether they are enough or not."""
    keysets = keysets_of(of)
    raws = tuple(
        one.raw for one in (keysets(each.entry.author, each.entry.key_version) for each in opinions) if one is not None
    )
    return Certificate(EPOCH, TOPIC[0], TOPIC[1], level, tuple(one.raw for one in opinions), tuple(sorted(set(raws))))


def check(made: Certificate, of: Epoch = FOUR, keysets: Lookup = nobody) -> CheckedCertificate:
    raw = pack_certificate(made)
    return check_certificate(parse_certificate(raw), raw, of, keysets)


def refusal(made: Certificate, of: Epoch = FOUR, keysets: Lookup = nobody) -> Code:
    with pytest.raises(ProtocolError) as caught:
        check(made, of, keysets)
    return caught.value.code


def test_a_quorum_proves_itself_to_whoever_knows_the_epoch_alone() -> None:
    checked = check(certificate(all_say(names(3))))
    assert checked.groups == ("g00", "g01", "g02")
    assert checked.groups_verified == 3
    assert checked.operators == {"m00", "m01", "m02"}
    assert checked.claims == ((CLAIM.type, CLAIM.id),)


@pytest.mark.parametrize("n", [4, 7, 10, 13, 19, 31, 33])
@pytest.mark.parametrize("level", [Level.GUARD, Level.ISOLATE, Level.HALT])
def test_what_a_node_counts_it_can_prove(n: int, level: Level) -> None:
    of = epoch(n)
    weighing = weigh(all_say(names(of.thresholds[level]), level), of, NOW, NO_RELEASES)
    made = assemble(of, TOPIC, weighing.level, weighing.groups, keysets_of(of))
    assert check(made, of).certificate.level is level
    assert len(pack_certificate(made)) <= CERTIFICATE_BYTES_MAX


def test_one_voice_fewer_proves_nothing() -> None:
    assert refusal(certificate(all_say(names(2)))) is Code.SHORT_OF_THRESHOLD


def test_members_of_one_group_are_one_voice() -> None:
    of = regrouped(epoch(5), {"m01": "g00"})
    assert refusal(certificate(all_say(names(3)), of=of), of) is Code.SHORT_OF_THRESHOLD


def test_one_author_twice_is_refused_as_such() -> None:
    said = [*all_say(names(3)), says("m00", seq=1, expires_ms=NOW + HOUR - 1)]
    assert refusal(certificate(said)) is Code.DUPLICATE_SIGNER


def test_the_same_entry_twice_is_refused() -> None:
    made = certificate(all_say(names(3)))
    assert refusal(replace(made, entries=(*made.entries, made.entries[0]))) is Code.DUPLICATE_SIGNER


def test_one_operator_behind_all_is_refused_as_such() -> None:
    assert refusal(certificate(all_say(names(4), sources=vendor(1)))) is Code.SOURCE_RULE


def test_one_vendors_detectors_make_no_guard() -> None:
    said = all_say(names(4), Level.GUARD, basis=Basis.OBSERVED, sources=vendor(1))
    assert refusal(certificate(said, Level.GUARD)) is Code.SOURCE_RULE


def test_another_epoch_is_refused_without_blame() -> None:
    made = replace(certificate(all_say(names(3))), epoch=EpochHash(bytes(32)))
    assert refusal(made) is Code.WRONG_EPOCH


def test_opinions_signed_for_another_epoch_do_not_pass_under_this_one() -> None:
    """The epoch is inside what was signed: the assembler cannot choose it."""
    said = [*all_say(names(2)), says("m02", epoch=EpochHash(bytes(32)))]
    assert refusal(certificate(said)) is Code.MIXED_CERTIFICATE


@pytest.mark.parametrize("changes", [{"subject": OTHER_TOKEN}, {"threat": TOPIC[1] + 1}])
def test_an_opinion_on_another_topic_is_refused(changes: dict[str, Any]) -> None:
    assert refusal(certificate([*all_say(names(2)), says("m02", **changes)])) is Code.MIXED_CERTIFICATE


def test_an_entry_of_another_kind_is_refused() -> None:
    said: list[Any] = [*all_say(names(2)), sealed("m02", Heartbeat(EPOCH))]
    assert refusal(certificate(said)) is Code.MIXED_CERTIFICATE


@pytest.mark.parametrize("changes", [{"level": Level.GUARD}, {"level": Level.NONE}, {"basis": Basis.HEARSAY}])
def test_an_opinion_that_does_not_count_at_this_level_is_refused(changes: dict[str, Any]) -> None:
    said = [*all_say(names(2)), sealed("m02", replace(attestation("m02"), **changes))]
    assert refusal(certificate(said)) is Code.SHORT_OF_THRESHOLD


def test_a_threat_unknown_here_proves_nothing() -> None:
    made = replace(certificate(all_say(names(4), threat=200)), threat=200)
    assert refusal(made) is Code.SHORT_OF_THRESHOLD


def test_a_lease_above_the_bound_is_refused() -> None:
    said = [*all_say(names(2)), says("m02", expires_ms=NOW + 6 * HOUR + 1)]
    assert refusal(certificate(said)) is Code.LEASE_TOO_LONG


def test_a_suspended_seat_is_refused() -> None:
    assert refusal(certificate(all_say(names(3))), suspending(FOUR, "m02")) is Code.BAD_BODY


def test_an_author_without_a_known_keyset_is_refused_without_blame() -> None:
    made = certificate(all_say(names(3)))
    assert refusal(replace(made, keysets=made.keysets[:2])) is Code.UNKNOWN_KEY


def test_a_stranger_is_refused() -> None:
    assert refusal(certificate([*all_say(names(2)), says("stranger")])) is Code.UNKNOWN_KEY


def test_a_strangers_keyset_is_refused() -> None:
    made = certificate(all_say(names(3)))
    assert refusal(replace(made, keysets=(*made.keysets, delegated("stranger").raw))) is Code.UNKNOWN_AUTHOR


def test_a_keyset_sealed_by_another_key_is_refused() -> None:
    made = certificate(all_say(names(3)))
    forged = seal_keyset(NETWORK, signer("m01", "cold"), keyset("m00")).raw
    assert refusal(replace(made, keysets=(forged,))) is Code.BAD_SIGNATURE


def test_an_entry_sealed_by_another_key_is_refused() -> None:
    said = [*all_say(names(2)), sealed("m02", attestation("m02"), key=signer("m00"))]
    assert refusal(certificate(said)) is Code.BAD_SIGNATURE


def test_an_entry_of_another_network_is_refused() -> None:
    said = [*all_say(names(2)), sealed("m02", attestation("m02"), network=OTHER_NETWORK)]
    assert refusal(certificate(said)) is Code.BAD_SIGNATURE


def test_a_word_given_under_an_expired_delegation_is_refused() -> None:
    late = delegated("m02", expires_ms=NOW - 1)
    made = certificate(all_say(names(3)))
    keysets = tuple(sorted((delegated("m00").raw, delegated("m01").raw, late.raw)))
    assert refusal(replace(made, keysets=keysets)) is Code.BAD_KEY


@pytest.mark.parametrize("level", [Level.NONE, Level.WATCH])
def test_a_watch_needs_no_certificate_and_has_none(level: Level) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_certificate(pack_certificate(certificate(all_say(names(3)), level)))
    assert caught.value.code is Code.BAD_SHAPE


def test_a_certificate_without_entries_is_refused() -> None:
    with pytest.raises(ProtocolError):
        parse_certificate(pack_certificate(replace(certificate([]), entries=())))


def test_a_certificate_over_its_bound_is_refused_unread() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_certificate(bytes(CERTIFICATE_BYTES_MAX + 1))
    assert caught.value.code is Code.OVERSIZED


class TestWhenItEnds:
    def test_at_the_kth_counted_expiry_latest_first(self) -> None:
        said = [says(who, expires_ms=NOW + (at + 1) * 1000) for at, who in enumerate(names(4))]
        assert check(certificate(said)).ends_ms == NOW + 2000
        assert check(certificate(said[:3])).ends_ms == NOW + 1000

    def test_a_group_ends_with_its_members_last(self) -> None:
        of = regrouped(epoch(5), {"m04": "g00"})
        said = [says("m00", expires_ms=NOW + 1000), *(says(who, expires_ms=NOW + 5000) for who in names(2, 1))]
        said.append(says("m04", expires_ms=NOW + 4000))
        assert check(certificate(said, of=of), of).ends_ms == NOW + 4000

    def test_liars_with_long_leases_do_not_prolong_what_honest_groups_ended(self) -> None:
        said = [says("m00", expires_ms=NOW + 1000), says("m01", expires_ms=NOW + 1000), says("m02")]
        assert check(certificate(said)).ends_ms == NOW + 1000


class TestHowItIsNamed:
    def test_the_digest_does_not_depend_on_the_order_of_entries(self) -> None:
        said = all_say(names(4))
        digests = {check(certificate(list(order))).digest for order in itertools.permutations(said)}
        assert len(digests) == 1

    def test_equal_knowledge_gives_equal_bytes(self) -> None:
        raws = set()
        for order in itertools.permutations(all_say(names(3))):
            groups = reaches(list(order), FOUR, Level.ISOLATE)
            assert groups is not None
            raws.add(pack_certificate(assemble(FOUR, TOPIC, Level.ISOLATE, groups, keysets_of(FOUR))))
        assert len(raws) == 1

    def test_other_opinions_make_another_digest_under_the_same_id(self) -> None:
        one, other = certificate(all_say(names(3))), certificate(all_say(names(3, 1)))
        assert check(one).digest != check(other).digest
        assert certificate_id(one.epoch, one.topic, one.level) == certificate_id(other.epoch, other.topic, other.level)

    def test_each_topic_level_and_epoch_has_its_own_id(self) -> None:
        ids = {
            certificate_id(EPOCH, TOPIC, Level.ISOLATE),
            certificate_id(EPOCH, TOPIC, Level.HALT),
            certificate_id(EPOCH, (TOPIC[0], 1), Level.ISOLATE),
            certificate_id(EPOCH, (OTHER_TOKEN, TOPIC[1]), Level.ISOLATE),
            certificate_id(EpochHash(bytes(32)), TOPIC, Level.ISOLATE),
        }
        assert len(ids) == 5


class TestKeySets:
    def test_one_that_the_receiver_has_may_travel_as_its_hash(self) -> None:
        made = certificate(all_say(names(3)))
        short = without_known_keysets(made, [(delegated(who).raw, delegated(who).hash) for who in names(3)])
        assert all(len(one) == 32 for one in short.keysets)
        assert check(short, keysets=keysets_of(FOUR)).digest == check(made).digest
        assert refusal(short) is Code.UNKNOWN_KEY

    def test_of_two_of_one_version_the_lower_hash_holds_whoever_told_first(self) -> None:
        other_key = signer("m00", "second")
        two = [delegated("m00"), delegated("m00", attestation=other_key.public)]
        low, high = sorted(two, key=lambda one: one.hash)
        keys = {two[0].hash: signer("m00"), two[1].hash: other_key}
        rest = all_say(names(2, 1))
        for raws in itertools.permutations([low.raw, high.raw]):
            for known in (nobody, lambda who, version: high if who == "m00" else None):
                others = tuple(delegated(who).raw for who in names(2, 1))
                for holder, holds in ((low, True), (high, False)):
                    word = sealed("m00", attestation("m00"), key=keys[holder.hash])
                    made = replace(certificate([word, *rest]), keysets=(*raws, *others))
                    if holds:
                        assert check(made, keysets=known)
                    else:
                        assert refusal(made, keysets=known) is Code.BAD_SIGNATURE


def test_an_opinion_verified_before_is_not_verified_again() -> None:
    said = all_say(names(3))
    by_raw = {one.raw: one for one in said}
    made = replace(certificate(said), keysets=())
    raw = pack_certificate(made)
    checked = check_certificate(made, raw, FOUR, nobody, by_raw.get)
    assert checked.opinions == tuple(said)


def test_it_is_as_strict_as_its_strictest_attestation() -> None:
    said = [*all_say(names(2)), says("m02", tlp=Tlp.AMBER)]
    assert check(certificate(said)).tlp is Tlp.AMBER


def test_it_tells_what_it_rests_on() -> None:
    said = [*all_say(names(2)), says("m02", claims=(OTHER_CLAIM,), basis=Basis.OBSERVED, at_ms=NOW + 5)]
    checked = check(certificate(said))
    assert checked.claims == tuple(sorted([(CLAIM.type, CLAIM.id), (OTHER_CLAIM.type, OTHER_CLAIM.id)]))
    assert checked.groups_verified == 2
    assert checked.newest_issued_ms == NOW + 5


def test_thirteen_groups_with_one_claim_fit_their_wire_budget() -> None:
    of = epoch(19)
    said = [says(who, sources=(f"{who}-eip155:1",)) for who in names(13)]
    made = certificate(said, of=of)
    assert len(pack_certificate(replace(made, keysets=()))) <= 5_000
    assert len(pack_certificate(made)) <= 9_000


def test_bytes_round_trip() -> None:
    made = certificate(all_say(names(3)))
    assert parse_certificate(pack_certificate(made)) == made
    with pytest.raises(ProtocolError):
        parse_certificate(encode([1, 2, 3]))
