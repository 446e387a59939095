"""Governance as another implementation does it, written from governance/README.md: statements, values, rules.

A part of checker.py. Needs PyNaCl and cbor2 and nothing of ours."""

from checker_counting import formula, un
from checker_wire import TABLES, Refused, dumps, loads, need, sha, table, to_be_signed, unseal, verify
from nacl import bindings

DAY = 86_400_000
STATEMENT_BYTES, AHEAD_MS = 15_360, 60_000
LEASES = {2: 43_200_000, 3: 21_600_000, 4: 3_600_000}
NAMES = {"proposal": "Proposal", "ballot": "Ballot"}


class Broken(Exception):
    """A rule, by name."""


def rule(holds, name):
    if not holds:
        raise Broken(name)


class Statement:
    """A proposal or a ballot: which, its type tells, unless the reader was told."""

    def __init__(self, raw, network, tag=""):
        self.payload, self.signature = unseal(raw, STATEMENT_BYTES)
        fields = loads(self.payload, STATEMENT_BYTES)
        need(type(fields) is dict)
        self.tag = tag or f"tocsin/1/{ {1: 'proposal', 2: 'ballot'}[fields[1]] }"
        self.said = table(NAMES[self.tag.split("/")[-1]], fields)
        del self.said["type"]
        if "change" in self.said:
            self.said["change"] = table(f"change {self.said['kind']}", fields[7])
        self.signed = to_be_signed(self.tag, network, self.payload)
        self.hash = sha(self.signed)

    def open(self, key):
        verify(key, self.signed, self.signature)
        return self


def packed(name, said):
    """A map of names as a map of the wire; only what a change holds."""
    made = {}
    for key, (field, kind) in enumerate(TABLES[name], 1):
        one = said.get(field)
        if field == "rows":
            one = [packed("Source", row) for row in one]
        if one is not None:
            made[key] = un(one) if kind == "hash" else one
    return made


def consent_payload(parent, kind, change):
    return dumps({1: un(parent), 2: kind, 3: packed(f"change {kind}", change)})


def value_of(raw):
    fields = loads(raw, STATEMENT_BYTES)
    said = table("Value", fields)
    need(all(key < 64 for one in fields[4] for key in one))
    suspects = [(one["member"], one["key_version"]) for one in said["proofs"]]
    need(said["proposals"] == sorted(set(said["proposals"])) and suspects == sorted(set(suspects)))
    need(suspects or said["proposals"])
    return said, sha(dumps(["tocsin/1/value", raw]))


def epoch_of(network, said, hash_):
    return sha(dumps(["tocsin/1/epoch", network, said["number"], un(said["parent"]), hash_]))


def judged(v, one):
    """(code, rule) that a proposal is refused with in an epoch."""
    of = v["epochs"][one["epoch"]]
    said = Statement(un(one["raw"]), un(of["network"])).said
    try:
        possible(of, said, v["now_ms"])
    except Broken as broken:
        return "breaks-rule", str(broken)
    except Refused as refused:
        return str(refused), ""
    return "", ""


def possible(of, said, now_ms):
    seats = {one["name"]: dict(one) for one in of["members"]}
    opened_ms = said["opened_ms"]
    need(said["author"] in seats, "unknown-author")
    parent = parent_of(of, said)
    may_be_voted(of, said, parent, seats)
    become(of, [said], opened_ms + 1)
    need(opened_ms <= now_ms + AHEAD_MS, "from-the-future")


def parent_of(of, said):
    """An epoch of `past` with its Q, or this one."""
    parents = {of["hash"]: of, **{one["hash"]: one for one in of["past"]}}
    need(said["parent"] in parents, "wrong-epoch")
    return parents[said["parent"]]


def may_be_voted(of, said, parent, seats):
    """The rules on the proposal itself; whether it is its seat's own affair."""
    change, opened_ms = said["change"], said["opened_ms"]
    open_long = said["closes_ms"] <= opened_ms + 30 * DAY
    rule(parent["activates_ms"] <= opened_ms < said["closes_ms"] and open_long, "closes-within-30-days")
    own = consents(of, said, seats)
    if said["kind"] == 4 and change["member"] in seats:
        seat = seats[change["member"]]
        others = {one["group"] for one in seats.values() if one is not seat}
        if own:
            rested = not seat["keyed_ms"] or opened_ms >= seat["keyed_ms"] + of["durations_ms"][0]
            rule(rested, "key-rests-between-moves")
        else:
            rule(len(others) >= larger(of, parent), "others-can-reach-a-quorum")
    return own


def larger(of, parent):
    return max(quorum(of), parent.get("q", 0))


def quorum(of):
    n = len({one["group"] for one in of["members"]})
    return n - (n - 1) // 3


def consents(of, said, seats):
    """Whether the old key agrees too."""
    wanted = {said["change"]["key"]} if said["kind"] in (1, 4) else set()
    old = seats.get(said["change"].get("member"), {}).get("governance_key") if said["kind"] == 4 else None
    given = [one["key"] for one in said["consents"]]
    rule(len(set(given)) == len(given) and wanted <= set(given) <= wanted | {old}, "consents-of-new-keys")
    signed = to_be_signed(
        "tocsin/1/consent", un(of["network"]), consent_payload(said["parent"], said["kind"], said["change"])
    )
    for one in said["consents"]:
        try:
            verify(un(one["key"]), signed, un(one["signature"]))
        except Refused:
            rule(False, "consents-of-new-keys")
    return old in given


def become(of, proposals, at_ms, proofs=()):
    """The epoch that follows, without its names: seats, formulas, leases, durations, sources, left."""
    new = {"seats": {one["name"]: dict(one) for one in of["members"]}, "left": list(of["left"]), "at_ms": at_ms}
    new |= {"formulas": dict(of["formulas"]), "leases": {level: of["lease_ms"][str(level)] for level in LEASES}}
    new |= {"durations": list(of["durations_ms"]), "sources": {one["id"]: one for one in of["sources"]}}
    new |= {
        "number": of.get("number", 0) + 1,
        "touched": set(),
        "keys": {one["governance_key"] for one in of["members"]},
    }
    for name, version in proofs:
        rule(name in new["seats"], "seat-exists")
        seat = new["seats"][name]
        rule(not seat["suspended"] and version > seat["proven"], "changes-something")
        seat |= {"suspended": True, "proven": version}
        new["touched"].add(seat["group"])
    for said in proposals:
        CHANGES[said["kind"]](of, new, said["change"])
    n = len({one["group"] for one in of["members"]})
    rule(len(new["touched"]) <= max(1, (n - 1) // 3), "at-most-max-1-f-groups-change")
    thresholds(new)
    used = {chain for one in of.get("bridges", ()) for chain in (one["home"], one["far"])}
    used |= {one["chain"] for one in of.get("oracles", ())}
    lost = {one["scope"] for one in of["sources"]} - {one["scope"] for one in new["sources"].values()}
    rule(not used & lost, "every-chain-has-a-source")
    return new


def thresholds(new):
    n = len({one["group"] for one in new["seats"].values()})
    try:
        guard, isolate, halt = (formula(new["formulas"][str(level)], n) for level in (2, 3, 4))
    except Refused:
        raise Broken("thresholds-stay-valid") from None
    floors = guard >= max(2, (n - 1) // 3 + 1) and isolate >= n - (n - 1) // 3 and halt >= isolate
    rule(floors and (n < 4 or max(guard, isolate, halt) <= n), "thresholds-stay-valid")


def seat_of(new, name):
    rule(name in new["seats"], "seat-exists")
    return new["seats"][name]


def new_key(new, key):
    rule(bindings.crypto_core_ed25519_is_valid_point(un(key)), "key-is-free")
    rule(key not in new["keys"] | {one["governance_key"] for one in new["seats"].values()}, "key-is-free")


def admit(of, new, change):
    name = change["member"]
    taken = {*new["seats"], *(one["name"] for one in of["members"]), *of["left"]}
    rule(name not in taken, "name-is-free")
    new_key(new, change["key"])
    rule(len(new["seats"]) < 256, "room-for-one-more")
    new["seats"][name] = {"name": name, "group": change["group"], "governance_key": change["key"], "suspended": False}
    new["seats"][name] |= {"since": new["number"], "seated_ms": new["at_ms"], "keyed_ms": new["at_ms"], "proven": -1}
    new["touched"].add(change["group"])


def remove(of, new, change):
    seat = seat_of(new, change["member"])
    rule(len(new["seats"]) > 1, "somebody-stays")
    del new["seats"][seat["name"]]
    new["left"].insert(0, seat["name"])
    new["touched"].add(seat["group"])


def regroup(of, new, change):
    rule(len(set(change["members"])) == len(change["members"]), "changes-something")
    for name in change["members"]:
        seat = seat_of(new, name)
        rule(seat["group"] != change["group"], "changes-something")
        new["touched"].add(seat["group"])
        seat |= {"group": change["group"], "since": new["number"]}


def rekey(of, new, change):
    new_key(new, change["key"])
    seat = seat_of(new, change["member"])
    seat |= {"governance_key": change["key"], "keyed_ms": new["at_ms"]}
    new["touched"].add(seat["group"])


def retune(of, new, change):
    before = dumps([new["formulas"], list(new["leases"].items()), new["durations"]])
    for level, name in ((2, "guard"), (3, "isolate"), (4, "halt")):
        new["formulas"][str(level)] = change.get(name, new["formulas"][str(level)])
        lease = change.get(f"lease_{name}_ms")
        rule(lease is None or 1_000 <= lease <= LEASES[level], "leases-within-bounds")
        new["leases"][level] = new["leases"][level] if lease is None else lease
    bounds = [(0, 30), (0, 30), (1, 3660), (1, 3660)]
    for at, name in enumerate(("change_delay_ms", "loosen_delay_ms", "seat_term_ms", "silence_ms")):
        told = change.get(name, new["durations"][at])
        rule(name not in change or bounds[at][0] <= told <= bounds[at][1] * DAY, "durations-within-bounds")
        new["durations"][at] = told
    rule(before != dumps([new["formulas"], list(new["leases"].items()), new["durations"]]), "changes-something")


def register(of, new, change):
    named = [one["id"] for one in change["rows"]] + change["gone"]
    rule(named and len(set(named)) == len(named), "changes-something")
    for name in change["gone"]:
        rule(name in new["sources"], "changes-something")
        del new["sources"][name]
    for row in change["rows"]:
        rule(new["sources"].get(row["id"]) != row, "changes-something")
        new["sources"][row["id"]] = row
    rule(len(new["sources"]) <= 1024, "room-for-one-more")


def suspend(of, new, change):
    seat = seat_of(new, change["member"])
    rule(not seat["suspended"], "changes-something")
    seat["suspended"] = True
    new["touched"].add(seat["group"])


def reinstate(of, new, change):
    seat = seat_of(new, change["member"])
    half_ms = seat["seated_ms"] + of["durations_ms"][2] // 2
    rule(seat["suspended"] or new["at_ms"] >= half_ms, "changes-something")
    seat |= {"suspended": False, "seated_ms": new["at_ms"]}
    new["touched"].add(seat["group"])


CHANGES = {1: admit, 2: remove, 3: regroup, 4: rekey, 5: retune, 6: register, 7: suspend, 8: reinstate}
