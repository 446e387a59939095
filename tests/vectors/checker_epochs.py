"""Epoch certificates as another implementation checks them, written from governance/README.md.

A part of checker.py. Needs PyNaCl and cbor2 and nothing of ours."""

from checker_counting import formula, un
from checker_governance import (
    DAY,
    Broken,
    Statement,
    become,
    epoch_of,
    larger,
    may_be_voted,
    parent_of,
    quorum,
    rule,
    value_of,
)
from checker_wire import Entry, KeySet, Refused, loads, need, table, voted_two_ways

CERTIFICATE_BYTES = 196_608


def loosens(of, said):
    change, kind = said["change"], said["kind"]
    seats = {one["name"]: one for one in of["members"]}
    if kind == 2:
        return change["member"] in seats and not seats[change["member"]]["suspended"]
    if kind == 6:
        known = {one["id"]: one for one in of["sources"]}
        return bool(change["gone"]) or any(known.get(row["id"], row) != row for row in change["rows"])
    if kind != 5:
        return kind == 3
    shrinks = [change.get(f"{name}_delay_ms", at) < at for name, at in zip(("change", "loosen"), of["durations_ms"])]
    grows = [
        change.get(f"lease_{name}_ms", 0) > of["lease_ms"][level]
        for name, level in (("guard", "2"), ("isolate", "3"), ("halt", "4"))
    ]
    lower = [
        formula(change[name], n) < formula(of["formulas"][level], n)
        for name, level in (("guard", "2"), ("isolate", "3"), ("halt", "4"))
        if name in change
        for n in range(1, 257)
    ]
    return any(shrinks + grows + lower)


def delay_ms(of, said, own):
    if own:
        return 0
    slow = said["kind"] == 4 or loosens(of, said)
    return max(of["durations_ms"][:2]) if slow else of["durations_ms"][0]


def epoch_certificate(of, raw):
    """(groups that committed, the next epoch)"""
    told = table("EpochCertificate", loads(raw, CERTIFICATE_BYTES))
    network, seats = un(of["network"]), {one["name"]: one for one in of["members"]}
    said, hash_ = value_of(un(told["value"]))
    need((said["parent"], said["number"]) == (of["hash"], of["number"] + 1), "wrong-epoch")
    rule(said["activates_ms"] > of["activates_ms"], "ordered-in-its-time")
    made = [Statement(un(one), network, "tocsin/1/proposal") for one in told["proposals"]]
    proposals = {one.hash.hex(): one.said for one in made}
    need(len(made) == len(proposals) and sorted(proposals) == said["proposals"], "mixed-certificate")
    decided = {name for one in (of, *of["past"]) for name in one.get("made_of", ())}
    needs = {}
    for name, one in proposals.items():
        rule(name not in decided, "decided-once")
        parent = parent_of(of, one)
        own = may_be_voted(of, one, parent, seats)
        delay = delay_ms(of, one, own)
        early, late = one["opened_ms"] + delay, one["closes_ms"] + delay + 14 * DAY
        rule(early <= said["activates_ms"] <= late, "ordered-in-its-time")
        needs[name] = 0 if own else larger(of, parent)
    suspects = [(one["member"], one["key_version"]) for one in said["proofs"]]
    new = become(of, [proposals[name] for name in said["proposals"]], said["activates_ms"], suspects)
    count_ballots(of, told, proposals, needs, seats)
    committed = ordered(of, told, suspects, hash_, seats)
    return committed, following(of, said, new, epoch_of(network, said, hash_))


def count_ballots(of, told, proposals, needs, seats):
    votes = {name: {} for name in proposals}
    for raw in told["ballots"]:
        one = Statement(un(raw), un(of["network"]), "tocsin/1/ballot")
        ballot, member = one.said, one.said["member"]
        need(ballot["proposal"] in proposals, "mixed-certificate")
        proposal = proposals[ballot["proposal"]]
        parent = parent_of(of, proposal)
        need(member in seats and seats[member]["since"] <= parent["number"], "unknown-author")
        need(proposal["kind"] != 4 or proposal["change"]["member"] != member, "unknown-author")
        one.open(un(seats[member]["governance_key"]))
        need(ballot["vote"] == 1 and ballot["cast_ms"] <= proposal["closes_ms"], "mixed-certificate")
        need(member not in votes[ballot["proposal"]], "duplicate-signer")
        votes[ballot["proposal"]][member] = seats[member]["group"]
    for name, groups in votes.items():
        need(len(set(groups.values())) >= needs[name], "short-of-threshold")


def ordered(of, told, suspects, hash_, seats):
    network, keysets = un(of["network"]), {}
    keys = {name: un(one["governance_key"]) for name, one in seats.items()}
    for raw in told["keysets"]:
        one = KeySet(un(raw), network, keys)
        need(one.name not in keysets, "duplicate-signer")
        keysets[one.name] = one

    def opened(raw):
        one = Entry(un(raw), network)
        keyset = keysets.get((one.author, one.version))
        need(keyset is not None, "unknown-key")
        need(one.issued_ms <= keyset.said["expires_ms"], "bad-key")
        return one.open(keyset.key)

    need(len(told["proofs"]) == len(suspects), "mixed-certificate")
    for suspect, proof in zip(suspects, told["proofs"]):
        first, later = sorted((opened(proof["first"]), opened(proof["second"])), key=lambda one: one.seq)
        need((first.author, first.version) == (later.author, later.version) == suspect, "mixed-certificate")
        twice = first.seq == later.seq and first.hash != later.hash
        apart = later.seq == first.seq + 1 and un(later.prev) != first.hash
        need(twice or apart or voted_two_ways(first, later), "mixed-certificate")
    said, rounds = [], set()
    for one in map(opened, told["commits"]):
        mine = one.kind == 10 and (one.body["epoch"], one.body["value_hash"]) == (of["hash"], hash_.hex())
        need(mine, "mixed-certificate")
        said.append(one.author)
        rounds.add(one.body["round"])
    need(len(rounds) == 1, "mixed-certificate")
    need(len(set(said)) == len(said), "duplicate-signer")
    groups = {seats[name]["group"] for name in said}
    first = {group: min(name for name in seats if seats[name]["group"] == group) for group in groups}
    need(set(said) == set(first.values()), "mixed-certificate")
    need(len(groups) >= quorum(of), "short-of-threshold")
    return sorted(groups)


def following(of, said, new, hash_):
    past = {"hash": of["hash"], "number": of["number"], "q": quorum(of), "activates_ms": of["activates_ms"]}
    return {
        "number": said["number"],
        "hash": hash_.hex(),
        "parent": of["hash"],
        "activates_ms": said["activates_ms"],
        "members": [new["seats"][name] for name in sorted(new["seats"])],
        "formulas": new["formulas"],
        "lease_ms": {str(level): one for level, one in new["leases"].items()},
        "sources": [new["sources"][name] for name in sorted(new["sources"])],
        "durations_ms": new["durations"],
        "past": [{name: one[name] for name in past} for one in [past, *of["past"]]][:64],
        "left": new["left"][:1024],
    }


def code_and_rule(of, raw):
    try:
        epoch_certificate(of, raw)
    except Broken as broken:
        return "breaks-rule", str(broken)
    except Refused as refused:
        return str(refused), ""
    return "", ""
