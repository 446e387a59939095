"""How requests to a venue are signed: RFC 9421's own example, what is covered, and that no secret shows."""

import base64
import hashlib
import hmac

import pytest

from adapters.venue.factory import seed_of
from adapters.venue.note import Note, note_of
from adapters.venue.signing import (
    Hmac,
    HmacHeaders,
    MessageSignature,
    Request,
    authority_of,
    content_digest,
    signature_base,
)
from protocol.crypto import Signer, verify
from protocol.ids import ActionKey

PEM = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
"""test-key-ed25519 of RFC 9421, appendix B.1.4."""
SEED = seed_of(PEM)
NAMES = HmacHeaders("X-Key", "X-Time", "X-Nonce", "X-Sig")
OVER = ("timestamp", "nonce", "method", "path", "body_sha256")
POST = Request("POST", "https://venue.example/v1/pairs?x=1", b'{"a":1}', {"idempotency-key": "k", "x-other": "o"})


def test_the_example_of_rfc_9421_is_signed_as_it_says():
    """Appendix B.2.6."""
    covered = ["date", "@method", "@path", "@authority", "content-type", "content-length"]
    fields = {"date": "Tue, 20 Apr 2021 02:07:55 GMT", "content-type": "application/json", "content-length": "18"}
    parameters = f"({' '.join(f'{chr(34)}{one}{chr(34)}' for one in covered)});created=1618884473"
    parameters += ';keyid="test-key-ed25519"'
    base = signature_base("POST", "https://example.com/foo?param=Value&Pet=dog", fields, covered, parameters)
    wanted = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    assert base64.b64encode(Signer(SEED).sign(base)).decode() == wanted


def test_the_digest_is_that_of_rfc_9530():
    assert content_digest(b'{"hello": "world"}') == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"


def test_method_authority_path_query_body_and_idempotency_key_are_covered():
    said = MessageSignature("node-1", SEED).headers(POST, 1_700_000_000_123, "n0nce")
    inside = said["signature-input"]
    for one in ("@method", "@authority", "@path", "@query", "content-digest", "idempotency-key"):
        assert f'"{one}"' in inside
    assert "x-other" not in inside and ";created=1700000000;expires=1700000060" in inside
    assert ';nonce="n0nce";keyid="node-1";alg="ed25519";tag="tocsin"' in inside


@pytest.mark.parametrize(
    ("method", "url", "body", "key"),
    [
        ("PUT", POST.url, POST.body, "k"),
        ("POST", "https://other.example/v1/pairs?x=1", POST.body, "k"),
        ("POST", "https://venue.example/v1/pair?x=1", POST.body, "k"),
        ("POST", "https://venue.example/v1/pairs?x=2", POST.body, "k"),
        ("POST", POST.url, b'{"a":2}', "k"),
        ("POST", POST.url, POST.body, "other"),
    ],
    ids=("method", "authority", "path", "query", "body", "key"),
)
def test_whatever_is_changed_breaks_the_signature(method: str, url: str, body: bytes, key: str):
    said = MessageSignature("node-1", SEED).headers(POST, 1_700_000_000_123, "n0nce")
    parameters = said["signature-input"].removeprefix("sig1=")
    covered = [one.strip('"') for one in parameters[1 : parameters.index(")")].split(" ")]
    fields = {"content-digest": content_digest(body), "idempotency-key": key}
    signed = base64.b64decode(said["signature"][6:-1])
    public = Signer(SEED).public
    own = {"content-digest": content_digest(POST.body), "idempotency-key": "k"}
    good = signature_base(POST.method, POST.url, own, covered, parameters)
    assert verify(public, good, signed)
    assert not verify(public, signature_base(method, url, fields, covered, parameters), signed)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://Venue.Example/", "venue.example"),
        ("https://venue.example:443/", "venue.example"),
        ("https://venue.example:8443/", "venue.example:8443"),
        ("http://venue.example:443/", "venue.example:443"),
        ("http://[::1]:80/", "[::1]"),
    ],
)
def test_the_authority_is_lower_case_without_the_schemes_own_port(url: str, wanted: str):
    assert authority_of(url) == wanted


@pytest.mark.parametrize("base_64", [True, False])
def test_an_hmac_is_over_the_words_that_the_venue_wants_in_its_order(base_64: bool):
    said = Hmac("node-1", b"s" * 32, NAMES, OVER, "\n", base_64).headers(POST, 1_700_000_000_123, "n0nce")
    text = f"1700000000123\nn0nce\nPOST\n/v1/pairs?x=1\n{hashlib.sha256(POST.body).hexdigest()}"
    digest = hmac.new(b"s" * 32, text.encode(), hashlib.sha256).digest()
    assert said["x-sig"] == (base64.b64encode(digest).decode() if base_64 else digest.hex())
    assert (said["x-key"], said["x-time"], said["x-nonce"]) == ("node-1", "1700000000123", "n0nce")


def test_no_secret_is_in_any_repr():
    for signature in (MessageSignature("node-1", SEED), Hmac("node-1", b"s3cret" * 6, NAMES, OVER, "\n", True)):
        assert SEED.hex() not in repr(signature) and "s3cret" not in repr(signature) and "node-1" in repr(signature)


@pytest.mark.parametrize("raw", [SEED, SEED.hex().encode() + b"\n", PEM], ids=("bytes", "hex", "pem"))
def test_a_seed_is_read_from_what_people_have(raw: bytes):
    assert seed_of(raw) == SEED


@pytest.mark.parametrize("raw", [b"", SEED[:-1], SEED.hex().encode()[:-2], PEM.replace(b"MC4", b"MC5"), b"s3cret"])
def test_what_is_no_seed_is_said_without_it(raw: bytes):
    with pytest.raises(ValueError) as seen:
        seed_of(raw)
    assert "s3cret" not in str(seen.value) and "is no Ed25519 key" in str(seen.value)


# --- notes

SIGNATURE = MessageSignature("node-1", SEED)
NOTE = Note(ActionKey(b"\x0a" * 32), 1_700_000_000_000, True, "trading")


@pytest.mark.parametrize("before", ["trading", 1000, 0.5, True, None, 'ünï " \\'])
def test_a_note_is_read_back_whole(before: object):
    note = Note(NOTE.key, NOTE.until_ms, False, before)
    assert note_of(note.text(SIGNATURE.mark), SIGNATURE.mark) == note


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("0a0a", "0b0a", 1),
        lambda text: text.replace("human", "auto"),
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: f" {text}",
        lambda text: f"{text}\n",
        lambda text: "ops: false alarm",
        lambda text: None,
        lambda text: 7,
    ],
)
def test_other_words_are_no_note_of_ours(spoil):  # type: ignore[no-untyped-def]
    assert note_of(spoil(NOTE.text(SIGNATURE.mark)), SIGNATURE.mark) is None


def test_a_note_of_another_key_is_not_ours():
    assert note_of(NOTE.text(MessageSignature("node-1", bytes(32)).mark), SIGNATURE.mark) is None


@pytest.mark.parametrize("before", [{"a": 1}, [1], "x" * 70])
def test_what_is_too_much_to_note_is_refused(before: object):
    with pytest.raises(ValueError):
        Note(NOTE.key, 1, False, before).text(SIGNATURE.mark)
