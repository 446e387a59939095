"""From configuration to a venue's levers."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.section import Section
from adapters.venue.config import read_actions, read_scopes
from adapters.venue.http import Door
from adapters.venue.lever import Venue, VenueLever
from adapters.venue.openapi import Document
from adapters.venue.signing import OVER, Hmac, HmacHeaders, MessageSignature, Signature

SCHEMES = ("hmac-sha256", "rfc9421")
SECRET_BYTES_MIN = 16
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_KEY_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")
_SEED_IN_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HEADERS_NEVER = (
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "idempotency-key",
    "accept",
)


def target(name: str, keys: Section, shop: Shop) -> Instances:
    """`[target.NAME] kind = "venue.http"`: a lever for each action; no readings."""
    keys.text("kind")
    url, second = _base(keys, "url"), _base(keys, "second_url") if keys.raw("second_url") is not None else ""
    keys.text("chain", needed=False), keys.text("asset", needed=False)
    signature, ca = _signature(keys, shop), _ca(keys, shop)
    document = _document(keys, shop)
    if document is None:
        keys.raw("action"), keys.raw("scopes")
        return Instances()
    actions, scopes = read_actions(keys, document), read_scopes(keys, document)
    if not url or second is None or signature is None:
        return Instances()
    try:
        door = Door(signature, ca)
    except ValueError as wrong:
        keys.fault("ca_file", str(wrong))
        return Instances()
    venue = Venue(name, document, url, second, scopes)
    levers = {f"{name}:{one.declared.call}": VenueLever(venue, one, door) for one in actions}
    return Instances(levers=dict(levers), closers=(door.aclose,))


def _base(keys: Section, key: str) -> str | None:
    """https, or http to this machine alone; a path may follow, nothing else."""
    url = keys.url(key)
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        keys.fault(key, "must be an address without a query, a fragment or a password")
        return None
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        keys.fault(key, "must be https://: over http:// anybody on the way may answer for the venue")
        return None
    return url.rstrip("/")


def _document(keys: Section, shop: Shop) -> Document | None:
    file = keys.text("openapi")
    if file is None:
        return None
    try:
        return Document(shop.files(file))
    except OSError as broken:
        keys.fault("openapi", f"{file[:120]!r} cannot be read: {broken.strerror}")
    except ValueError as wrong:
        keys.fault("openapi", f"{file[:120]!r} {wrong}")
    return None


def _ca(keys: Section, shop: Shop) -> bytes | None:
    file = keys.text("ca_file", needed=False)
    if file is None:
        return None
    try:
        return shop.files(file)
    except OSError as broken:
        keys.fault("ca_file", f"{file[:120]!r} cannot be read: {broken.strerror}")
        return None


def _signature(keys: Section, shop: Shop) -> Signature | None:
    secret = _secret(keys, shop)
    table = keys.inner("sign")
    if table is None:
        return None
    scheme, key_id = table.word("scheme", SCHEMES), table.text("key_id")
    if key_id is not None and not _KEY_ID.match(key_id):
        table.fault("key_id", "must be 1 to 128 printable characters without a blank")
        key_id = None
    found = _hmac(table, keys, key_id, secret) if scheme == "hmac-sha256" else None
    if scheme == "rfc9421" and key_id is not None and secret is not None:
        try:
            found = MessageSignature(key_id, seed_of(secret))
        except ValueError as wrong:
            keys.fault("key_file", str(wrong))
    table.done()
    return found


def _secret(keys: Section, shop: Shop) -> bytes | None:
    file = keys.text("key_file")
    if file is None:
        return None
    try:
        return shop.outside(file)
    except (OSError, KeyError, ValueError) as broken:
        why = broken.strerror or "cannot be read" if isinstance(broken, OSError) else str(broken)
        keys.fault("key_file", f"{file[:120]!r}: {why}")
        return None


def _hmac(table: Section, keys: Section, key_id: str | None, raw: bytes | None) -> Signature | None:
    encoding = table.word("secret", ("text", "hex", "base64"))
    digest, join = table.word("digest", ("hex", "base64")), table.raw("join")
    over, names = table.raw("over"), _names(table)
    if type(over) is not list or not all(one in OVER for one in over) or not _sound(over):
        table.fault(
            "over", f"must list timestamp, method, path and body or body_sha256, and may list more of {', '.join(OVER)}"
        )
        over = None
    if join is not None and (type(join) is not str or len(join) > 1):
        table.fault("join", 'must be one character or none; left out it is "\\n"')
        join = None
    if None in (encoding, digest, over, names, key_id, raw):
        return None
    try:
        secret = _decoded(raw or b"", encoding or "")
    except ValueError as wrong:
        keys.fault("key_file", str(wrong))
        return None
    mark = "\n" if join is None else join
    return Hmac(key_id or "", secret, names or HmacHeaders("", "", "", ""), tuple(over), mark, digest == "base64")


def _sound(over: list[str]) -> bool:
    return {"timestamp", "method", "path"} <= set(over) and bool({"body", "body_sha256"} & set(over))


def _names(table: Section) -> HmacHeaders | None:
    inner = table.inner("headers")
    if inner is None:
        return None
    said = {one: inner.text(one, needed=one != "nonce") for one in ("key", "timestamp", "nonce", "signature")}
    inner.done()
    wrong = [one for one, name in said.items() if name and (not _HEADER.match(name) or name.lower() in _HEADERS_NEVER)]
    for one in wrong:
        inner.fault(one, "must be the name of a header, and none that HTTP or this lever needs for itself")
    given = [name.lower() for name in said.values() if name]
    if len(set(given)) != len(given):
        inner.fault("key", "two of them have one name")
    if wrong or len(set(given)) != len(given) or None in (said["key"], said["timestamp"], said["signature"]):
        return None
    return HmacHeaders(said["key"] or "", said["timestamp"] or "", said["nonce"] or "", said["signature"] or "")


def _decoded(raw: bytes, encoding: str) -> bytes:
    """The text of the error holds nothing of the secret."""
    text = raw.strip()
    try:
        if encoding == "hex":
            text = bytes.fromhex(text.decode("ascii"))
        elif encoding == "base64":
            text = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(f"is no {encoding}, as sign.secret says") from None
    if len(text) < SECRET_BYTES_MIN:
        raise ValueError(f"a secret below {SECRET_BYTES_MIN} bytes can be guessed")
    return text


def seed_of(raw: bytes) -> bytes:
    """An Ed25519 seed: 32 bytes, 64 hex digits, or a private key in PEM as openssl writes it."""
    text = raw.strip()
    if len(raw) == 32:
        return raw
    try:
        if text.startswith(b"-----BEGIN PRIVATE KEY-----"):
            der = base64.b64decode(b"".join(text.splitlines()[1:-1]), validate=True)
            seed = der.removeprefix(_SEED_IN_PKCS8) if der.startswith(_SEED_IN_PKCS8) else b""
        else:
            seed = bytes.fromhex(text.decode("ascii"))
    except (ValueError, binascii.Error):
        seed = b""
    if len(seed) != 32:
        raise ValueError("is no Ed25519 key: 32 bytes, 64 hex digits, or a PEM private key are expected")
    return seed
