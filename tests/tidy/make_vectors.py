"""Writes protocol/vectors/: what other implementations are held to. `python -m tests.tidy.make_vectors`.

Everything here is fixed by hand: keys, times, words. Once published, a file never changes; a new rule is a new file.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from governance.values import Value
from protocol import envelope
from protocol.codec import decode, encode
from protocol.crypto import Signer, sha256
from protocol.envelope import Parsed, SealedKeySet, Verified, domain_tag, parse_entry, seal_entry, seal_keyset
from protocol.evidence import LogSeen, OracleDeviation, ReleaseWithoutBurn, SupplyAboveBacking, claim_of
from protocol.frames import (
    Blobs,
    CertificateFrame,
    Entries,
    EpochCertificates,
    Frame,
    Head,
    Heads,
    Hello,
    KeySets,
    Shown,
    WantBlobs,
    WantCertificates,
    WantEntries,
    WantEpochs,
    pack_frame,
)
from protocol.ids import ZERO_HASH, EntryHash, EpochHash, GroupName, MemberName, NetworkId, SourceId
from protocol.membership import DEFAULT_FORMULAS, Epoch, Member, Past, Source, evaluate
from protocol.messages import (
    NOTHING,
    ActionReport,
    Attestation,
    Basis,
    Commit,
    EntryKind,
    Heartbeat,
    KeySet,
    Level,
    Manifest,
    Notice,
    Prepare,
    Propose,
    Release,
    Statement,
    Threat,
    Tlp,
    Unknown,
    value_hash,
)
from protocol.onchain import author_word, sealed_body_hash, subject_key, submit_by_ms
from protocol.quorum import assemble, certificate_id, check_certificate, pack_certificate
from protocol.subjects import Kind, Subject, account, asset, market, oracle, subject_of

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
FIRST_SEEN = Path(__file__).with_name("vectors.sha256")
"""Digest and name of each file as it was first published. Lines are added, never changed."""
NOW = 1_780_000_000_000
HOME, FAR = "eip155:1", "eip155:130"
NETWORK = NetworkId(sha256(b"tocsin vectors"))
EPOCH = EpochHash(sha256(encode(["tocsin/1/epoch", NETWORK, 0])))
NAMES = tuple(MemberName(name) for name in ("issuer", "lender-a", "lender-b", "venue"))
ESCROW, TWIN, FEED, TX = b"\x22" * 20, b"\x33" * 20, b"\x44" * 20, b"\x77" * 32
TOKEN = asset(HOME, b"\x11" * 20)
TOPIC = (TOKEN, int(Threat.BRIDGE_FORGERY))
FORGED = ReleaseWithoutBurn(HOME, ESCROW, TX, 3, FAR, TWIN, 308, b"\x66" * 20, 116_500 * 10**18)
Vector = dict[str, Any]


def seed(name: str, purpose: str) -> bytes:
    return sha256(f"tocsin vectors {purpose} {name}".encode())


def hot(name: str) -> Signer:
    return Signer(seed(name, "attestation"))


def cold(name: str) -> Signer:
    return Signer(seed(name, "governance"))


GOVERNED: dict[type, tuple[str, ...]] = {
    Epoch: ("change_delay_ms", "loosen_delay_ms", "seat_term_ms", "silence_ms", "past", "left", "made_of"),
    Past: ("made_of",),
    Value: ("later",),
    Member: ("since", "seated_ms", "keyed_ms", "why", "proven"),
}
"""What counting does not read: files about counting leave it out."""


def plain(value: Any) -> Any:
    """As JSON: bytes in hexadecimal, enumerations by number, subjects as text and bytes."""
    if isinstance(value, Subject):
        return {"text": str(value), "raw": value.raw.hex()}
    if is_dataclass(value) and not isinstance(value, type):
        told = [field.name for field in fields(value) if field.name not in GOVERNED.get(type(value), ())]
        shown = {name: plain(getattr(value, name)) for name in told}
        return {name: one for name, one in shown.items() if one is not None}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.IntEnum):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return value


def keyset(name: str, **changes: Any) -> KeySet:
    made = KeySet(MemberName(name), 1, hot(name).public, None, (f"12D3KooW{name}",), NOW + 300 * 86_400_000)
    return replace(made, **changes)


def delegated(name: str) -> SealedKeySet:
    return seal_keyset(NETWORK, cold(name), keyset(name))


def word(name: str, body: Any, seq: int = 0, prev: EntryHash = ZERO_HASH, issued_ms: int = NOW) -> Verified[Any]:
    return seal_entry(
        NETWORK,
        hot(name),
        author=MemberName(name),
        key_version=1,
        seq=seq,
        prev=prev,
        issued_ms=issued_ms,
        body=body,
    )


def opinion(name: str, level: Level = Level.ISOLATE) -> Attestation:
    return Attestation(
        epoch=EPOCH,
        subject=TOKEN,
        threat=TOPIC[1],
        level=level,
        basis=Basis.VERIFIED,
        claims=(claim_of(FORGED).claim,),
        sources=(SourceId(f"{name}-far"), SourceId(f"{name}-home")),
        detector="bridge-watch",
        incident="rs-1",
        since_ms=NOW,
        expires_ms=NOW + 6 * 3_600_000,
        by_person=False,
        tlp=Tlp.GREEN,
    )


def epoch() -> Epoch:
    members = tuple(Member(name, GroupName(name), cold(name).public) for name in NAMES)
    sources = [Source(SourceId(f"{name}-home"), name, HOME) for name in NAMES]
    sources += [Source(SourceId(f"{name}-far"), name, FAR) for name in NAMES]
    return Epoch(NETWORK, 0, EPOCH, NOW - 86_400_000, members, sources=tuple(sources))


BODIES: dict[str, Any] = {
    "attestation": opinion("issuer"),
    "attestation-with-evm-signature": replace(opinion("issuer"), evm_sig=bytes(range(65)), by_person=True),
    "attestation-withdrawn": replace(opinion("issuer"), level=Level.NONE, claims=(), basis=Basis.OBSERVED),
    "release": Release(EPOCH, TOKEN, TOPIC[1], NOW - 1, (claim_of(FORGED).claim,)),
    "action-report": ActionReport(sha256(b"an action"), "effective", "supply of the asset is closed"),
    "manifest": Manifest((TOKEN, oracle(HOME, FEED))),
    "heartbeat": Heartbeat(EPOCH),
    "notice": Notice("We look into reports of a forged message.", Tlp.AMBER),
    "statement": Statement(delegated("venue").raw),
    "propose-not-spoken-yet": Unknown(EntryKind.PROPOSE, {1: EPOCH, 2: 0}),
    "prepare-not-spoken-yet": Unknown(EntryKind.PREPARE, {1: EPOCH, 2: 0}),
    "commit-not-spoken-yet": Unknown(EntryKind.COMMIT, {1: EPOCH, 2: 0}),
    "propose": Propose(EPOCH, 0, b"\xa1\x01\x00"),
    "propose-again": Propose(EPOCH, 3, b"\xa1\x01\x00", 1),
    "prepare": Prepare(EPOCH, 3, value_hash(b"\xa1\x01\x00")),
    "prepare-nothing": Prepare(EPOCH, 3, NOTHING),
    "commit": Commit(EPOCH, 3, value_hash(b"\xa1\x01\x00")),
    "commit-nothing": Commit(EPOCH, 3, NOTHING),
    "kind-of-a-later-version": Unknown(42, {1: [1, b"\x02", {3: "three"}], 64: None}),
}


def entry_vector(made: Verified[Any] | Parsed) -> Vector:
    parsed = parse_entry(made.raw, NETWORK)
    entry = parsed.entry
    return {
        "seed": seed(entry.author, "attestation").hex(),
        "network": NETWORK.hex(),
        "entry": plain(entry),
        "domain_tag": domain_tag(entry.kind),
        "payload": decode(made.raw, bytes_max=1 << 20)[2].hex(),
        "to_be_signed": parsed.to_be_signed.hex(),
        "signature": parsed.signature.hex(),
        "sealed": made.raw.hex(),
        "hash": parsed.hash.hex(),
    }


def keyset_vector(made: KeySet) -> Vector:
    sealed = seal_keyset(NETWORK, cold(made.member), made)
    return {
        "governance_seed": seed(made.member, "governance").hex(),
        "governance": cold(made.member).public.hex(),
        "network": NETWORK.hex(),
        "keyset": plain(made),
        "domain_tag": envelope.KEYSET_TAG,
        "payload": decode(sealed.raw, bytes_max=1 << 20)[2].hex(),
        "sealed": sealed.raw.hex(),
        "hash": sealed.hash.hex(),
    }


def charter_vector() -> Vector:
    return {
        "governance_seed": seed("issuer", "governance").hex(),
        "governance": cold("issuer").public.hex(),
        "network": NETWORK.hex(),
        "domain_tag": envelope.CHARTER_TAG,
        "signature": envelope.sign_charter(NETWORK, cold("issuer")).hex(),
    }


def certificate_vector(level: Level, count: int) -> Vector:
    of = epoch()
    opinions = [word(name, opinion(name, level)) for name in NAMES[:count]]
    if level is Level.HALT:
        opinions = [word(n, replace(opinion(n, level), expires_ms=NOW + 3_600_000)) for n in NAMES[:count]]
    by_group = {GroupName(one.entry.author): [one] for one in opinions}
    made = assemble(of, TOPIC, level, by_group, lambda name, version: delegated(name))
    raw = pack_certificate(made)
    checked = check_certificate(made, raw, of, lambda name, version: None)
    return {
        "epoch": plain(of),
        "certificate": plain(made),
        "raw": raw.hex(),
        "id": certificate_id(EPOCH, TOPIC, level).hex(),
        "digest": checked.digest.hex(),
        "groups": list(checked.groups),
        "ends_ms": checked.ends_ms,
        "newest_issued_ms": checked.newest_issued_ms,
    }


CLAIMS: dict[str, Any] = {
    "release-without-burn": FORGED,
    "release-without-burn-of-the-largest-number": replace(FORGED, nonce=2**256 - 1),
    "supply-above-backing": SupplyAboveBacking(HOME, ESCROW, FAR, TWIN, 24_000_000),
    "log": LogSeen(HOME, TX, 3, ESCROW, (b"\x01" * 32, b"\x02" * 32), sha256(b""), Threat.CONTRACT_EXPLOIT),
    "oracle-deviation": OracleDeviation(HOME, FEED, 24_000_001),
}


def claim_vector(inputs: Any) -> Vector:
    made = claim_of(inputs)
    shown = {name: str(one) if type(one) is int else one for name, one in plain(inputs).items()}
    return {"claim": plain(made.claim), "inputs": shown, "blob": made.blob.hex()}


def equivocations() -> Vector:
    first = word("issuer", Notice("first", Tlp.GREEN))
    rival = word("issuer", Notice("rival", Tlp.GREEN))
    stray = word("issuer", Notice("second", Tlp.GREEN), seq=1, prev=EntryHash(sha256(b"another past")))
    second = word("issuer", Notice("second", Tlp.GREEN), seq=1, prev=first.hash)
    named = {"first": first, "rival": rival, "stray": stray, "second": second}
    return {
        "key": hot("issuer").public.hex(),
        "network": NETWORK.hex(),
        "entries": {name: {"sealed": one.raw.hex(), "hash": one.hash.hex()} for name, one in named.items()},
        "proofs": [["first", "rival"], ["first", "stray"], ["rival", "second"]],
        "no_proofs": [["first", "first"], ["first", "second"]],
        "head_of_first_and_rival": min(first.hash, rival.hash).hex(),
    }


def equivocations_of_votes() -> Vector:
    """Entries that lie apart in their feed, so that nothing but the votes can contradict each other."""
    first, second = b"\xa1\x01\x00", b"\xa1\x01\x01"
    one, two = value_hash(first), value_hash(second)
    other = EpochHash(sha256(b"another epoch"))
    bodies: dict[str, Any] = {
        "propose": Propose(EPOCH, 2, first),
        "propose again, as valid": Propose(EPOCH, 2, first, 1),
        "propose another": Propose(EPOCH, 2, second),
        "prepare": Prepare(EPOCH, 2, one),
        "prepare again": Prepare(EPOCH, 2, one),
        "prepare another": Prepare(EPOCH, 2, two),
        "prepare nothing": Prepare(EPOCH, 2, NOTHING),
        "prepare in a later round": Prepare(EPOCH, 3, two),
        "prepare in another epoch": Prepare(other, 2, two),
        "commit": Commit(EPOCH, 2, one),
        "commit another": Commit(EPOCH, 2, two),
        "commit nothing": Commit(EPOCH, 2, NOTHING),
    }
    named = {name: word("issuer", body, seq=10 * at) for at, (name, body) in enumerate(bodies.items())}
    proofs = [
        ["propose", "propose another"],
        ["propose again, as valid", "propose another"],
        ["prepare", "prepare another"],
        ["prepare nothing", "prepare again"],
        ["commit", "commit another"],
        ["commit nothing", "commit another"],
    ]
    no_proofs = [
        ["propose", "propose again, as valid"],
        ["prepare", "prepare again"],
        ["prepare", "prepare in a later round"],
        ["prepare", "prepare in another epoch"],
        ["prepare", "commit another"],
        ["prepare another", "commit"],
        ["propose", "commit another"],
    ]
    return {
        "key": hot("issuer").public.hex(),
        "network": NETWORK.hex(),
        "value_hashes": {first.hex(): one.hex(), second.hex(): two.hex()},
        "entries": {name: {"sealed": one.raw.hex(), "hash": one.hash.hex()} for name, one in named.items()},
        "proofs": proofs,
        "no_proofs": no_proofs,
    }


D32 = sha256(b"a digest")
FRAMES: dict[str, Frame] = {
    "hello": Hello(NETWORK, 1, (delegated("issuer").raw,)),
    "entries": Entries((word("issuer", Heartbeat(EPOCH)).raw,)),
    "blobs": Blobs((claim_of(FORGED).blob,)),
    "certificate": CertificateFrame(b"\x01\x02\x03"),
    "keysets": KeySets((delegated("venue").raw,)),
    "heads": Heads((Head(MemberName("issuer"), 1, 1, 0, word("issuer", Heartbeat(EPOCH)).hash),), (D32,)),  # type: ignore[arg-type]
    "want-entries": WantEntries(MemberName("issuer"), 1, 0, 255),
    "want-blobs": WantBlobs((D32,)),  # type: ignore[arg-type]
    "want-certificates": WantCertificates((D32,)),  # type: ignore[arg-type]
    "shown": Shown((D32,)),  # type: ignore[arg-type]
    "want-epochs": WantEpochs(EPOCH),
    "epoch-certificates": EpochCertificates((b"\x01\x02\x03",)),
}

SUBJECTS = (
    subject_of(Kind.CHAIN, "eip155", "1"),
    subject_of(Kind.CHAIN, "cosmos", "cosmoshub-3"),
    account(HOME, ESCROW),
    TOKEN,
    asset(HOME, b"\x3c", "slip44"),
    subject_of(Kind.TRANSACTION, "eip155", "1", TX),
    market(HOME, ESCROW, b"\x01" * 32),
    subject_of(Kind.BRIDGE, "eip155", "1", ESCROW, "eip155", "130"),
    oracle(HOME, FEED),
    subject_of(Kind.DOMAIN, "xn--bcher-kva.example"),
    subject_of(Kind.PACKAGE, "pkg:npm/%40scope/name@1.2.3"),
    subject_of(Kind.CREDENTIAL, D32),
)

REFUSED = {
    "longer head than needed": ("1817", "not-canonical"),
    "indefinite array": ("9f01ff", "not-canonical"),
    "tag": ("c000", "not-canonical"),
    "bignum": ("c249010000000000000000", "not-canonical"),
    "float": ("f93c00", "not-canonical"),
    "undefined": ("f7", "not-canonical"),
    "map key twice": ("a201000100", "not-canonical"),
    "map keys unsorted": ("a202000100", "not-canonical"),
    "text map key": ("a1616100", "not-canonical"),
    "negative map key": ("a12000", "not-canonical"),
    "text that is not UTF-8": ("62c328", "not-canonical"),
    "trailing byte": ("0000", "not-canonical"),
    "truncated": ("8201", "not-canonical"),
}


def thresholds() -> Vector:
    rows = []
    for n in range(1, 65):
        f = (n - 1) // 3
        levels = {level.name.lower(): evaluate(formula, n) for level, formula in DEFAULT_FORMULAS.items()}
        rows.append({"n": n, "f": f, "q": n - f, **levels})
    return {"formulas": {level.name.lower(): formula for level, formula in DEFAULT_FORMULAS.items()}, "rows": rows}


def _entries() -> Iterator[tuple[str, Callable[[], Vector]]]:
    for name, body in BODIES.items():
        yield f"entry-{name}", lambda body=body: entry_vector(word("issuer", body))
    chained = word("issuer", BODIES["heartbeat"])
    yield (
        "entry-second-of-a-feed",
        lambda: entry_vector(word("issuer", BODIES["heartbeat"], 1, chained.hash, NOW + 60_000)),
    )


def vectors() -> dict[str, Vector]:
    """File name without suffix → content."""
    from tests.vectors.golden import golden  # made of the words and keys above

    made: dict[str, Vector] = {name: build() for name, build in _entries()}
    made["keyset"] = keyset_vector(keyset("issuer"))
    made["keyset-with-evm-key"] = keyset_vector(keyset("issuer", version=2, evm=b"\x55" * 20, transport=()))
    made["charter-signature"] = charter_vector()
    made["certificate-guard"] = certificate_vector(Level.GUARD, 2)
    made["certificate-isolate"] = certificate_vector(Level.ISOLATE, 3)
    made["certificate-halt"] = certificate_vector(Level.HALT, 4)
    made |= {f"claim-{name}": claim_vector(inputs) for name, inputs in CLAIMS.items()}
    made["equivocation"] = equivocations()
    made["equivocation-of-votes"] = equivocations_of_votes()
    made |= {f"frame-{name}": {"frame": plain(frame), "raw": pack_frame(frame).hex()} for name, frame in FRAMES.items()}
    made["subjects"] = {"subjects": [{"text": str(one), "raw": one.raw.hex()} for one in SUBJECTS]}
    made["refused"] = {"cbor": [{"what": w, "raw": raw, "code": code} for w, (raw, code) in REFUSED.items()]}
    made["thresholds"] = thresholds()
    made["onchain"] = onchain()
    return made | golden()


def onchain() -> Vector:
    """What a contract is told of an attestation, of every form that an attestation has."""
    forms = ("attestation", "attestation-with-evm-signature", "attestation-withdrawn")
    sealed = {form: word("issuer", BODIES[form]).raw for form in forms}
    payload = decode(decode(sealed["attestation-with-evm-signature"], bytes_max=1 << 20)[2], bytes_max=1 << 20)
    later = encode(payload | {7: payload[7] | {64: "of a later version"}})
    sealed["attestation-of-a-later-version"] = envelope._seal(
        domain_tag(EntryKind.ATTESTATION), NETWORK, later, hot("issuer")
    )
    words = []
    for form, raw in sealed.items():
        entry = parse_entry(raw, NETWORK).entry
        told = {
            "body_hash": sealed_body_hash(raw).hex(),
            "subject_key": subject_key(entry.body.subject).hex(),
            "author": author_word(entry.author).hex(),
            "submit_by_ms": submit_by_ms(entry.issued_ms, entry.body.expires_ms),
        }
        words.append({"what": form, "sealed": raw.hex(), "told": told})
    return {"network": NETWORK.hex(), "words": words}


def text_of(vector: Vector) -> str:
    return json.dumps(vector, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes what is missing, with its digest, and refuses to change what is there."""
    VECTORS.mkdir(exist_ok=True)
    for name, vector in vectors().items():
        path, text = VECTORS / f"{name}.json", text_of(vector)
        if path.exists() and path.read_text() != text:
            raise SystemExit(f"{path.name} is published and would change: give the new form a new name")
        if not path.exists():
            path.write_text(text)
            with FIRST_SEEN.open("a") as lines:
                lines.write(f"{sha256(text.encode()).hex()}  {path.name}\n")


if __name__ == "__main__":
    main()
