"""Files that hold a password: owner-only, read when needed, named in errors and never quoted."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from adapters.api import LeverOrder

BYTES_MAX = 1_024
OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class SecretFault(Exception):
    """Why a file is not taken; without anything of what is in it."""


class Password:
    """Not shown, not copied."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "<password>"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Password is not copied or pickled")


def read_password(path: Path) -> Password:
    """The first line of a regular file of ours or root's that nobody else may read. SecretFault."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            seen = os.fstat(descriptor)
            raw = file.read(BYTES_MAX + 1) if stat.S_ISREG(seen.st_mode) else b""
    except OSError as broken:
        raise SecretFault(f"{path}: {broken.strerror or 'cannot be read'}") from None
    if not stat.S_ISREG(seen.st_mode) or seen.st_uid not in (os.geteuid(), 0) or seen.st_mode & OTHERS:
        raise SecretFault(f"{path}: must be a file of this user (or root) that nobody else may read: chmod 600")
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(raw) > BYTES_MAX or any(ord(one) < 32 for one in text):
        raise SecretFault(f"{path}: one line with a password is expected, at most {BYTES_MAX} bytes")
    return Password(text)


class FreshPassword:
    """Where a new password is left for whoever needs it. It lies beside the file, under its action's key, until the
    database has taken it: a node that dies between finds it again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fault(self) -> str:
        """Why nothing may be left there, "" where it may."""
        try:
            seen = self.path.parent.stat()
        except OSError as broken:
            return f"{self.path.parent}: {broken.strerror or 'cannot be read'}"
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid not in (os.geteuid(), 0) or seen.st_mode & WRITABLE_BY_OTHERS:
            return f"{self.path.parent}: must be a folder of this user that nobody else may write: chmod 700"
        return "" if os.access(self.path.parent, os.W_OK | os.X_OK) else f"{self.path.parent}: is not ours to write"

    def _next(self, order: LeverOrder) -> Path:
        return self.path.with_name(f".{self.path.name}.{order.action_key.hex()[:32]}.next")

    def make(self, order: LeverOrder) -> Password:
        """256 random bits, durable beside the file. SecretFault."""
        made, path = Password(secrets.token_urlsafe(32)), self._next(order)
        try:
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(made.reveal().encode() + b"\n")
                file.flush()
                os.fsync(descriptor)
            self._sync()
        except OSError as broken:
            raise SecretFault(f"{path}: {broken.strerror or 'cannot be written'}") from None
        return made

    def keep(self, order: LeverOrder) -> bool:
        """The database has it: it takes its place. False where it is not there, and was not before. SecretFault."""
        try:
            self._next(order).replace(self.path)
            self._sync()
        except FileNotFoundError:
            return self.path.exists()
        except OSError as broken:
            raise SecretFault(f"{self.path}: {broken.strerror or 'cannot be written'}") from None
        return True

    def drop(self, order: LeverOrder) -> None:
        """The database has not taken it."""
        with contextlib.suppress(OSError):
            self._next(order).unlink(missing_ok=True)

    def end(self, order: LeverOrder) -> None:
        """It opens nothing any more."""
        self.drop(order)
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _sync(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
