"""Counting as another implementation does it, written from protocol/README.md alone: epochs, certificates, alarms.

The middle of checker.py. Needs PyNaCl and cbor2 and nothing of ours."""

import re

from checker_wire import Entry, KeySet, Refused, dumps, loads, need, sha, table

LEASES = {0: 43_200_000, 1: 43_200_000, 2: 43_200_000, 3: 21_600_000, 4: 3_600_000}
AHEAD_MS, FRAME_BYTES, CERTIFICATE_BYTES, KEYSETS_MOST = 60_000, 262_144, 196_608, 16
un = bytes.fromhex


def formula(text, n):
    """Reduced to one value V: what is left over is not of the grammar. What is of it, Python reads alike."""
    numbers = r"\b(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-6]|[nfQ])\b"
    shape = re.sub(r"\b(max|min)\b", "F", re.sub(numbers, "V", text)).replace(" ", "")
    while shape != (shape := re.sub(r"F\(V(,V)+\)|(?<!F)\(V\)|V[-+*]V", "V", shape)):
        pass
    need(len(text) <= 64 and shape == "V" and not re.search("[VF]", text), "bad-charter")
    names = {"n": n, "f": (n - 1) // 3, "Q": n - (n - 1) // 3, "max": max, "min": min}
    return eval(text.strip(" "), {"__builtins__": {}}, names)


class Epoch:
    def __init__(self, told):
        self.network, self.hash, members = un(told["network"]), told["hash"], told["members"]
        self.keys = {one["name"]: un(one["governance_key"]) for one in members}
        self.group = {one["name"]: one["group"] for one in members}
        self.silent = {one["name"] for one in members if one["suspended"]}
        self.seats = {g: {m for m in self.group if self.group[m] == g} - self.silent for g in self.group.values()}
        n = len(self.seats)
        self.f, self.q = (n - 1) // 3, n - (n - 1) // 3
        self.needed = {level: formula(told["formulas"][str(level)], n) for level in (2, 3, 4)}
        self.lease = {level: min(most, told["lease_ms"].get(str(level), most)) for level, most in LEASES.items()}
        self.sources = {one["id"]: (one["scope"], one["operator"]) for one in told["sources"]}

    def badly_timed(self, one):
        since, issued, expires = one.body["since_ms"], one.issued_ms, one.body["expires_ms"]
        return since > issued or expires - issued > self.lease[one.body["level"]]

    def eyes(self, opinions):
        """Scope → operators of the registered sources that these list."""
        found = {}
        for scope, operator in (self.sources.get(name, ("", "")) for one in opinions for name in one.body["sources"]):
            found.setdefault(scope, set()).add(operator)
        found.pop("", None)
        return found

    def one_operator(self, opinions):
        """The single operator behind these OBSERVED opinions ("" nobody), None where there is no such."""
        views = [set().union(*self.eyes([one]).values()) or {""} for one in opinions if one.body["basis"] == 2]
        together = set().union(*views)
        return together.pop() if len(views) == len(opinions) and len(together) == 1 else None

    def carriers(self, opinions, level):
        """Group → its counted opinions, or Refused where they do not reach the level's row."""
        groups, operators = {}, set()
        for one in sorted(opinions, key=lambda one: (one.author, one.version, one.seq)):
            if one.level >= level:
                groups.setdefault(self.group[one.author], []).append(one)
        need(len(groups) >= self.needed[level], "short-of-threshold")
        for name, held in list(groups.items()) if level == 2 else ():
            operator = self.one_operator(held)
            if operator in operators:
                del groups[name]
            operators |= set() if operator is None else {operator}
        views = [view for view in map(self.eyes, groups.values()) if view] if level > 2 else []
        everyone = {operator for view in views for of in view.values() for operator in of}
        for operator in everyone:
            need(sum(all(of - {operator} for of in view.values()) for view in views) >= self.f + 1, "source-rule")
        need(len(groups) >= self.needed[level] and (level == 2 or everyone), "source-rule")
        return groups


def certificate(raw, epoch, known):
    """`known`: KeySets that the receiver has."""
    said = table("Certificate", loads(raw, CERTIFICATE_BYTES))
    topic, level = [said["epoch"], said["subject"]["raw"], said["threat"]], said["level"]
    need(level >= 2)
    need(said["epoch"] == epoch.hash, "wrong-epoch")
    keysets, opinions = {}, []
    carried = [KeySet(un(one), epoch.network, epoch.keys) for one in said["keysets"] if len(one) > 64]
    for one in sorted([*known, *carried], key=lambda one: one.hash):
        keysets.setdefault(one.name, one)
    for one in (Entry(un(sealed), epoch.network) for sealed in said["entries"]):
        need(one.kind == 1, "mixed-certificate")
        keyset = keysets.get((one.author, one.version))
        need(keyset is not None and one.author in epoch.keys, "unknown-key")
        need(one.issued_ms <= keyset.said["expires_ms"], "bad-key")
        one.open(keyset.key)
        need(one.topic == topic, "mixed-certificate")
        need(one.level >= level, "short-of-threshold")
        need(not epoch.badly_timed(one), "lease-too-long")
        need(one.author not in epoch.silent, "bad-body")
        opinions.append(one)
    need(len({one.author for one in opinions}) == len(opinions), "duplicate-signer")
    groups, key = epoch.carriers(opinions, level), [un(topic[0]), un(topic[1]), topic[2], level]
    ends = sorted((max(one.body["expires_ms"] for one in held) for held in groups.values()), reverse=True)
    return {
        "id": sha(dumps(key)).hex(),
        "digest": sha(dumps([*key, sorted(one.hash for one in opinions)])).hex(),
        "groups": sorted(groups),
        "ends_ms": ends[epoch.needed[level] - 1],
        "newest_issued_ms": max(one.issued_ms for one in opinions),
        "tlp": max(one.body["tlp"] for one in opinions),
    }


def alarm(topic, words, epoch, now_ms):
    """(level, groups that carry it) of proven words, each author's latest opinion counted."""
    latest, through, told = {}, {}, {}
    for one in words:
        body = one.body
        if one.author in epoch.keys and [body["subject"]["raw"], body["threat"]] == topic:
            if one.kind == 2:
                through[one.author] = max(body["through_ms"], through.get(one.author, 0))
                for claim in body["claims"]:
                    told.setdefault((claim["type"], claim["id"]), set()).add(one.author)
            elif one.author not in latest or (one.version, one.seq) > (
                latest[one.author].version,
                latest[one.author].seq,
            ):
                latest[one.author] = one
    ranked = sorted(
        (min(through.get(one, 0) for one in seats) for seats in epoch.seats.values() if seats), reverse=True
    )
    point = ranked[epoch.q - 1] if len(ranked) >= epoch.q else 0
    gone = {
        name
        for name, by in told.items()
        if sum(bool(seats) and seats <= by for seats in epoch.seats.values()) >= epoch.q
    }

    def live(one):
        claims = {(claim["type"], claim["id"]) for claim in one.body["claims"]}
        return (
            one.body["epoch"] == epoch.hash
            and one.author not in epoch.silent
            and one.body["expires_ms"] > now_ms
            and one.issued_ms <= now_ms + AHEAD_MS
            and not epoch.badly_timed(one)
            and one.body["since_ms"] > point
            and not (claims and claims <= gone)
        )

    counted = [one for one in latest.values() if live(one)]
    for level in (4, 3, 2):
        try:
            return level, sorted(epoch.carriers(counted, level))
        except Refused:
            continue
    watching = sorted({epoch.group[one.author] for one in counted if one.level >= 1})
    return int(bool(watching)), watching


def frame(raw):
    parts = loads(raw, FRAME_BYTES)
    need(type(parts) is list and len(parts) == 2 and type(parts[0]) is int)
    need(f"frame {parts[0]}" in FRAMES, "unknown-critical")
    return parts[0], table(f"frame {parts[0]}", parts[1])


FRAMES = {f"frame {number}" for number in (*range(1, 11), 16, 17)}


def arrival(raw, epoch, known, now_ms):
    """The codes that a receiver refuses a frame, or parts of it, with."""
    keysets, codes = {one.name: one for one in known}, []

    def entry(raw):
        one = Entry(raw, epoch.network)
        need(one.author in epoch.keys, "unknown-author")
        keyset = keysets.get((one.author, one.version))
        need(keyset is not None, "unknown-key")
        need(one.issued_ms <= keyset.said["expires_ms"], "bad-key")
        one.open(keyset.key)
        need(one.kind != 1 or not epoch.badly_timed(one), "lease-too-long")
        need(one.kind != 1 or one.issued_ms <= now_ms + AHEAD_MS, "from-the-future")

    def delegation(raw):
        one = KeySet(raw, epoch.network, epoch.keys)
        need(
            one.name in keysets or sum(one.name[0] == name for name, _ in keysets) < KEYSETS_MOST, "author-over-budget"
        )
        keysets[one.name] = one

    def whole(raw):
        number, said = frame(raw)
        need(number != 1 or un(said["network"]) == epoch.network, "foreign-network")
        if number == 4:
            certificate(un(said["raw"]), epoch, known)
        for one in said["raws"] if number in (2, 5) else ():
            codes.extend(filter(None, [code_of(entry if number == 2 else delegation, un(one))]))

    return [*filter(None, [code_of(whole, raw)]), *codes]


def code_of(action, *given):
    """The code that this is refused with, "" where it is not."""
    try:
        action(*given)
    except Refused as refused:
        return str(refused)
    return ""
