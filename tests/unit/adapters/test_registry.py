"""Words for a registry: against other people's EIP-712 and secp256k1, and packed as the contract wants them."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from adapters.evm import eip712
from adapters.evm.eip712 import Domain, digest, message
from adapters.evm.evm_key import ORDER, EvmKey, signer_of
from adapters.evm.registry import (
    ShortError,
    address_in,
    alarm_call,
    alarm_values,
    ballots,
    epoch_values,
    group_in,
    key_words,
    keys_values,
    lift_call,
    lift_values,
    row_of,
    signed,
)
from protocol.crypto import Signer, sha256
from protocol.envelope import seal_entry
from protocol.ids import ZERO_HASH, MemberName
from protocol.messages import Attestation, Basis, Level, Release, Threat, Tlp
from protocol.subjects import asset
from tests.unit.contracts.registry_stage import NETWORK, NOW_MS, epoch_of, key_of, names_of, stage

DOMAIN = Domain(1, b"\x52" * 20)
EPOCH = epoch_of([(name, name) for name in names_of(7)])
WORDS = key_words(EPOCH, {MemberName(name): key_of(name).address for name in names_of(7)})
TOKEN = asset("eip155:1", b"\x11" * 20)


def opinion(author: str = "m00", **changed: Any) -> Any:
    body = {
        "epoch": EPOCH.hash,
        "subject": TOKEN,
        "threat": int(Threat.BRIDGE_FORGERY),
        "level": Level.ISOLATE,
        "basis": Basis.OBSERVED,
        "claims": (),
        "sources": (),
        "detector": "",
        "incident": "",
        "since_ms": NOW_MS,
        "expires_ms": NOW_MS + 3_600_000,
        "by_person": True,
        "tlp": Tlp.GREEN,
    } | changed
    return sealed(author, Attestation(**body))


def sealed(author: str, body: Any) -> Any:
    signer = Signer(sha256(author.encode()))
    return seal_entry(
        NETWORK,
        signer,
        author=MemberName(author),
        key_version=1,
        seq=3,
        prev=ZERO_HASH,
        issued_ms=NOW_MS,
        body=body,
    )


SAMPLES = {
    "Alarm": alarm_values(NETWORK, opinion().entry),
    "Lift": lift_values(NETWORK, sealed("m01", Release(EPOCH.hash, TOKEN, 33, NOW_MS, ())).entry),
    "Epoch": epoch_values(row_of(EPOCH), WORDS),
    "Keys": keys_values(bytes(NETWORK), EPOCH.hash, 1, WORDS[:3]),
}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_wallets_sign_what_we_sign(name: str) -> None:
    """eth_account encodes the same typed data by itself."""
    key, values = EvmKey(sha256(b"a wallet")), SAMPLES[name]
    theirs = encode_typed_data(full_message=message(DOMAIN, name, values))
    by_them = Account.sign_message(theirs, sha256(b"a wallet"))
    assert bytes(by_them.message_hash) == digest(DOMAIN, name, values)
    assert bytes(by_them.signature) == signed(DOMAIN, name, values, key)
    assert (
        Account.recover_message(theirs, signature=bytes(by_them.signature))
        == Account.from_key(sha256(b"a wallet")).address
    )
    assert signer_of(digest(DOMAIN, name, values), bytes(by_them.signature)) == key.address


def test_the_digests_never_change() -> None:
    """Signed words live in feeds and in wallets: as first published."""
    assert {name: digest(DOMAIN, name, values).hex() for name, values in SAMPLES.items()} == DIGESTS


def test_the_contract_has_the_domain_that_we_sign_for() -> None:
    scene = stage(4)
    assert scene.do("domain_separator") == scene.domain.separator


def test_every_type_has_a_hash_of_its_own() -> None:
    assert len({eip712.type_hash(name) for name in eip712.TYPES}) == len(eip712.TYPES)


def test_a_value_that_its_type_cannot_hold_is_refused() -> None:
    for field, bad in (("network", b"short"), ("seq", -1), ("seq", 2**256)):
        with pytest.raises((ValueError, OverflowError)):
            digest(DOMAIN, "Alarm", SAMPLES["Alarm"] | {field: bad})


def test_only_one_form_of_a_signature_is_known() -> None:
    key, told = EvmKey(b"\x07" * 32), sha256(b"told")
    good = key.sign(told)
    r, s, v = good[:32], int.from_bytes(good[32:64], "big"), good[64]
    assert signer_of(told, good) == key.address
    mirrored = r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    others = [mirrored, good[:64] + bytes([v - 27]), good[:64] + bytes([v + 8]), good[:64], good + b"\x00", bytes(65)]
    assert [signer_of(told, other) for other in others] == [None] * len(others)
    assert signer_of(told, bytes(64) + b"\x1b") is None
    assert signer_of(told[:31], good) is None


def test_a_key_shows_nothing_of_itself() -> None:
    key = EvmKey(b"\x07" * 32)
    assert "07" * 32 not in repr(key)
    with pytest.raises(TypeError, match="not copied"):
        pickle.dumps(key)
    for bad in (bytes(32), ORDER.to_bytes(32, "big"), b"short"):
        with pytest.raises(ValueError, match="not a secp256k1 private key"):
            EvmKey(bad)


# -- keys


def test_keys_ascend_and_name_their_groups() -> None:
    assert list(WORDS) == sorted(WORDS)
    by_address = {address_in(word): EPOCH.groups[group_in(word)] for word in WORDS}
    assert by_address == {key_of(name).address: name for name in names_of(7)}


def test_one_key_for_two_members_is_a_fault() -> None:
    with pytest.raises(ValueError, match="m00 and m01 have one evm key"):
        key_words(EPOCH, {MemberName("m00"): b"\x01" * 20, MemberName("m01"): b"\x01" * 20})


# -- calls


def said(names: tuple[str, ...], scene: Any, **changed: Any) -> list[Any]:
    told = [(alarm_values(NETWORK, opinion(name, **changed).entry), key_of(name)) for name in names]
    return [(values, signed(scene.domain, "Alarm", values, key)) for values, key in told]


def test_sealed_attestations_become_one_call() -> None:
    scene = stage()
    seven = names_of(7)
    words = [
        pair for i, name in enumerate(seven) for pair in said((name,), scene, expires_ms=NOW_MS + (i + 1) * 60_000)
    ]
    call = alarm_call(scene.domain, scene.words, scene.row, Level.ISOLATE, reversed(words))
    scene.do("alarm", *call)
    # the five that live longest: the first of them to expire is the third of seven
    assert scene.do("restricted_until", call[1], call[2]) == (NOW_MS + 180_000) // 1000


def test_what_would_be_refused_is_not_packed() -> None:
    scene = stage(suspended=("m06",))
    four = said(names_of(7)[:4], scene)
    for more in ([], said(("m06",), scene), said(("stranger",), scene), said(("m04",), scene, level=Level.GUARD), four):
        with pytest.raises(ShortError, match="4 groups"):
            alarm_call(scene.domain, scene.words, scene.row, Level.ISOLATE, [*four, *more])
    with pytest.raises(ValueError, match="several subjects"):
        mixed = [*four, *said(("m04",), scene, threat=32)]
        alarm_call(scene.domain, scene.words, scene.row, Level.ISOLATE, mixed)


def test_releases_become_one_call() -> None:
    scene = stage()
    words = []
    for i, name in enumerate(names_of(7)):
        values = lift_values(NETWORK, sealed(name, Release(EPOCH.hash, TOKEN, 33, NOW_MS - i, ())).entry)
        words.append((values, signed(scene.domain, "Lift", values, key_of(name))))
    call = lift_call(scene.domain, scene.words, scene.row, words)
    scene.do("lift", *call)
    assert scene.do("released_through", call[1], 33) == NOW_MS - 4
    with pytest.raises(ShortError, match="4 groups"):
        lift_call(scene.domain, scene.words, scene.row, words[:4])


def test_signatures_on_an_epoch_become_one_call() -> None:
    scene = stage()
    row = scene.next_row(epoch_of([(name, name) for name in names_of(7)], 1))
    values = epoch_values(row, scene.words)
    signatures = [signed(scene.domain, "Epoch", values, key_of(name)) for name in (*names_of(6), "m00", "stranger")]
    packed = ballots(scene.domain, "Epoch", values, scene.words, signatures)
    assert len(packed) == 6
    scene.do("advance", row.values, list(scene.words), packed)
    assert scene.do("epoch") == row.values


DIGESTS = {
    "Alarm": "067c22539214c73d05e32b1ca864d45c514c70759fc944edc1adee9d2c8dcd71",
    "Lift": "ed06d4e401f29708e3e8b24a40db573acccfa232c4be67fd42d9dcaa6668b3a1",
    "Epoch": "8dcfb6f4bfaa610cabce6797d2aa9a1cc14bff5a3af1c46ed86324ff3b061dfd",
    "Keys": "e676d1c0d9a4531a06ec0bb52888172d4115138f6287a5f00324d58db2282177",
}
