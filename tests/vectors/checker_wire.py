"""The wire as another implementation reads it, written from protocol/README.md alone: bytes, tables, seals, claims.

The lower half of checker.py. Needs cbor2 and PyNaCl and nothing of ours."""

import hashlib
import re

import cbor2
from nacl import bindings
from nacl.exceptions import CryptoError

# fmt: off
TABLES = """
Entry: author=name 1..32, key_version=uint 0..16000000, seq=uint, prev=hash, issued_ms=uint, kind=byte, body=map
1: epoch=hash, subject=subject, threat=byte, level=Level, basis=Basis, claims=[Claim] 0..8, sources=[text 1..64] 0..4,\
 detector=text 0..64, incident=text 0..64, since_ms=uint, expires_ms=uint, by_person=bool, tlp=Tlp, evm_sig=bytes 65?
2: epoch=hash, subject=subject, threat=byte, through_ms=uint, claims=[Claim] 0..8
3: action_key=hash, phase=text 0..64, effect=text 0..1024
4: subjects=[subject] 0..256
5: epoch=hash
6: text=text 0..4096, tlp=Tlp
7: sealed=bytes 1..16384
8: epoch=hash, round=uint, value=bytes 1..15360, valid_round=uint?
9: epoch=hash, round=uint, value_hash=hash
10: epoch=hash, round=uint, value_hash=hash
Claim: type=name 1..64, id=hash, digest=hash
KeySet: member=name 1..32, version=uint 0..16000000, attestation=hash, evm=bytes 20?, transport=[text 8..64] 0..4,\
 expires_ms=uint
Certificate: epoch=hash, subject=subject, threat=byte, level=Level, entries=[bytes 1..16384] 1..256,\
 keysets=[bytes 32..16384] 0..256
evm-release-without-burn: home=chain, escrow=bytes 20, tx=hash, log_index=uint, far=chain, twin=bytes 20, nonce=word,\
 recipient=bytes 20, amount=word
evm-supply-above-backing: home=chain, escrow=bytes 20, far=chain, twin=bytes 20, home_block=uint
evm-log: chain=chain, tx=hash, log_index=uint, address=bytes 20, topics=[hash] 0..4, data_hash=hash, threat=byte
evm-oracle-deviation: chain=chain, feed=bytes 20, block=uint
Head: author=name 1..32, key_version=uint, whole=uint, seq=uint, hash=hash
Proposal: type=uint 1..1, parent=hash, author=name 1..32, opened_ms=uint, closes_ms=uint, kind=Change, change=map,\
 note=text 0..1024, consents=[Consent] 0..2
Consent: key=hash, signature=bytes 64
Ballot: type=uint 2..2, proposal=hash, member=name 1..32, ballot_no=uint 0..15, vote=Vote, cast_ms=uint,\
 conflict=text 0..128
change 1: member=name 1..32, group=name 1..32, key=hash
change 2: member=name 1..32
change 3: members=[name 1..32] 1..16, group=name 1..32
change 4: member=name 1..32, key=hash
change 5: guard=text 1..64?, isolate=text 1..64?, halt=text 1..64?, lease_guard_ms=uint?, lease_isolate_ms=uint?,\
 lease_halt_ms=uint?, change_delay_ms=uint?, loosen_delay_ms=uint?, seat_term_ms=uint?, silence_ms=uint?
change 6: rows=[Source] 0..64, gone=[text 1..64] 0..64
change 7: member=name 1..32
change 8: member=name 1..32
Source: id=text 1..64, operator=text 1..64, scope=text 1..64
Value: parent=hash, number=uint, proposals=[hash] 0..64, proofs=[Suspect] 0..85, activates_ms=uint
EpochCertificate: value=bytes 1..15360, proposals=[bytes 1..15360] 0..64, ballots=[bytes 1..15360] 0..4096,\
 proofs=[Proof] 0..85, commits=[bytes 1..16384] 1..256, keysets=[bytes 1..16384] 1..512
Proof: first=bytes 1..16384, second=bytes 1..16384
Suspect: member=name 1..32, key_version=uint 0..16000000
frame 1: network=hash, version=uint 0..1000, keysets=[bytes 1..16384] 0..256
frame 2: raws=[bytes 1..16384] 1..64
frame 3: raws=[bytes 1..32768] 1..64
frame 4: raw=bytes 1..196608
frame 5: raws=[bytes 1..16384] 1..256
frame 6: heads=[Head] 0..512, shown=[hash] 0..256
frame 7: author=name 1..32, key_version=uint, from_seq=uint, to_seq=uint
frame 8: digests=[hash] 1..64
frame 9: ids=[hash] 1..64
frame 10: ids=[hash] 1..256
frame 16: after=hash
frame 17: raws=[bytes 1..196608] 1..16"""
TABLES = {line.split(": ")[0]: [one.split("=") for one in line.split(": ")[1].split(", ")]
          for line in TABLES.strip().splitlines()}
SHORT = {"hash": "bytes 32", "byte": "uint 0..255", "word": "bytes 32"}
TYPES = {"uint": int, "bool": bool, "map": dict, "bytes": bytes, "name": str, "text": str, "chain": str}
ENUMS = {"Level": range(5), "Basis": range(1, 4), "Tlp": range(5), "Change": range(1, 9), "Vote": range(2)}
VOTES = (8, 9, 10)
THREATS = {1, 2, 3, 4, 5, *range(32, 43)}
ID_PARTS = {"evm-release-without-burn": (1, 2, 7), "evm-supply-above-backing": (1, 2, 5), "evm-log": (1, 2, 3),
            "evm-oracle-deviation": (1, 2, 3)}
TAGS = {1: "attestation", 2: "release", 3: "action-report", 4: "manifest", 5: "heartbeat", 6: "notice", 7: "statement",
        8: "propose", 9: "prepare", 10: "commit"}
SHAPES = {1: "ns ref", 2: "ns ref b64", 3: "ns ref ns b64", 4: "ns ref hash", 5: "ns ref b64 b32",
          6: "ns ref b64 ns ref", 7: "ns ref b64", 8: "domain", 9: "package", 10: "hash"}
TEXTS = {1: "{}:{}", 2: "{}:{}:0x{}", 3: "{}:{}/{}:0x{}", 4: "tx:{}:{}:0x{}", 5: "market:{}:{}:0x{}/0x{}",
         6: "bridge:{}:{}:0x{}>{}:{}", 7: "oracle:{}:{}:0x{}", 8: "domain:{}", 9: "{}", 10: "credential:{}"}
LABEL, CHAR = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "([-a-zA-Z0-9._~]|%[0-9A-F]{2})"
WORDS = {"ns": "[-a-z0-9]{3,8}", "ref": "[-_a-zA-Z0-9]{1,32}", "domain": rf"{LABEL}(\.{LABEL})+",
         "package": rf"pkg:[a-z][-a-z0-9.+]*(/{CHAR}+)+(@({CHAR}|:)+)?"}
SIZES = {"b64": range(1, 65), "b32": range(1, 33), "hash": range(32, 33)}
FOLDED = ("bitbucket", "composer", "deb", "github", "npm", "oci", "pypi")
PROTECTED = b"\xa1\x01\x27"
# fmt: on


class Refused(Exception):
    pass


def need(holds, code="bad-shape"):
    if not holds:
        raise Refused(code)


def dumps(value):
    return cbor2.dumps(value, canonical=True)


def sha(raw):
    return hashlib.sha256(raw).digest()


def items(value, depth=0):
    """How many data items; refuses what the dialect has not."""
    need(depth <= 12)
    if type(value) is dict:
        need(all(type(key) is int and key >= 0 for key in value))
        return 1 + sum(1 + items(one, depth + 1) for one in value.values())
    if type(value) is list:
        return 1 + sum(items(one, depth + 1) for one in value)
    need(type(value) in (bytes, str, bool, type(None)) or (type(value) is int and -(1 << 64) <= value < 1 << 64))
    return 1


def loads(raw, most):
    need(len(raw) <= most, "oversized")
    try:
        value = cbor2.loads(raw)
        need(items(value) <= 8192 and dumps(value) == raw)
    except Exception:
        raise Refused("not-canonical") from None
    return value


def table(name, raw):
    """A map of the wire as a map of names: bytes in hexadecimal, subjects as text and bytes."""
    rows = list(enumerate(TABLES[name], 1))
    need(type(raw) is dict)
    need(all(1 <= key <= len(rows) or key >= 64 for key in raw), "unknown-critical")
    need(all(key in raw or kind.endswith("?") for key, (_, kind) in rows))
    return {field: typed(kind.rstrip("?"), raw[key]) for key, (field, kind) in rows if key in raw}


def fits(number, bounds):
    least, _, most = bounds.partition("..")
    return int(least) <= number <= int(most or least) if bounds else 0 <= number < 1 << 63


def typed(kind, raw):
    if kind.startswith("["):
        inner, bounds = kind[1:].rsplit("] ", 1)
        need(type(raw) is list and fits(len(raw), bounds))
        return [typed(inner, one) for one in raw]
    if kind in TABLES or kind == "subject":
        return subject(raw) if kind == "subject" else table(kind, raw)
    word, _, bounds = SHORT.get(kind, kind).partition(" ")
    need(type(raw) is TYPES.get(word, int))
    if word in ENUMS:
        need(raw in ENUMS[word])
    elif word == "chain":
        subject(dumps([1, *raw.partition(":")[::2]]))
    elif word not in ("bool", "map"):
        need(fits(raw if word == "uint" else len(raw), bounds))
        need(word != "name" or re.fullmatch("[-a-z0-9]*", raw))
    return int.from_bytes(raw, "big") if kind == "word" else raw.hex() if word == "bytes" else raw


def subject(raw):
    need(type(raw) is bytes)
    parts = loads(raw, 256)
    need(type(parts) is list and parts and type(parts[0]) is int and parts[0] in SHAPES)
    kind, rest, shape = parts[0], parts[1:], SHAPES[parts[0]].split()
    need(len(rest) == len(shape))
    for word, part in zip(shape, rest):
        need(type(part) is (str if word in WORDS else bytes))
        need(len(part) <= 200 and re.fullmatch(WORDS[word], part) if word in WORDS else len(part) in SIZES[word])
    for at in (0, 3) if kind == 6 else (0,):
        need(rest[at] != "eip155" or re.fullmatch("0|[1-9][0-9]*", rest[at + 1]))
    if rest[0] == "eip155" and (kind in (2, 5, 6, 7) or rest[2:3] == ["erc20"]):
        need(len(rest[3 if kind == 3 else 2]) == 20)
    if kind == 3 and rest[2] == "slip44":
        need(len(rest[3]) <= 4 and (rest[3][0] or len(rest[3]) == 1))
    if kind == 9:
        of, names = rest[0][4:].split("@")[0].split("/", 1)
        names = re.sub("%..", "", names)
        need(not any(re.match("[-a-zA-Z0-9._~:]", chr(int(code, 16))) for code in re.findall("%(..)", rest[0])))
        need((of not in FOLDED or names == names.lower()) and (of != "pypi" or "_" not in names))
    return {"text": TEXTS[kind].format(*(one.hex() if type(one) is bytes else one for one in rest)), "raw": raw.hex()}


def to_be_signed(tag, network, payload):
    return dumps(["Signature1", PROTECTED, dumps([tag, network]), payload])


def unseal(raw, most=16384):
    parts = loads(raw, most)
    need(type(parts) is list and len(parts) == 4 and parts[:2] == [PROTECTED, {}], "bad-envelope")
    need(type(parts[2]) is type(parts[3]) is bytes and len(parts[3]) == 64, "bad-envelope")
    return parts[2], parts[3]


def verify(key, message, signature):
    try:
        bindings.crypto_sign_open(signature + message, key)
    except (CryptoError, ValueError, TypeError):
        raise Refused("bad-signature") from None


def shown(value):
    if type(value) is dict:
        return {str(key): shown(one) for key, one in value.items()}
    return [shown(one) for one in value] if type(value) is list else value.hex() if type(value) is bytes else value


class Entry:
    """Well-formed: `said` is the payload by names. `open` proves it."""

    def __init__(self, raw, network):
        self.payload, self.signature = unseal(raw)
        self.said = table("Entry", loads(self.payload, 16384))
        self.author, self.version, self.seq, self.prev, self.issued_ms, self.kind, body = self.said.values()
        self.body = self.said["body"] = self.typed(body)
        need(self.kind != 2 or self.body["through_ms"] <= self.issued_ms)
        self.tag = "tocsin/1/" + TAGS.get(self.kind, f"kind-{self.kind}")
        self.signed = to_be_signed(self.tag, network, self.payload)
        self.hash = sha(self.signed)
        if self.kind == 1:
            self.topic = [self.body["epoch"], self.body["subject"]["raw"], self.body["threat"]]
            hearsay = min(1, self.body["level"]) if self.body["basis"] == 1 else self.body["level"]
            self.level = hearsay if self.body["threat"] in THREATS else 0

    def typed(self, body):
        try:
            if str(self.kind) in TABLES:
                return table(str(self.kind), body)
        except Refused:
            if self.kind not in VOTES:
                raise
        return {"kind": self.kind, "fields": shown(body)}

    def open(self, key):
        verify(key, self.signed, self.signature)
        return self


def voted_two_ways(one, other):
    """Votes of one kind and one (epoch, round), for different values."""
    if one.kind != other.kind or one.kind not in VOTES or "epoch" not in one.body or "epoch" not in other.body:
        return False
    value = "value" if one.kind == 8 else "value_hash"
    same = all(one.body[name] == other.body[name] for name in ("epoch", "round"))
    return same and one.body[value] != other.body[value]


class KeySet:
    def __init__(self, raw, network, keys):
        """`keys`: member → governance key."""
        self.payload, signature = unseal(raw)
        self.said = table("KeySet", loads(self.payload, 16384))
        self.name = self.said["member"], self.said["version"]
        self.signed = to_be_signed("tocsin/1/keyset", network, self.payload)
        self.hash, self.key = sha(self.signed), bytes.fromhex(self.said["attestation"])
        need(self.name[0] in keys, "unknown-author")
        verify(keys[self.name[0]], self.signed, signature)
        need(bindings.crypto_core_ed25519_is_valid_point(self.key), "bad-key")


def opened(claim, blob):
    """The inputs that a claim names, by names."""
    need(sha(blob).hex() == claim["digest"], "bad-claim")
    parts = loads(blob, 32768)
    need(type(parts) is list and len(parts) == 2 and parts[0] == claim["type"], "bad-claim")
    need(claim["type"] in ID_PARTS, "unknown-claim-type")
    said = table(claim["type"], parts[1])
    named = sha(dumps(["tocsin/1/claim", claim["type"], *(parts[1][key] for key in ID_PARTS[claim["type"]])]))
    need(named.hex() == claim["id"], "bad-claim")
    return said
