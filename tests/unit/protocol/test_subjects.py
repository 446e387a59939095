"""One thing, one form: two implementers must not make two subjects of one asset."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.codec import encode
from protocol.errors import Code, ProtocolError
from protocol.limits import SUBJECT_BYTES_MAX
from protocol.subjects import CHAIN, Kind, Subject, account, asset, from_text, market, oracle, parse_subject, subject_of

A20 = bytes(range(20))
HEX = "0x" + A20.hex()
EVM = ("eip155", "1")

FORMS: dict[str, Subject] = {
    "eip155:1": subject_of(Kind.CHAIN, *EVM),
    "cosmos:cosmoshub-3": subject_of(Kind.CHAIN, "cosmos", "cosmoshub-3"),
    f"eip155:1:{HEX}": account("eip155:1", A20),
    f"eip155:1/erc20:{HEX}": asset("eip155:1", A20),
    "eip155:1/slip44:0x3c": asset("eip155:1", b"\x3c", "slip44"),
    f"tx:eip155:1:0x{'ab' * 32}": subject_of(Kind.TRANSACTION, *EVM, b"\xab" * 32),
    f"market:eip155:1:{HEX}/0x01": market("eip155:1", A20, b"\x01"),
    f"bridge:eip155:1:{HEX}>eip155:130": subject_of(Kind.BRIDGE, *EVM, A20, "eip155", "130"),
    f"oracle:eip155:1:{HEX}": oracle("eip155:1", A20),
    "domain:app.example.org": subject_of(Kind.DOMAIN, "app.example.org"),
    "domain:xn--bcher-kva.example": subject_of(Kind.DOMAIN, "xn--bcher-kva.example"),
    "pkg:npm/%40scope/name@1.2.3": subject_of(Kind.PACKAGE, "pkg:npm/%40scope/name@1.2.3"),
    "pkg:golang/google.golang.org/genproto": subject_of(Kind.PACKAGE, "pkg:golang/google.golang.org/genproto"),
    f"credential:{'cd' * 32}": subject_of(Kind.CREDENTIAL, b"\xcd" * 32),
}


@pytest.mark.parametrize("text", FORMS)
def test_text_and_bytes_tell_of_one_thing(text: str) -> None:
    subject = FORMS[text]
    assert from_text(text) == subject
    assert str(subject) == text
    assert parse_subject(subject.raw) == subject


def test_every_kind_has_a_form_here() -> None:
    assert {subject.kind for subject in FORMS.values()} == set(Kind)


def test_the_case_of_a_checksum_makes_no_second_subject() -> None:
    mixed = "0xA1290d69c65A6Fe4DF752f95823fae25cB99e5A7"
    assert from_text(f"eip155:1/erc20:{mixed}") == from_text(f"eip155:1/erc20:{mixed.lower()}")


def test_all_forms_differ() -> None:
    assert len({subject.raw for subject in FORMS.values()}) == len(FORMS)


def test_the_chain_a_subject_lives_on_is_told_and_none_where_there_is_none() -> None:
    assert asset("eip155:130", A20).chain == "eip155:130"
    assert FORMS["domain:app.example.org"].chain == ""


REFUSED: dict[str, tuple[Any, ...]] = {
    "no kind": (),
    "an unknown kind": (99, "x"),
    "kind zero": (0, "eip155", "1"),
    "a kind in words": ("asset", "eip155", "1"),
    "true for a kind": (True, "eip155", "1"),
    "a chain without reference": (1, "eip155"),
    "a chain with more": (1, "eip155", "1", "2"),
    "a namespace in capitals": (1, "EIP155", "1"),
    "a namespace too short": (1, "ei", "1"),
    "a namespace too long": (1, "namespace", "1"),
    "a reference too long": (1, "cosmos", "x" * 33),
    "an evm chain with a leading zero": (1, "eip155", "01"),
    "an evm chain in words": (1, "eip155", "one"),
    "an evm chain in other digits": (1, "eip155", "\u0661"),
    "an evm address of 19 bytes": (2, "eip155", "1", bytes(19)),
    "an address as text": (2, "eip155", "1", HEX),
    "an erc20 reference of 32 bytes": (3, "eip155", "1", "erc20", bytes(32)),
    "an empty asset reference": (3, "eip155", "1", "slip44", b""),
    "a coin type with a leading zero": (3, "eip155", "1", "slip44", b"\0\x3c"),
    "a coin type above 32 bits": (3, "bip122", "abc", "slip44", b"\1\0\0\0\0"),
    "a transaction of 31 bytes": (4, "eip155", "1", bytes(31)),
    "a market without id": (5, "eip155", "1", A20, b""),
    "a bridge to a far chain with a leading zero": (6, "eip155", "1", A20, "eip155", "0130"),
    "a bridge from elsewhere to a far chain with a leading zero": (6, "solana", "abc", A20, "eip155", "0130"),
    "a domain in capitals": (8, "App.example.org"),
    "a domain in letters that are not ASCII": (8, "bücher.example"),
    "a domain with a final dot": (8, "example.org."),
    "a domain of one label": (8, "localhost"),
    "a label that ends in a hyphen": (8, "a-.org"),
    "a label of 64 letters": (8, "a" * 64 + ".org"),
    "a domain with a newline": (8, "example.org\n"),
    "a package without type": (9, "pkg:/name"),
    "a package whose scheme is in capitals": (9, "PKG:npm/name"),
    "a package type in capitals": (9, "pkg:NPM/name"),
    "a package name in capitals where case means nothing": (9, "pkg:pypi/Django"),
    "a package name with _ where - is the same": (9, "pkg:pypi/a_b"),
    "a package with an empty segment": (9, "pkg:npm//name"),
    "a package with an escape that needs none": (9, "pkg:npm/%61bc"),
    "a package with an escape in small letters": (9, "pkg:npm/a%2fb"),
    "a package with qualifiers": (9, "pkg:npm/name?arch=x"),
    "a package with two versions": (9, "pkg:npm/name@1@2"),
    "a credential in the clear": (10, b"hunter2"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_another_form_is_refused(what: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_subject(encode(list(REFUSED[what])))
    assert caught.value.code is Code.BAD_SHAPE


@pytest.mark.parametrize("raw", [b"", b"\xff", encode({}), encode([1, "eip155", "1"]) + b"\0"])
def test_bytes_that_are_no_canonical_array_are_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_subject(raw)


def test_a_subject_over_its_bound_is_refused_unread() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_subject(bytes(SUBJECT_BYTES_MAX + 1))
    assert caught.value.code is Code.OVERSIZED


@pytest.mark.parametrize("raw", [None, "eip155:1", 7, [1, "eip155", "1"]])
def test_a_subject_is_a_byte_string(raw: object) -> None:
    with pytest.raises(ProtocolError):
        parse_subject(raw)


@pytest.mark.parametrize("text", ["", "eip155", "eip155:1/erc20:0x1", "credential:zz", "pkg:npm/", "domain:", "tx:1:2"])
def test_a_text_that_names_nothing_is_refused_with_a_word_about_it(text: str) -> None:
    with pytest.raises(ProtocolError):
        from_text(text)


def test_subjects_of_one_thing_are_equal_and_sort_by_their_bytes() -> None:
    assert asset("eip155:1", A20) == asset("eip155:1", A20)
    assert sorted(FORMS.values()) == sorted(FORMS.values(), key=lambda one: one.raw)


@pytest.mark.parametrize("raw", ["eip155", "eip155:01", "EIP155:1", ":", 1, b"eip155:1", "eip155:1:2"])
def test_a_chain_has_one_form(raw: object) -> None:
    with pytest.raises(ProtocolError):
        CHAIN.unpack(raw, "chain")


def test_a_chain_is_read_as_written() -> None:
    assert CHAIN.unpack("eip155:130", "chain") == "eip155:130"
