"""A venue's target: what it may say, held against the venue's document, all faults at once, none with a secret."""

from __future__ import annotations

import tomllib

import pytest
import trio

from adapters.api import ExpiresBy, Instances
from adapters.catalog import CatalogFaults, build
from protocol.ids import EpochHash, NetworkId
from protocol.membership import Epoch
from protocol.messages import Level
from tests.integration.venue.document import raw, target

EPOCH = Epoch(NetworkId(bytes(32)), 0, EpochHash(bytes(32)), 0, ())
GOOD = target("https://venue.example", "hmac-sha256")
MESSAGES = target("https://venue.example", "rfc9421")


def made(text: str, secret: bytes = b"s3cret" * 6, files: dict[str, bytes] | None = None) -> Instances:
    held = {"venue.json": raw()} | (files or {})

    def beside(name: str) -> bytes:
        if name not in held:
            raise FileNotFoundError(2, "No such file or directory")
        return held[name]

    async def run() -> Instances:
        found = build(tomllib.loads(text), lambda: EPOCH, lambda name: secret, lambda line: None, files=beside)
        for close in found.closers:
            await close()
        return found

    return trio.run(run)


def faults(text: str, **more: object) -> list[str]:
    with pytest.raises(CatalogFaults) as seen:
        made(text, **more)  # type: ignore[arg-type]
    return seen.value.faults


def test_a_venue_gives_a_lever_for_each_action_as_its_owner_declares_it():
    found = made(GOOD)
    calls = ("halt", "lock_withdrawals", "margin", "reduce_only", "suspend_keys")
    assert sorted(found.levers) == [f"exch:venue.{one}" for one in calls] and not found.readers
    said = {name.rpartition(".")[2]: lever.declared for name, lever in found.levers.items()}
    assert said["halt"].expires_by is ExpiresBy.TARGET and said["margin"].expires_by is ExpiresBy.NODE
    assert [one for one, what in sorted(said.items()) if what.blocks_exit] == [
        "halt",
        "lock_withdrawals",
        "suspend_keys",
    ]
    assert said["lock_withdrawals"].rung is Level.HALT and "POST /v1/pairs/{pair}/halt" in said["halt"].says


def test_the_document_is_needed_with_the_configuration_and_named():
    (fault,) = faults(GOOD.replace("venue.json", "other.json"))
    assert fault == "target.exch.openapi: 'other.json' cannot be read: No such file or directory"
    (fault,) = faults(GOOD, files={"venue.json": b"openapi: 3.1.0"})
    assert "'venue.json' is no JSON" in fault


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("https://venue", "http://venue", "url: must be https://"),
        ("https://venue.example", "https://u:p@venue.example", "url: must be an address without"),
        ("https://venue.example", "https://venue.example?key=1", "url: must be an address without"),
        ('op = "haltPair"', 'op = "haltpair"', "action.halt.apply.op: 'haltpair' is no operationId"),
        ('op = "haltPair"', 'op = "getPair"', "action.halt.apply.op: getPair is a GET"),
        ('{ op = "getPair", path', '{ op = "haltPair", path', "action.halt.read.op: haltPair is a POST"),
        ('{ pair = "WETH-USD" }', "{ }", "action.halt.apply.op: haltPair needs 'pair'"),
        ('{ pair = "WETH-USD" }', '{ pair = "../keys" }', "action.halt.apply: path.pair: it: is not as pattern"),
        ('{ pair = "WETH-USD" }', '{ pair = "{subject}" }', "action.halt.apply.path: '{subject}' stands for nothing"),
        ('{ pair = "WETH-USD" }', '{ pair = "WETH-USD", x = "1" }', "action.halt.apply: path: haltPair takes no 'x'"),
        ('until_ms = "{until_ms}", ', 'until_ms = "soon", ', "action.halt.read.until: is needed where"),
        ('until_ms = "{until_ms}", ', 'until = "{until_ms}", ', "action.halt.apply: body/until: is no field here"),
        ('reason = "{note}" } }\nlift', 'reason = "x" } }\nlift', "action.halt.apply: sends no {note}"),
        (', reason = "{note}" } }\nlift', " } }\nlift", "action.halt.apply: body: it: is not as required"),
        ('reason = "{note}" } }\nlift', 'reason = 7 } }\nlift', "action.halt.apply: body/reason: is not as type asks"),
        ('reason = "{note}" } }\nlift', 'reason = "{before}" } }\nlift', "action.halt.apply.body: '{before}' stands"),
        ('state = "/market/status"', 'state = "/market/state"', "action.halt.read.state: '/market/state' stands"),
        ('state = "/market/status"', 'state = "status"', "action.halt.read.state: must be a JSON pointer"),
        ('note = "/market/reason", ', "", "action.halt.read.note: is missing"),
        (', is = "halted"', "", "action.halt.read.is: give one of"),
        (', is = "halted"', ', is = "halted", at_least = 1', "action.halt.read.is: give one of"),
        (', lifted = "trading" }\nseen', " }\nseen", "action.halt.read.lifted: is needed"),
        (', lifted = "trading" }\nseen', ', lifted = "halted" }\nseen', "action.halt.read.lifted: must be what"),
        ("at_least = 5000", 'at_least = 5000, lifted = 1000', "action.margin.read.lifted: is needed"),
        ("margin_bps = 5000", "margin_bps = 50000", "action.margin.apply: body/margin_bps: is not as maximum"),
        ("action.halt]", "action.withdraw]", "action.withdraw: is no action"),
        ('rung = "HALT"', 'rung = "GUARD"', "action.halt.rung: 'GUARD' must be one of HALT"),
        ('closes = ["withdraw"]', 'closes = ["withdraw"]\nblocks_exit = false', "action.lock_withdrawals.blocks_exit"),
        ('key = "{action_key}"', 'key = "x"', "action.halt.seen: names no {action_key}"),
        ('rights = "/rights"', 'rights = "/scopes"', "scopes.rights: '/scopes' stands nowhere"),
        ('needs = ["trading:restrict"]', "needs = []", "scopes.needs: must be a list"),
        ('scheme = "hmac-sha256"', 'scheme = "md5"', "sign.scheme: 'md5' must be one of"),
        ('"method", "path", "body_sha256"]', '"method", "path"]', "sign.over: must list"),
        ('signature = "X-Signature"', 'signature = "Host"', "sign.headers.signature: must be the name"),
        ('signature = "X-Signature"', 'signature = "X-Api-Key"', "sign.headers.key: two of them"),
        ('secret = "text"', 'secret = "hex"', "key_file: is no hex"),
        ('key_id = "node-1"', 'key_id = "a b"', "sign.key_id: must be"),
        ('openapi = "venue.json"', 'openapi = "venue.json"\ntoken = "x"', "token: is no key here"),
    ],
)  # fmt: skip
def test_what_a_venue_may_not_say(old: str, new: str, says: str):
    assert old in GOOD
    found = faults(GOOD.replace(old, new, 1))
    assert any(one.startswith(f"target.exch.{says}") for one in found), found
    assert "s3cret" not in " ".join(found)


def test_all_faults_are_told_at_once():
    text = (
        GOOD.replace("https://venue", "http://venue")
        .replace("haltPair", "x")
        .replace("at_least = 5000", 'at_least = "x"')
    )
    said = " ".join(faults(text))
    assert "url:" in said and "action.halt.apply.op" in said and "action.margin.read.at_least" in said


def test_a_secret_that_can_be_guessed_or_is_no_seed_is_refused_without_showing_it():
    (fault,) = faults(GOOD, secret=b"s3cret")
    assert "can be guessed" in fault and "s3cret" not in fault
    (fault,) = faults(MESSAGES, secret=b"s3cret")
    assert "is no Ed25519 key" in fault and "s3cret" not in fault


def test_certificates_that_are_none_are_refused():
    (fault,) = faults(GOOD.replace("[target.exch]", '[target.exch]\nca_file = "ca.pem"'), files={"ca.pem": b"x"})
    assert "holds no certificates" in fault


def test_an_action_without_a_way_back_is_for_people_only():
    lift = GOOD[GOOD.index("lift = ", GOOD.index("action.suspend_keys")) :].partition("\n")[0]
    text = GOOD.replace(lift, "reversible = false").replace(
        'is = "suspended" }', 'is = "suspended", lifted = "active" }'
    )
    said = made(text).levers["exch:venue.suspend_keys"].declared
    assert not said.reversible and said.expires_by is ExpiresBy.HUMAN


def test_a_post_that_may_not_be_repeated_needs_a_record_by_key():
    bare = raw().replace(b'"parameters": [{"$ref": "#/components/parameters/Idempotency"}], ', b"")
    said = " ".join(faults(GOOD, files={"venue.json": bare}))
    assert "action.margin.apply: the document names no Idempotency-Key" in said
    assert "action.halt" not in said, "it has a record"
    assert "action.suspend_keys" not in said, "a PUT may be repeated"
