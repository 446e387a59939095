"""Who may use this node's console and API over TCP: a name, a role, and of the token only an argon2id hash.

`data_dir/people.json`, 0600, written whole or not at all under a lock; a running node sees a change at once. A token
names its row, so that a guess at nobody costs no hash, and 32 random bytes are nothing to guess at.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from protocol.crypto import argon2id

T = TypeVar("T")
FILE_BYTES_MAX = 64 * 1024
PEOPLE_MAX = 64
ROLES = ("viewer", "operator", "releaser")
"""Each may do what those before it may."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
_TOKEN = re.compile(r"tocsin_([0-9a-f]{10})_([A-Za-z0-9_-]{43})\Z")
_SALT_BYTES, _SECRET_BYTES, _ID_BYTES = 16, 32, 5


class PeopleFault(Exception):
    """What is wrong with the list, and what to do."""


@dataclass(frozen=True)
class Person:
    """`id` names the token. `once`: good for one sign-in, after which the row is gone."""

    name: str
    role: str
    id: str
    salt: str
    hash: str
    made_ms: int
    once: bool = False

    def fits(self, secret: str) -> bool:
        """Some 30 ms and 16 MiB: never in the loop's own thread."""
        return hmac.compare_digest(hash_of(secret, bytes.fromhex(self.salt)), bytes.fromhex(self.hash))


def hash_of(secret: str, salt: bytes) -> bytes:
    return argon2id(secret.encode(), salt)


def split_token(token: str) -> tuple[str, str] | None:
    """(id, secret), or None for what was never a token of ours."""
    found = _TOKEN.match(token)
    return (found[1], found[2]) if found else None


def new_token() -> tuple[str, str, str]:
    """(token, id, secret)"""
    id_ = secrets.token_hex(_ID_BYTES)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip("=")
    return f"tocsin_{id_}_{secret}", id_, secret


def allows(role: str, wanted: str) -> bool:
    return ROLES.index(role) >= ROLES.index(wanted)


def read(path: Path) -> tuple[Person, ...]:
    """None listed where there is no file. PeopleFault for anything but a list of ours that only its owner can read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise PeopleFault(f"{path}: cannot be read: {error.strerror}; check path and rights") from None
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise PeopleFault(f"{path}: others than its owner can read or write it; chmod 600 {path}")
        raw = file.read(FILE_BYTES_MAX + 1)
    try:
        rows = json.loads(raw if len(raw) <= FILE_BYTES_MAX else b"")["people"]
        if type(rows) is not list:
            raise ValueError("no list")
        people = tuple(_person(row) for row in rows)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise PeopleFault(f"{path}: is no list of people; take it away and add them anew") from None
    return people[:PEOPLE_MAX]


def _person(row: dict[str, Any]) -> Person:
    person = Person(**row)
    texts = (person.name, person.role, person.id, person.salt, person.hash)
    sound = all(type(text) is str for text in texts) and type(person.once) is bool and type(person.made_ms) is int
    if not sound or person.role not in ROLES or _NAME.match(person.name) is None or not person.id:
        raise ValueError("no person")
    if len(bytes.fromhex(person.salt)) != _SALT_BYTES or len(bytes.fromhex(person.hash)) != 32:
        raise ValueError("no hash")
    return person


def add(path: Path, name: str, role: str, *, once: bool = False, another: bool = False) -> str:
    """The token, which is nowhere else from now on. PeopleFault where the name is taken or none. `another`: one more of
    somebody who is listed, and spelled as there: two tokens of one person are one person's."""
    if _NAME.match(name) is None:
        raise PeopleFault(f"{name!r} is no name: 1 to 64 characters of A-Z, a-z, 0-9 and . _ @ -")
    if role not in ROLES:
        raise PeopleFault(f"{role!r} is no role: one of {', '.join(ROLES)}")
    token, id_, secret = new_token()
    salt = secrets.token_bytes(_SALT_BYTES)
    person = Person(name, role, id_, salt.hex(), hash_of(secret, salt).hex(), int(time.time() * 1000), once)

    def added(people: tuple[Person, ...]) -> tuple[tuple[Person, ...], None]:
        same = [one for one in people if one.name.casefold() == name.casefold()]
        if same and not another:
            do = f"another token of the same person: --another; or first: tocsin person remove {same[0].name}"
            raise PeopleFault(f"{same[0].name} is listed already; {do}")
        if another and name not in [one.name for one in same]:
            raise PeopleFault(f"nobody called {name} is listed; leave --another out")
        if len(people) >= PEOPLE_MAX:
            raise PeopleFault(f"{PEOPLE_MAX} people are listed, which is all there may be; tocsin person remove NAME")
        return (*people, person), None

    _change(path, added)
    return token


def remove(path: Path, name: str) -> bool:
    """Every token of that person. Whether it was listed."""

    def removed(people: tuple[Person, ...]) -> tuple[tuple[Person, ...], bool]:
        left = tuple(one for one in people if one.name.casefold() != name.casefold())
        return left, len(left) < len(people)

    return _change(path, removed)


def spend(path: Path, person: Person) -> bool:
    """Takes a row away that was good for once; False where it was spent already."""

    def spent(people: tuple[Person, ...]) -> tuple[tuple[Person, ...], bool]:
        left = tuple(one for one in people if one.id != person.id)
        return left, len(left) < len(people)

    return _change(path, spent)


def signed_in(person: Person) -> tuple[str, Person]:
    """A fresh token for this life of the node, and whose it is; kept in no file."""
    token, id_, secret = new_token()
    salt = secrets.token_bytes(_SALT_BYTES)
    return token, replace(person, id=id_, salt=salt.hex(), hash=hash_of(secret, salt).hex(), once=False)


def _change(path: Path, change: Callable[[tuple[Person, ...]], tuple[tuple[Person, ...], T]]) -> T:
    with _locked(path):
        people, told = change(read(path))
        fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
        text = json.dumps({"people": [asdict(one) for one in people]}, indent=1) + "\n"
        try:
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            fresh.replace(path)
        except OSError as error:
            raise PeopleFault(f"{path}: cannot be written: {error.strerror}; check path, rights and space") from None
    return told


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PeopleFault(f"{path}: cannot be written: {error.strerror}; check path, rights and space") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
