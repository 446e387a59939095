"""The judges of claims as another implementation has them, written from protocol/README.md alone.

Part of checker.py; needs nothing but it."""

from checker_wire import dumps

WATCH, GUARD, ISOLATE = 1, 2, 3
REFUTED, UNDECIDED = {"ruling": "refuted"}, {"ruling": "undecided"}


def bps(part, whole):
    return part * 10_000 // whole


def grade(share, isolate, guard):
    return ISOLATE if share >= isolate else GUARD if share >= guard else WATCH


def supports(subject, threat, level):
    return {"ruling": "supports", "subject": subject, "threat": threat, "level": level}


def numbers(value, names):
    return [int(value[name]) for name in names.split()]


def release(claim, read, bridge):
    burned, head, released, held, amount = (
        *numbers(read, "burned far_head_s released_at_s escrow_before"),
        int(claim["amount"]),
    )
    if bridge is None or read.get("log") != [claim[name] for name in ("escrow", "nonce", "recipient", "amount")]:
        return REFUTED
    if burned == amount and read["burned_to"] == claim["recipient"]:
        return REFUTED
    if head < released:
        return UNDECIDED
    return supports(bridge["asset"]["raw"], 34, grade(bps(amount, held or 1), 100, 1))


def backing(claim, read, bridge):
    supply, held, supply_before, held_before = numbers(read, "supply backing supply_before backing_before")
    if bridge is None:
        return REFUTED
    if int(read["far_head_s"]) < int(read["home_block_s"]):
        return UNDECIDED
    if supply <= held:
        return REFUTED
    now = grade(bps(supply - held, supply), 100, 10)
    before = grade(bps(max(0, supply_before - held_before), supply_before or 1), 100, 10)
    return REFUTED if before >= now > WATCH else supports(bridge["asset"]["raw"], 35, now)


def log(claim, read, _):
    if read.get("log") != [claim["address"], claim["topics"], claim["data_hash"]]:
        return REFUTED
    account = dumps([2, *claim["chain"].split(":"), bytes.fromhex(claim["address"])])
    return supports(account.hex(), int(claim["threat"]), WATCH)


def deviation(claim, read, feed):
    def share(price, references):
        usable = sorted(int(one) for one in references if int(one) > 0)
        middle = usable[(len(usable) - 1) // 2] if usable else 0
        return bps(abs(int(price) - middle), middle) if usable else 0

    now = share(read["price"], read["references"])
    before = share(read["price_before"], read["references_before"])
    if feed is None or now < 500 or grade(before, 2000, 500) >= grade(now, 2000, 500):
        return REFUTED
    return supports(feed["subject"]["raw"], 36, grade(now, 2000, 500))


JUDGES = {
    "evm-release-without-burn": (release, "bridge"),
    "evm-supply-above-backing": (backing, "bridge"),
    "evm-log": (log, ""),
    "evm-oracle-deviation": (deviation, "oracle"),
}


def verdict(one, register):
    judge, row = JUDGES[one["type"]]
    return judge(one["inputs"], one["read"], register.get(row) if one["registered"] else None)
