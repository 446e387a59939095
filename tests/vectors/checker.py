"""Reads golden files as another implementation would: `python checker.py FOLDER`, exit 1 where anything differs.

Written from protocol/README.md (charter.json and what governs: governance/README.md) and importing no code of ours:
files here, bytes in checker_wire.py, counting in checker_counting.py, rules and
epochs in checker_governance.py and checker_epochs.py beside it. Needs
cbor2 and PyNaCl and nothing of ours."""

import json
import sys
from pathlib import Path

from nacl import bindings

sys.path.insert(0, str(Path(__file__).resolve().parent))
from checker_counting import CERTIFICATE_BYTES, Epoch, alarm, arrival, certificate, code_of, formula, frame, un
from checker_epochs import code_and_rule, epoch_certificate
from checker_governance import Statement, consent_payload, epoch_of, judged, value_of
from checker_judges import verdict
from checker_wire import (
    Entry,
    KeySet,
    dumps,
    loads,
    opened,
    sha,
    subject,
    table,
    to_be_signed,
    verify,
    voted_two_ways,
)


def signed_by(seed, message):
    """(public key, signature)"""
    public, secret = bindings.crypto_sign_seed_keypair(un(seed))
    return public, bindings.crypto_sign(message, secret)[:64]


def rows(found, what=""):
    """name → (what was found, what the file says)"""
    return [(f"{what}{name}", got, said) for name, (got, said) in found.items()]


def refusals(v, judge, raw="raw"):
    sound = [(one.get("what") or one[raw], code_of(judge, one), "") for one in v.get("sound", ())]
    return sound + [(one["what"], code_of(judge, one), one["code"]) for one in v["refused"]]


def entry_file(v):
    one = Entry(un(v["sealed"]), un(v["network"]))
    public, signature = signed_by(v["seed"], one.signed)
    told = {
        "domain_tag": one.tag,
        "payload": one.payload.hex(),
        "to_be_signed": one.signed.hex(),
        "hash": one.hash.hex(),
    }
    told |= {"entry": one.said, "signature": signature.hex()}
    return [("seal", code_of(one.open, public), ""), *rows({name: (got, v[name]) for name, got in told.items()})]


def keyset_file(v):
    one = KeySet(un(v["sealed"]), un(v["network"]), {v["keyset"]["member"]: un(v["governance"])})
    public, signature = signed_by(v["governance_seed"], one.signed)
    told = {"keyset": one.said, "payload": one.payload.hex(), "hash": one.hash.hex(), "governance": public.hex()}
    told |= {"domain_tag": "tocsin/1/keyset", "sealed": v["sealed"][:-128] + signature.hex()}
    return rows({name: (got, v[name]) for name, got in told.items()})


def charter_file(v):
    of, network = v["charter"], un(v["network"])
    three = [str(level) for level in (2, 3, 4)]
    members = sorted([one["name"], one["group"], un(one["governance_key"])] for one in of["members"])
    bridges = sorted(
        [un(b["asset"]["raw"]), b["home"], un(b["escrow"]), b["far"], un(b["twin"])] for b in of["bridges"]
    )
    feeds = sorted(
        [un(o["subject"]["raw"]), o["chain"], un(o["feed"]), sorted(map(un, o["references"]))] for o in of["oracles"]
    )
    identity = {1: 1, 2: of["name"], 3: of["created_ms"], 4: members}
    identity |= {5: {int(level): of["formulas"][level] for level in three}}
    identity |= {6: {int(level): of["lease_ms"][level] for level in three}}
    identity |= {
        7: {1: of["change_delay_ms"], 2: of["loosen_delay_ms"]},
        8: {1: of["seat_term_ms"], 2: of["silence_ms"]},
    }
    identity |= {9: sorted([one["id"], one["operator"], one["scope"]] for one in of["sources"]), 10: bridges, 11: feeds}
    raw, signed, keys = (
        dumps(identity),
        to_be_signed("tocsin/1/charter", network, network),
        {one[0]: one[2] for one in members},
    )
    found = {"identity": (raw.hex(), v["identity"]), "network": (sha(raw).hex(), v["network"])}
    found |= {"epoch": (sha(dumps(["tocsin/1/epoch", network, 0])).hex(), v["epoch"])}
    found |= {"domain_tag": ("tocsin/1/charter", v["domain_tag"])}
    for name, one in v["founders"].items():
        public, signature = signed_by(one["governance_seed"], signed)
        found[name] = ((public, signature.hex()), (keys[name], one["signature"]))
        found[f"KeySet of {name}"] = (KeySet(un(v["keysets"][name]), network, keys).name[0], name)
    return rows(found)


def charter_signature_file(v):
    network = un(v["network"])
    signed = to_be_signed("tocsin/1/charter", network, network)
    public, signature = signed_by(v["governance_seed"], signed)
    told = {"domain_tag": "tocsin/1/charter", "governance": public.hex(), "signature": signature.hex()}
    verify(public, signed, un(v["signature"]))
    return rows({name: (got, v[name]) for name, got in told.items()})


def certificate_file(v):
    said = table("Certificate", loads(un(v["raw"]), CERTIFICATE_BYTES))
    found = certificate(un(v["raw"]), Epoch(v["epoch"]), [])
    return rows(
        {name: (got, v[name]) for name, got in found.items() if name in v} | {"value": (said, v["certificate"])}
    )


def counted_file(v):
    def judge(one):
        epoch = Epoch(v["epochs"][one["epoch"]])
        return certificate(
            un(one["raw"]), epoch, [KeySet(un(raw), epoch.network, epoch.keys) for raw in one["keysets"]]
        )

    if "refused" in v:
        return refusals(v, judge)
    return [
        row for one in v["certificates"] for row in rows({k: (g, one[k]) for k, g in judge(one).items()}, one["what"])
    ]


def alarms_file(v):
    topic, found = [v["subject"], v["threat"]], {}
    for one in v["alarms"]:
        epoch = Epoch(v["epochs"][one["epoch"]])
        words = [Entry(un(raw), epoch.network) for raw in one["entries"]]
        proven = [word.open(un(v["keys"][word.author])) for word in words]
        found[one["what"]] = (alarm(topic, proven, epoch, one["now_ms"]), (one["level"], one["groups"]))
    return rows(found)


def claim_file(v):
    said = opened(v["claim"], un(v["blob"]))
    return [("inputs", {name: str(one) if type(one) is int else one for name, one in said.items()}, v["inputs"])]


def equivocation_file(v):
    of = {name: Entry(un(one["sealed"]), un(v["network"])).open(un(v["key"])) for name, one in v["entries"].items()}

    def forks(a, b):
        first, later = sorted((of[a], of[b]), key=lambda one: one.seq)
        if first.seq == later.seq:
            return first.hash != later.hash
        if voted_two_ways(first, later):
            return True
        return later.seq == first.seq + 1 and un(later.prev) != first.hash

    found = {f"hash of {name}": (one.hash.hex(), v["entries"][name]["hash"]) for name, one in of.items()}
    found |= {f"{a} and {b}": (forks(a, b), True) for a, b in v["proofs"]}
    found |= {f"{a} and {b}": (forks(a, b), False) for a, b in v["no_proofs"]}
    for value, said in v.get("value_hashes", {}).items():
        found[value] = (sha(dumps(["tocsin/1/value", un(value)])).hex(), said)
    if "head_of_first_and_rival" in v:
        found["head"] = (min(of["first"].hash, of["rival"].hash).hex(), v["head_of_first_and_rival"])
    return rows(found)


def thresholds_file(v):
    found = {}
    for row in v["rows"]:
        f = (row["n"] - 1) // 3
        levels = {level: formula(text, row["n"]) for level, text in v["formulas"].items()}
        found[str(row["n"])] = ({"n": row["n"], "f": f, "q": row["n"] - f, **levels}, row)
    return rows(found)


def entries_refused(v):
    return refusals(v, lambda one: Entry(un(one["raw"]), un(v["network"])).open(un(v["key"])))


def arrivals_file(v):
    epoch = Epoch(v["epoch"])
    known = [KeySet(un(raw), epoch.network, epoch.keys) for raw in v["keysets"]]
    return rows({a["what"]: (arrival(un(a["frame"]), epoch, known, v["now_ms"]), a["codes"]) for a in v["arrivals"]})


def keysets_refused(v):
    network, keys = un(v["network"]), {v["member"]: un(v["governance"])}
    return refusals(v, lambda one: KeySet(un(one["raw"]), network, keys))


def formulas_file(v):
    values = [(one["formula"], formula(one["formula"], one["n"]), one["value"]) for one in v["sound"]]
    return values + refusals(v, lambda one: formula(one["formula"], 7), "formula")


def onchain_file(v):
    found = []
    for word in v["words"]:
        one = Entry(un(word["sealed"]), un(v["network"]))
        body = loads(one.payload, 16384)[7]
        found.append(("epoch 0 of its network", sha(dumps(["tocsin/1/epoch", un(v["network"]), 0])), body[1]))
        body.pop(14, None)
        told = {"body_hash": sha(dumps(body)).hex(), "subject_key": sha(body[2]).hex()}
        told["author"] = one.author.encode().hex().ljust(64, "0")
        told["submit_by_ms"] = min(one.issued_ms + 600_000, body[11])
        found += rows({name: (got, word["told"][name]) for name, got in told.items()}, word["what"] + " ")
    return found


def statements_file(v):
    network, found = un(v["network"]), []
    for one in [*v["proposals"], *v["ballots"]]:
        of = Statement(un(one["sealed"]), network)
        public, signature = signed_by(one["governance_seed"], of.signed)
        told = {"value": of.said, "payload": of.payload.hex(), "hash": of.hash.hex(), "domain_tag": of.tag}
        told |= {"to_be_signed": of.signed.hex(), "sealed": one["sealed"][:-128] + signature.hex()}
        found += [("seal", code_of(of.open, public), ""), *rows({n: (got, one[n]) for n, got in told.items()})]
    for one in v["consents"]:
        payload = consent_payload(one["parent"], one["kind"], one["change"])
        verify(un(one["key"]), to_be_signed(one["domain_tag"], network, payload), un(one["signature"]))
        found += [(one["what"], (payload.hex(), "tocsin/1/consent"), (one["payload"], one["domain_tag"]))]
    for one in v["values"]:
        said, hash_ = value_of(un(one["raw"]))
        told = (said, hash_.hex(), epoch_of(network, said, hash_).hex(), "tocsin/1/value")
        found += [(one["what"], told, (one["value"], one["hash"], one["epoch"], one["domain_tag"]))]
    return found


def statements_refused(v):
    def judge(one):
        if one["kind"] == "value":
            return value_of(un(one["raw"]))
        tag = f"tocsin/1/{one['kind']}"
        return Statement(un(one["raw"]), un(v["network"]), tag).open(un(v["keys"][one["kind"]]))

    return refusals(v, judge)


def proposals_refused(v):
    found = [(one["what"], judged(v, one), ("", "")) for one in v["sound"]]
    return found + [(one["what"], judged(v, one), (one["code"], one.get("rule", ""))) for one in v["refused"]]


def epochs_file(v):
    found = []
    for one in v["certificates"]:
        got = epoch_certificate(v["epochs"][one["epoch"]], un(one["raw"]))
        found.append((one["what"], got, (one["committed"], one["next"])))
    return found


def epochs_refused(v):
    return [
        (one["what"], code_and_rule(v["epochs"][one["epoch"]], un(one["raw"])), (one["code"], one.get("rule", "")))
        for one in v["refused"]
    ]


FILES = {
    "entry-": entry_file,
    "keyset": keyset_file,
    "charter-signature": charter_signature_file,
    "charter": charter_file,
    "certificate-": certificate_file,
    "certificates-counted": counted_file,
    "alarms": alarms_file,
    "claim-": claim_file,
    "verdicts": lambda v: [(one["what"], verdict(one, v), one["verdict"]) for one in v["verdicts"]],
    "equivocation": equivocation_file,
    "frame-": lambda v: [("frame", frame(un(v["raw"]))[1], v["frame"])],
    "subjects": lambda v: [(one["text"], subject(un(one["raw"])), one) for one in v["subjects"]],
    "thresholds": thresholds_file,
    "onchain": onchain_file,
    "epoch-certificates": epochs_file,
    "refused-epoch-certificates": epochs_refused,
    "statements": statements_file,
    "refused-statements": statements_refused,
    "refused-proposals": proposals_refused,
    "refused-entries": entries_refused,
    "refused-keysets": keysets_refused,
    "refused-certificates": counted_file,
    "refused-frames": lambda v: refusals(v, lambda one: frame(un(one["raw"]))),
    "refused-claims": lambda v: refusals(v, lambda one: opened(one["claim"], un(one["blob"]))),
    "refused-subjects": lambda v: refusals(v, lambda one: subject(un(one["raw"]))),
    "refused-formulas": formulas_file,
    "refused-arrivals": arrivals_file,
    "refused": lambda v: refusals({"refused": v["cbor"]}, lambda one: loads(un(one["raw"]), 1 << 20)),
}
"""Start of a file's name → how it is read; the first that fits."""


def differences(path):
    """What this file says and the specification does not; a file of a kind unknown here differs."""
    read = next((read for start, read in FILES.items() if path.stem.startswith(start)), None)
    if read is None:
        return ["a kind of file that is unknown here"]
    try:
        found = read(json.loads(path.read_text("utf-8")))
    except Exception as error:  # a file that cannot be read is not what it says to be
        return [f"{type(error).__name__}: {error}"]
    return [f"{what}: {got!r} where the file has {said!r}" for what, got, said in found if got != said]


def main(folder):
    wrong = 0
    for path in sorted(Path(folder).glob("*.json")):
        found = differences(path)
        wrong += bool(found)
        print(f"{path.name}: {'ok' if not found else '; '.join(found)[:400]}")
    return int(wrong > 0 or not list(Path(folder).glob("*.json")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
