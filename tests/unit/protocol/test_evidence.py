"""Each judge's truth table: what supports, what refutes, what cannot be said yet; honest days stay quiet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.codec import decode, encode
from protocol.crypto import sha256
from protocol.errors import Code, ProtocolError
from protocol.evidence import (
    TYPE_OF,
    BackingReading,
    ClaimBlob,
    DeviationReading,
    Judgement,
    LogReading,
    LogSeen,
    OracleDeviation,
    ReleaseReading,
    ReleaseWithoutBurn,
    Ruling,
    SupplyAboveBacking,
    bridge_for,
    claim_of,
    deviation_bps,
    judge_backing,
    judge_deviation,
    judge_log,
    judge_release,
    open_claim,
    oracle_for,
    shortfall_bps,
)
from protocol.ids import Digest
from protocol.limits import BLOB_BYTES_MAX
from protocol.messages import Claim, Level, Threat
from protocol.subjects import account
from tests.unit.protocol.world import BRIDGE, FAR, HOME, ORACLE, OTHER_TOKEN, TOKEN, epoch

TX, TO = b"\x77" * 32, b"\x66" * 20
FORGED = ReleaseWithoutBurn(HOME, BRIDGE.escrow, TX, 3, FAR, BRIDGE.twin, 308, TO, 1_000)
SHORT = SupplyAboveBacking(HOME, BRIDGE.escrow, FAR, BRIDGE.twin, 500)
LOG = LogSeen(HOME, TX, 3, BRIDGE.escrow, (b"\x01" * 32,), b"\x02" * 32, Threat.CONTRACT_EXPLOIT)
ASTRAY = OracleDeviation(HOME, ORACLE.feed, 500)
ALL = [FORGED, SHORT, LOG, ASTRAY]

RELEASE = ReleaseReading((BRIDGE.escrow, 308, TO, 1_000), 100, 10_000, 0, bytes(20), 100)
BACKING = BackingReading(900, 1_000, 1_000, 1_000, 100, 100)
DEVIATION = DeviationReading(130, (100, 100), 100, (100, 100))


class TestNames:
    @pytest.mark.parametrize("inputs", ALL, ids=lambda one: TYPE_OF[type(one)])
    def test_a_blob_opens_to_the_inputs_it_was_made_of(self, inputs: Any) -> None:
        made = claim_of(inputs)
        assert open_claim(made.claim, made.blob) == inputs
        assert made.claim.digest == sha256(made.blob)

    @pytest.mark.parametrize("inputs", ALL, ids=lambda one: TYPE_OF[type(one)])
    def test_one_thing_is_one_claim(self, inputs: Any) -> None:
        assert claim_of(inputs) == claim_of(replace(inputs))

    @pytest.mark.parametrize(
        "inputs, changes, same",
        [
            (FORGED, {"tx": b"\1" * 32, "log_index": 9, "amount": 5, "recipient": bytes(20)}, True),
            (FORGED, {"nonce": 309}, False),
            (FORGED, {"escrow": bytes(20)}, False),
            (FORGED, {"home": FAR}, False),
            (SHORT, {"twin": bytes(20)}, True),
            (SHORT, {"home_block": 501}, False),
            (LOG, {"topics": (), "threat": 1}, True),
            (LOG, {"log_index": 4}, False),
            (ASTRAY, {"block": 501}, False),
        ],
    )
    def test_an_event_is_named_by_its_message_and_a_state_by_where_it_began(
        self, inputs: Any, changes: dict[str, Any], same: bool
    ) -> None:
        other = claim_of(replace(inputs, **changes)).claim
        assert (other.id == claim_of(inputs).claim.id) is same
        assert other.digest != claim_of(inputs).claim.digest

    def test_a_forger_cannot_choose_a_message_number_that_no_claim_can_name(self) -> None:
        for nonce in (2**63, 2**64, 2**256 - 1):
            made = claim_of(replace(FORGED, nonce=nonce))
            assert open_claim(made.claim, made.blob) == replace(FORGED, nonce=nonce)

    def test_types_never_share_an_id(self) -> None:
        assert len({claim_of(one).claim.id for one in ALL}) == len(ALL)  # type: ignore[arg-type]


class TestRefusedBlobs:
    def refused(self, claim: Claim, blob: bytes) -> Code:
        with pytest.raises(ProtocolError) as caught:
            open_claim(claim, blob)
        return caught.value.code

    def again(self, blob: bytes, **changes: Any) -> Claim:
        return replace(claim_of(FORGED).claim, **{"digest": Digest(sha256(blob)), **changes})

    def test_another_blob_than_the_digest_names(self) -> None:
        assert self.refused(claim_of(FORGED).claim, claim_of(SHORT).blob) is Code.BAD_CLAIM
        same_id = claim_of(replace(FORGED, amount=5)).blob
        assert self.refused(claim_of(FORGED).claim, same_id) is Code.BAD_CLAIM

    def test_inputs_of_another_type_than_the_claim_says(self) -> None:
        blob = claim_of(SHORT).blob
        assert self.refused(self.again(blob), blob) is Code.BAD_CLAIM

    def test_an_id_that_is_not_that_of_the_inputs(self) -> None:
        blob = claim_of(FORGED).blob
        assert self.refused(self.again(blob, id=bytes(32)), blob) is Code.BAD_CLAIM

    def test_a_type_unknown_here_blames_nobody(self) -> None:
        blob = encode(["evm-later", {}])
        code = self.refused(self.again(blob, type="evm-later"), blob)
        assert code is Code.UNKNOWN_CLAIM_TYPE

    @pytest.mark.parametrize("value", [{}, [], ["evm-release-without-burn"], "x", [1, 2]])
    def test_a_blob_of_another_shape(self, value: Any) -> None:
        blob = encode(value)
        assert self.refused(self.again(blob), blob) is Code.BAD_CLAIM

    def test_a_blob_over_its_bound(self) -> None:
        blob = bytes(BLOB_BYTES_MAX + 1)
        assert self.refused(self.again(blob), blob) is Code.OVERSIZED

    @pytest.mark.parametrize(
        "key, value", [(1, "eip155:01"), (1, "nowhere"), (2, bytes(19)), (4, -1), (7, 308), (9, bytes(31))]
    )
    def test_inputs_out_of_their_bounds(self, key: int, value: Any) -> None:
        name, fields = decode(claim_of(FORGED).blob, bytes_max=999)
        blob = encode([name, {**fields, key: value}])
        assert self.refused(self.again(blob), blob) is Code.BAD_SHAPE


def rules(judgement: Judgement) -> tuple[Ruling, Level]:
    return judgement.ruling, judgement.level


REFUTED = (Ruling.REFUTED, Level.NONE)
UNDECIDED = (Ruling.UNDECIDED, Level.NONE)


def supports(level: Level) -> tuple[Ruling, Level]:
    return Ruling.SUPPORTS, level


class TestReleaseWithoutBurn:
    @pytest.mark.parametrize(
        "changes, wanted",
        [
            ({}, supports(Level.ISOLATE)),
            ({"escrow_before": 100_000}, supports(Level.ISOLATE)),
            ({"escrow_before": 100_001}, supports(Level.GUARD)),
            ({"escrow_before": 10_000_000}, supports(Level.GUARD)),
            ({"escrow_before": 10_010_000}, supports(Level.WATCH)),
            ({"escrow_before": 0}, supports(Level.ISOLATE)),
            ({"burned": 1_000, "burned_to": TO}, REFUTED),
            ({"burned": 999, "burned_to": TO}, supports(Level.ISOLATE)),
            ({"burned": 1_000, "burned_to": bytes(20)}, supports(Level.ISOLATE)),
            ({"far_head_s": 99}, UNDECIDED),
            ({"far_head_s": 99, "burned": 1_000, "burned_to": TO}, REFUTED),
            ({"log": None}, REFUTED),
            ({"log": None, "far_head_s": 0}, REFUTED),
            ({"log": (bytes(20), 308, TO, 1_000)}, REFUTED),
            ({"log": (BRIDGE.escrow, 309, TO, 1_000)}, REFUTED),
            ({"log": (BRIDGE.escrow, 308, bytes(20), 1_000)}, REFUTED),
            ({"log": (BRIDGE.escrow, 308, TO, 999)}, REFUTED),
        ],
    )
    def test_truth_table(self, changes: dict[str, Any], wanted: tuple[Ruling, Level]) -> None:
        assert rules(judge_release(FORGED, replace(RELEASE, **changes), BRIDGE)) == wanted

    def test_it_says_what_was_lost_of_what(self) -> None:
        judgement = judge_release(FORGED, RELEASE, BRIDGE)
        assert judgement.supports(TOKEN, Threat.BRIDGE_FORGERY)
        assert judgement.amount == 1_000
        assert not judgement.supports(OTHER_TOKEN, Threat.BRIDGE_FORGERY)
        assert not judgement.supports(TOKEN, Threat.UNBACKED_SUPPLY)

    @pytest.mark.parametrize(
        "amount, told",
        [
            (1_000, "released 12.50 % of the escrow without a burn, 1,000 base units"),
            (116_500 * 10**18, "released 12.50 % of the escrow without a burn, 1.165 × 10^23 base units"),
            (10**9, "released 12.50 % of the escrow without a burn, 1.000 × 10^9 base units"),
        ],
    )
    def test_it_says_so_in_words_that_are_read_at_a_glance(self, amount: int, told: str) -> None:
        log = (BRIDGE.escrow, 308, TO, amount)
        read = replace(RELEASE, log=log, escrow_before=amount * 8)
        assert judge_release(replace(FORGED, amount=amount), read, BRIDGE).why == told

    def test_an_unregistered_bridge_proves_nothing(self) -> None:
        """An escrow of the attacker's own, fed by a flash loan, would "prove" a missing burn of any token."""
        assert rules(judge_release(FORGED, RELEASE, None)) == REFUTED


class TestSupplyAboveBacking:
    @pytest.mark.parametrize(
        "changes, wanted",
        [
            ({}, supports(Level.ISOLATE)),
            ({"backing": 990}, supports(Level.ISOLATE)),
            ({"backing": 991}, supports(Level.GUARD)),
            ({"backing": 999}, supports(Level.GUARD)),
            ({"supply": 100_000, "backing": 99_999, "backing_before": 10**6}, supports(Level.WATCH)),
            ({"backing": 1_000}, REFUTED),
            ({"backing": 1_001}, REFUTED),
            ({"backing": 0, "supply": 0}, REFUTED),
            ({"far_head_s": 99}, UNDECIDED),
            ({"far_head_s": 99, "backing": 5_000}, UNDECIDED),
            ({"backing_before": 900}, REFUTED),
            ({"backing_before": 990}, REFUTED),
            ({"backing_before": 991}, supports(Level.ISOLATE)),
            ({"backing": 995, "backing_before": 995}, REFUTED),
            ({"backing": 995, "backing_before": 1_000}, supports(Level.GUARD)),
            ({"backing": 0, "supply": 1, "backing_before": 0, "supply_before": 0}, supports(Level.ISOLATE)),
        ],
    )
    def test_truth_table(self, changes: dict[str, Any], wanted: tuple[Ruling, Level]) -> None:
        assert rules(judge_backing(SHORT, replace(BACKING, **changes), BRIDGE)) == wanted

    def test_it_says_how_much_is_missing(self) -> None:
        judgement = judge_backing(SHORT, BACKING, BRIDGE)
        assert judgement.supports(TOKEN, Threat.UNBACKED_SUPPLY)
        assert judgement.amount == 100

    def test_an_unregistered_bridge_proves_nothing(self) -> None:
        assert rules(judge_backing(SHORT, BACKING, None)) == REFUTED

    @pytest.mark.parametrize(
        "supply, backing, bps", [(0, 0, 0), (1_000, 1_000, 0), (1_000, 2_000, 0), (1_000, 900, 1_000), (1, 0, 10_000)]
    )
    def test_shortfall_is_a_share_of_what_is_owed(self, supply: int, backing: int, bps: int) -> None:
        assert shortfall_bps(supply, backing) == bps


class TestLog:
    SEEN = LogReading((LOG.address, LOG.topics, LOG.data_hash))

    def test_a_true_log_is_a_watch_and_never_more(self) -> None:
        judgement = judge_log(LOG, self.SEEN)
        assert rules(judgement) == supports(Level.WATCH)
        assert judgement.supports(account(HOME, LOG.address), Threat.CONTRACT_EXPLOIT)

    @pytest.mark.parametrize(
        "log",
        [
            None,
            (bytes(20), LOG.topics, LOG.data_hash),
            (LOG.address, (), LOG.data_hash),
            (LOG.address, LOG.topics, b""),
        ],
    )
    def test_no_log_or_another_refutes(self, log: Any) -> None:
        assert rules(judge_log(LOG, LogReading(log))) == REFUTED


class TestOracleDeviation:
    @pytest.mark.parametrize(
        "changes, wanted",
        [
            ({}, supports(Level.ISOLATE)),
            ({"price": 120}, supports(Level.ISOLATE)),
            ({"price": 80}, supports(Level.ISOLATE)),
            ({"price": 119}, supports(Level.GUARD)),
            ({"price": 105}, supports(Level.GUARD)),
            ({"price": 104}, REFUTED),
            ({"price": 100}, REFUTED),
            ({"price": 0}, supports(Level.ISOLATE)),
            ({"price_before": 130}, REFUTED),
            ({"price_before": 110}, supports(Level.ISOLATE)),
            ({"price": 110, "price_before": 110}, REFUTED),
            ({"references": ()}, REFUTED),
            ({"references": (0, 0)}, REFUTED),
            ({"references": (130, 100)}, supports(Level.ISOLATE)),
            ({"references": (130, 130, 100)}, REFUTED),
            ({"references_before": ()}, supports(Level.ISOLATE)),
        ],
    )
    def test_truth_table(self, changes: dict[str, Any], wanted: tuple[Ruling, Level]) -> None:
        assert rules(judge_deviation(ASTRAY, replace(DEVIATION, **changes), ORACLE)) == wanted

    def test_it_is_about_the_registered_feed(self) -> None:
        assert judge_deviation(ASTRAY, DEVIATION, ORACLE).supports(ORACLE.subject, Threat.ORACLE_MANIPULATION)
        assert rules(judge_deviation(ASTRAY, DEVIATION, None)) == REFUTED

    def test_a_reference_of_zero_is_no_reference(self) -> None:
        assert deviation_bps(110, (0, 100, 0)) == 1_000
        assert deviation_bps(110, ()) == 0


class TestRegister:
    def test_a_bridge_is_found_by_all_four_of_its_parts(self) -> None:
        of = epoch(4)
        assert bridge_for(of, FORGED) == bridge_for(of, SHORT) == BRIDGE
        for changes in ({"home": FAR}, {"escrow": bytes(20)}, {"far": HOME}, {"twin": bytes(20)}):
            assert bridge_for(of, replace(FORGED, **changes)) is None  # type: ignore[arg-type]

    def test_a_feed_is_found_by_chain_and_address(self) -> None:
        of = epoch(4)
        assert oracle_for(of, ASTRAY) == ORACLE
        assert oracle_for(of, replace(ASTRAY, feed=bytes(20))) is None
        assert oracle_for(of, replace(ASTRAY, chain=FAR)) is None


def test_a_claim_is_made_of_type_id_and_digest_alone() -> None:
    made: ClaimBlob = claim_of(FORGED)
    assert made.claim == Claim("evm-release-without-burn", made.claim.id, Digest(sha256(made.blob)))
