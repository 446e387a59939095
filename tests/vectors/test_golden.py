"""What the golden files refuse, count and found is what the code refuses, counts and founds, read from the files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.policy import Limits, Mode, Policy
from governance.ballots import open_ballot
from governance.broken import RuleError
from governance.epochs import check, parse_epoch_certificate
from governance.genesis import epoch0_hash
from governance.proposals import open_proposal, parse_proposal
from governance.rules import judge
from governance.values import parse_value
from node.events import Clock, FrameArrived, PeerCameUp
from node.machine import Machine, Setup
from protocol import codec
from protocol.crypto import Signer, sha256
from protocol.envelope import check_charter_signature, open_keyset, parse_entry, verify_entry
from protocol.errors import Code, ProtocolError
from protocol.evidence import open_claim
from protocol.frames import parse_frame
from protocol.ids import Digest, MemberName, NetworkId, PublicKey
from protocol.membership import evaluate
from protocol.messages import Claim
from protocol.quorum import certificate_id, check_certificate, parse_certificate
from protocol.subjects import parse_subject
from tests.tidy.make_vectors import NOW, VECTORS, cold, hot
from tests.vectors.alarms import CASES, level_of
from tests.vectors.counted import EPOCHS, lookup
from tests.vectors.governed import PLACES
from tests.vectors.governed_epochs import OUT, after
from tests.vectors.governed_voices import VOICED

PARENTS = OUT | VOICED
WITHOUT_BYTES = {
    "over-budget": "a budget of time: the same bytes are taken a second later",
}
"""Codes that no bytes alone can cause, and why."""


def read(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def raw(written: str) -> bytes:
    return bytes.fromhex(written)


def codes_in(name: str) -> set[str]:
    value = read(name)
    rows = value.get("refused", value.get("cbor", value.get("arrivals", ())))
    return {code for row in rows for code in row.get("codes", [row.get("code")])}


REFUSALS = sorted(path.stem for path in VECTORS.glob("refused*.json"))


def test_every_code_has_bytes_that_cause_it_or_a_reason_why_none_can() -> None:
    shown = set().union(*map(codes_in, REFUSALS))
    assert shown.isdisjoint(WITHOUT_BYTES)
    assert shown | set(WITHOUT_BYTES) == {code.word for code in Code}


def cases(name: str) -> list[Any]:
    value = read(name)
    return [*({"code": "", **one} for one in value.get("sound", ())), *value["refused"]]


def code_of(action: Any) -> str:
    try:
        action()
    except ProtocolError as error:
        return error.code.word
    return ""


def judged(name: str, judge: Any) -> list[Any]:
    """(what, code found, code said) where they differ."""
    found = [(one.get("what"), code_of(lambda: judge(one)), one["code"]) for one in cases(name)]
    assert len(found) > 10
    return [row for row in found if row[1] != row[2]]


def test_entries() -> None:
    value = read("refused-entries")
    network, key = NetworkId(raw(value["network"])), PublicKey(raw(value["key"]))
    assert judged("refused-entries", lambda one: verify_entry(parse_entry(raw(one["raw"]), network), key)) == []


def test_keysets() -> None:
    value = read("refused-keysets")
    network, key = NetworkId(raw(value["network"])), PublicKey(raw(value["governance"]))
    assert judged("refused-keysets", lambda one: open_keyset(raw(one["raw"]), network, key)) == []


def certified(one: Any) -> Any:
    of = EPOCHS[one["epoch"]]
    keys = {member.name: member.governance_key for member in of.members}
    known = [open_keyset(raw(sealed), of.network, keys[owner(sealed)]) for sealed in one["keysets"]]
    return check_certificate(parse_certificate(raw(one["raw"])), raw(one["raw"]), of, lookup(known))


def owner(sealed: str) -> MemberName:
    payload = codec.decode(raw(sealed), bytes_max=9999)[2]
    return MemberName(codec.decode(payload, bytes_max=9999)[1])


def test_certificates_that_are_refused() -> None:
    assert judged("refused-certificates", certified) == []


def test_certificates_that_count() -> None:
    for one in [*read("certificates-counted")["certificates"], *read("certificates-counted-by-group")["certificates"]]:
        found = certified(one)
        made = found.certificate
        assert found.digest.hex() == one["digest"], one["what"]
        assert certificate_id(made.epoch, made.topic, made.level).hex() == one["id"]
        assert list(found.groups) == one["groups"]
        assert (found.ends_ms, found.newest_issued_ms, found.tlp) == (
            one["ends_ms"],
            one["newest_issued_ms"],
            one["tlp"],
        )


def test_alarms() -> None:
    for row, (what, name, now_ms, said) in zip(read("alarms")["alarms"], CASES, strict=True):
        assert row["entries"] == [one.raw.hex() for one in said]
        assert level_of(EPOCHS[name], now_ms, said) == (row["level"], row["groups"]), what
        assert level_of(EPOCHS[name], now_ms, list(reversed(said))) == (row["level"], row["groups"]), what


def test_frames() -> None:
    assert judged("refused-frames", lambda one: parse_frame(raw(one["raw"]))) == []


def test_claims() -> None:
    def judge(one: Any) -> None:
        told = one["claim"]
        open_claim(Claim(told["type"], raw(told["id"]), Digest(raw(told["digest"]))), raw(one["blob"]))

    assert judged("refused-claims", judge) == []


def test_subjects() -> None:
    assert judged("refused-subjects", lambda one: parse_subject(raw(one["raw"]))) == []


def test_formulas() -> None:
    assert judged("refused-formulas", lambda one: evaluate(one["formula"], 7)) == []
    for one in read("refused-formulas")["sound"]:
        assert evaluate(one["formula"], one["n"]) == one["value"]


def test_statements() -> None:
    value = read("refused-statements")
    network = NetworkId(raw(value["network"]))
    keys = {kind: PublicKey(raw(key)) for kind, key in value["keys"].items()}
    readers = {
        "proposal": lambda told: open_proposal(told, network, keys["proposal"]),
        "ballot": lambda told: open_ballot(told, network, keys["ballot"]),
        "value": parse_value,
    }
    assert judged("refused-statements", lambda one: readers[one["kind"]](raw(one["raw"]))) == []


def rule_of(one: Any) -> tuple[str, str]:
    of = PLACES[one["epoch"]]
    try:
        judge(of, parse_proposal(raw(one["raw"]), of.network).proposal, read("refused-proposals")["now_ms"])
    except ProtocolError as error:
        return error.code.word, error.rule.value if isinstance(error, RuleError) else ""
    return "", ""


def test_proposals_that_break_a_rule() -> None:
    told = [(one["what"], rule_of(one), (one["code"], one.get("rule", ""))) for one in cases("refused-proposals")]
    assert [row for row in told if row[1] != row[2]] == []


@pytest.mark.parametrize("which", ["", "-of-voices"])
def test_epoch_certificates_that_prove_nothing(which: str) -> None:
    def fault_of(one: Any) -> tuple[str, str]:
        try:
            check(parse_epoch_certificate(raw(one["raw"])), PARENTS[one["epoch"]])
        except ProtocolError as error:
            return error.code.word, error.rule.value if isinstance(error, RuleError) else ""
        return "", ""

    told = cases(f"refused-epoch-certificates{which}")
    found = [(one["what"], fault_of(one), (one["code"], one.get("rule", ""))) for one in told]
    assert [row for row in found if row[1] != row[2]] == []


@pytest.mark.parametrize("which", ["", "-of-voices"])
def test_epoch_certificates_and_the_epochs_they_make(which: str) -> None:
    for one in read(f"epoch-certificates{which}")["certificates"]:
        enacted = check(parse_epoch_certificate(raw(one["raw"])), PARENTS[one["epoch"]])
        assert (list(enacted.committed), after(enacted.epoch)) == (one["committed"], one["next"]), one["what"]


def receiver(keysets: list[bytes]) -> Machine:
    """A member that knows these KeySets and has one peer, the issuer."""
    of = EPOCHS["four"]
    policy = Policy(Mode.OBSERVE, {}, {}, {}, (), Limits())
    machine = Machine(Setup(MemberName("venue"), of, hot("venue"), 1, policy, {}, {}, (), (), False))
    machine.start(Clock(NOW, 0), tuple(keysets))
    return machine


ARRIVALS = read("refused-arrivals")


@pytest.mark.parametrize("arrival", ARRIVALS["arrivals"], ids=lambda arrival: arrival["what"])
def test_a_running_member_answers_a_frame_with_these_codes(arrival: Any) -> None:
    machine = receiver([raw(sealed) for sealed in ARRIVALS["keysets"]])
    at = Clock(ARRIVALS["now_ms"], 1)
    machine.handle(PeerCameUp("12D3KooWissuer"), at)
    machine.handle(FrameArrived("12D3KooWissuer", True, False, raw(arrival["frame"])), at)
    assert sorted(refused_by(machine)) == sorted(arrival["codes"])


def refused_by(machine: Machine) -> list[str]:
    return [code for code, times in machine.state.refusals.items() for _ in range(times)]


def test_the_charter_makes_its_network_and_its_first_epoch() -> None:
    value = read("charter")
    network = NetworkId(sha256(raw(value["identity"])))
    assert network.hex() == value["network"]
    assert epoch0_hash(network).hex() == value["epoch"]
    for name, one in value["founders"].items():
        key = Signer(raw(one["governance_seed"])).public
        assert key == cold(name).public
        assert check_charter_signature(network, key, raw(one["signature"]))
        assert open_keyset(raw(value["keysets"][name]), network, key).keyset.member == name
