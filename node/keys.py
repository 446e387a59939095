"""Key files: one secret each, readable by the node's user alone, named for the one purpose it serves.

Where the owner has named a passphrase, they are sealed under it (`sealed_key`); others lie open, for their rights alone
to guard. Governance and attestation keys come back as a Signer that can only sign; transport, lever and evm seeds as a
Secret, because the libraries that use them want the bytes.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from node import mark, sealed_key
from node.passphrase import PassphraseFault, at_hand, passphrase
from protocol.crypto import KEY_BYTES, Signer

FORMAT = 1
KEYS_DIRECTORY = "keys"
FIRST_KEY_VERSION = 1
_FILE_BYTES_MAX = 4096


class Purpose(enum.Enum):
    GOVERNANCE = "governance"
    """Ed25519, cold: ballots and delegation. Belongs on another machine."""
    ATTESTATION = "attestation"
    """Ed25519, hot: seals the feed. Never without its mark."""
    TRANSPORT = "transport"
    """Ed25519: the libp2p identity."""
    LEVER = "lever"
    """secp256k1: sends transactions."""
    EVM = "evm"
    """secp256k1: says to contracts what the attestation key says to members. Pays for nothing."""


ALL = tuple(Purpose)
_ON_CHAINS = (Purpose.LEVER, Purpose.EVM)


class KeyFault(Exception):
    """A key file that may not be used: what, where and the line that cures it. Never shows a secret."""

    def __init__(self, what: str, path: Path, cure: str) -> None:
        super().__init__(f"{what} ({path}). {cure}")
        self.what = what
        self.path = path
        self.cure = cure


class Secret:
    """32 bytes that neither print nor pickle nor compare; `reveal` is where a reviewer looks."""

    __slots__ = ("_seed",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            raise ValueError(f"a secret has {KEY_BYTES} bytes, this one {len(seed)}")
        self._seed = bytes(seed)

    def reveal(self) -> bytes:
        return self._seed

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not copied or pickled")


def key_path(data_dir: Path, purpose: Purpose) -> Path:
    return data_dir / KEYS_DIRECTORY / f"{purpose.value}.key"


def mark_path(data_dir: Path) -> Path:
    return data_dir / mark.NAME


def public_of(purpose: Purpose, secret: Secret) -> bytes:
    """32 bytes Ed25519, or 33 bytes compressed secp256k1. ValueError for a scalar that is no secp256k1 key."""
    if purpose not in _ON_CHAINS:
        return bytes(Signer(secret.reveal()).public)
    # Imported here: a node without such keys never loads it.
    from coincurve import PrivateKey

    return bytes(PrivateKey(secret.reveal()).public_key.format(compressed=True))


def derive(purpose: Purpose, seed: bytes) -> Secret:
    """The same key for the same seed: for the local network and tests. A real member's keys are random."""
    return Secret(hashlib.sha256(f"tocsin/1/key/{purpose.value}/".encode() + seed).digest())


def new_keys(
    data_dir: Path,
    *,
    purposes: Iterable[Purpose] = ALL,
    seed: bytes | None = None,
    key_version: int = FIRST_KEY_VERSION,
) -> dict[Purpose, bytes]:
    """Writes `keys/PURPOSE.key` under `data_dir` and, with an attestation key, its mark; the public halves.

    Refuses (KeyFault) before writing anything if one of them exists. `seed`: 32 bytes, makes the keys deterministic.
    """
    if seed is not None and len(seed) != KEY_BYTES:
        raise KeyFault(f"a seed has {KEY_BYTES} bytes, this one {len(seed)}", data_dir, "Give 32 bytes.")
    wanted = tuple(purposes)
    for purpose in wanted:
        _refuse_existing(key_path(data_dir, purpose), purpose)
    make_directory(data_dir)
    made = {}
    for purpose in wanted:
        secret = Secret(secrets.token_bytes(KEY_BYTES)) if seed is None else derive(purpose, seed)
        made[purpose] = write_key(data_dir, purpose, secret, key_version=key_version)
    return made


def make_directory(data_dir: Path) -> None:
    """`keys/` under `data_dir`, 0700."""
    directory = data_dir / KEYS_DIRECTORY
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFault(f"no directory for keys: {error.strerror}", directory, "Make it, owned by the node.") from None


def _refuse_existing(path: Path, purpose: Purpose) -> None:
    if os.path.lexists(path):
        raise KeyFault(f"a {purpose.value} key exists already", path, "Keep it, or move it aside yourself first.")


def write_key(data_dir: Path, purpose: Purpose, secret: Secret, *, key_version: int = FIRST_KEY_VERSION) -> bytes:
    """Creates the file, 0600 and durable, never over another; the public half. An attestation key gets its mark."""
    path, public = key_path(data_dir, purpose), public_of(purpose, secret)
    _refuse_existing(path, purpose)
    if purpose is Purpose.ATTESTATION:
        # First: refuses a key that has signed already. A crash before the key is there leaves nothing that could sign.
        mark.write_first(mark_path(data_dir), Signer(secret.reveal()).public, key_version)
    _write(path, purpose, secret, public)
    return public


def next_path(data_dir: Path, purpose: Purpose, public: bytes) -> Path:
    """Where a fresh key lies until it is delegated and takes its place: without a mark it signs nothing."""
    return data_dir / KEYS_DIRECTORY / f"{purpose.value}-next-{public.hex()[:16]}.key"


def write_next(data_dir: Path, purpose: Purpose) -> bytes:
    """Makes a random one there, 0600 and durable; the public half."""
    make_directory(data_dir)
    secret = Secret(secrets.token_bytes(KEY_BYTES))
    public = public_of(purpose, secret)
    _write(next_path(data_dir, purpose, public), purpose, secret, public)
    return public


def write_apart(path: Path, purpose: Purpose) -> bytes:
    """A random key in a file of its own, to be carried to a node; KeyFault where the file exists."""
    _refuse_existing(path, purpose)
    secret = Secret(secrets.token_bytes(KEY_BYTES))
    public = public_of(purpose, secret)
    _write(path, purpose, secret, public)
    return public


def _write(path: Path, purpose: Purpose, secret: Secret, public: bytes) -> None:
    phrase = _phrase(path, "this key cannot be sealed") if at_hand() else None
    _write_file(path, _content(purpose, secret, public, phrase))


def _content(purpose: Purpose, secret: Secret, public: bytes, phrase: bytes | None) -> bytes:
    """Of the file: open, or sealed under the passphrase."""
    fields: dict[str, Any] = {"tocsin_key": FORMAT, "purpose": purpose.value}
    if phrase is None:
        fields |= {"secret": secret.reveal().hex(), "public": public.hex()}
    else:
        salt, nonce = secrets.token_bytes(sealed_key.SALT_BYTES), secrets.token_bytes(sealed_key.NONCE_BYTES)
        fields = sealed_key.sealed(purpose.value, public.hex(), secret.reveal(), phrase, salt, nonce)
    return json.dumps(fields, indent=1).encode() + b"\n"


def reseal(path: Path, phrase: bytes | None) -> bool:
    """The same key in the same place, sealed under `phrase`, or open where it is None; False where it was so already.
    Whole or not at all, and read back before it takes the place of what was there. KeyFault."""
    fields = _fields(_read_private(path), path)
    if phrase is None and fields["tocsin_key"] == FORMAT:
        return False
    purpose = next((one for one in Purpose if one.value == fields["purpose"]), None)
    if purpose is None:
        raise KeyFault("this is a key for nothing that is known", path, "Name a key file that tocsin wrote.")
    secret = _load(path, purpose)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    _write_file(fresh, _content(purpose, secret, bytes.fromhex(fields["public"]), phrase))
    try:
        if _secret_of(_fields(_read_private(fresh), fresh), fresh, phrase) != secret.reveal():
            raise KeyFault("what was written is not what was to be", fresh, "Look at the disk; the key is as it was.")
        fresh.replace(path)
        mark.sync_directory(path.parent)
    finally:
        fresh.unlink(missing_ok=True)
    return True


def opens(path: Path, phrase: bytes) -> bool:
    """False for a key that lies open. KeyFault where it is sealed and this does not open it."""
    fields = _fields(_read_private(path), path)
    if fields["tocsin_key"] == FORMAT:
        return False
    try:
        _secret_of(fields, path, phrase)
    except ValueError:
        raise KeyFault("the key file is damaged", path, "Take the copy that you keep.") from None
    return True


def _write_file(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        mark.sync_directory(path.parent)
    except OSError as error:
        raise KeyFault(f"the key cannot be written: {error.strerror}", path, "Mend the disk or its rights.") from None


def load_signer(path: Path, purpose: Purpose) -> Signer:
    """For governance and attestation; KeyFault unless the file is private, whole and of this purpose."""
    if purpose not in (Purpose.GOVERNANCE, Purpose.ATTESTATION):
        raise KeyFault(f"a {purpose.value} key is no signing key of the protocol", path, "Use load_secret.")
    return Signer(_load(path, purpose).reveal())


def load_secret(path: Path, purpose: Purpose) -> Secret:
    """For transport, lever and evm; KeyFault unless the file is private, whole and of this purpose."""
    if purpose not in (Purpose.TRANSPORT, *_ON_CHAINS):
        raise KeyFault(f"a {purpose.value} key never leaves its Signer", path, "Use load_signer.")
    return _load(path, purpose)


def load_outside(path: Path) -> bytes:
    """A secret that somebody else made, as it stands: its file has to be as private as ours. KeyFault."""
    found = _read_private(path)
    if not 0 < len(found) <= _FILE_BYTES_MAX:
        raise KeyFault(f"a secret has 1 to {_FILE_BYTES_MAX} bytes", path, "Name the file that holds it alone.")
    if b'"tocsin_key"' in found:
        raise KeyFault("this is a key of this node's own", path, "Name the file with the secret that others gave you.")
    return found


def _load(path: Path, purpose: Purpose) -> Secret:
    fields = _fields(_read_private(path), path)
    if fields["purpose"] != purpose.value:
        cure = f"Point the configuration at the {purpose.value} key."
        raise KeyFault(f"this is a {fields['purpose']} key and not a {purpose.value} key", path, cure)
    cure = "The file is damaged: take the copy that you keep, or make a fresh key and have it delegated."
    try:
        secret = Secret(_secret_of(fields, path))
        public = public_of(purpose, secret)
    except ValueError:
        raise KeyFault("the secret is not 32 bytes in hex that make a key", path, cure) from None
    if public.hex() != fields["public"]:
        raise KeyFault("the public half does not belong to the secret", path, cure)
    return secret


def _secret_of(fields: dict[str, Any], path: Path, phrase: bytes | None = None) -> bytes:
    """ValueError where it is none; the passphrase at hand opens it where none is given."""
    if fields["tocsin_key"] == FORMAT:
        return bytes.fromhex(fields["secret"])
    try:
        return sealed_key.opened(fields, phrase or _phrase(path))
    except sealed_key.WrongPassphrase:
        cure = "Name the passphrase that sealed it; if it does, the file was changed: take the copy that you keep."
        raise KeyFault("the passphrase does not open this key", path, cure) from None


def _phrase(path: Path, what: str = "this key is sealed") -> bytes:
    try:
        return passphrase()
    except PassphraseFault as fault:
        raise KeyFault(what, path, f"{str(fault)[0].upper()}{str(fault)[1:]}.") from None


def _read_private(path: Path) -> bytes:
    """The content; rights are asked of the open file, so that it cannot be swapped in between."""
    try:
        # NONBLOCK: a pipe in its place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyFault("no key is here", path, "Run `tocsin init`, or correct the path.") from None
    except OSError as error:
        raise KeyFault(f"the key cannot be opened: {error.strerror}", path, f"chmod 600 {path}") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise KeyFault("this is no regular file", path, "Name the key file itself.")
        if found.st_mode & 0o077:
            cure = f"chmod 600 {path}  (and make a fresh key, if others use this machine)"
            raise KeyFault("others than its owner can read or write this key", path, cure)
        return file.read(_FILE_BYTES_MAX + 1)


def _fields(raw: bytes, path: Path) -> dict[str, Any]:
    """What a key file of a known format says; of the texts that it must have, all are there."""
    cure = "Name a key file that tocsin wrote."
    try:
        content: Any = json.loads(raw) if len(raw) <= _FILE_BYTES_MAX else None
    except (ValueError, RecursionError):
        content = None
    format_ = content.get("tocsin_key") if type(content) is dict else None
    if type(format_) is not int or format_ not in (FORMAT, sealed_key.FORMAT):
        raise KeyFault(f"this is no tocsin key of format {FORMAT} or {sealed_key.FORMAT}", path, cure)
    texts = ("purpose", "public", "secret" if format_ == FORMAT else "sealed")
    if not all(type(content.get(name)) is str for name in texts):
        raise KeyFault("this key file lacks a field", path, cure)
    return dict(content)
