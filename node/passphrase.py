"""Where the passphrase of sealed keys comes from: a private file or an agent's socket that the environment names, else
a person at the terminal. Never an argument and never the environment itself: others on the machine can read both."""

from __future__ import annotations

import functools
import getpass
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

VARIABLE = "TOCSIN_PASSPHRASE_FILE"
"""Names a file of the owner's alone, or the socket of `tocsin key agent`."""
BYTES_MAX = 1_024
CHARS_LEAST = 12
"""Of a passphrase that is chosen here; argon2id makes a guess dear, and a short one is still few guesses."""
ANSWER_S = 2.0
_PEER = struct.Struct("3i")


class PassphraseFault(Exception):
    """What, where, and what to do; never shows it."""


def at_hand() -> bool:
    """Whether fresh keys are sealed: the owner has said where the passphrase lies."""
    return bool(os.environ.get(VARIABLE))


def passphrase() -> bytes:
    named = os.environ.get(VARIABLE)
    if named:
        return _of(Path(named))
    if sys.stdin is not None and sys.stdin.isatty():
        return _asked()
    raise PassphraseFault(f"no passphrase is at hand; name its file or an agent's socket: {VARIABLE}=PATH")


@functools.cache
def _asked() -> bytes:
    """Once in a process, however many keys it opens."""
    return _fits(getpass.getpass("Passphrase of this member's keys: ").encode())


def chosen(named: Path | None = None) -> bytes:
    """To seal with: what `named` holds, else what is at hand, else asked for twice."""
    if named is not None:
        found = _of(named)
    elif at_hand():
        found = passphrase()
    elif sys.stdin is not None and sys.stdin.isatty():
        found = _fits(getpass.getpass("A passphrase for this member's keys: ").encode())
        if getpass.getpass("Once more: ").encode() != found:
            raise PassphraseFault("the two differ; nothing was done")
    else:
        raise PassphraseFault(f"no passphrase is at hand; name its file or an agent's socket: {VARIABLE}=PATH")
    if len(found.decode("utf-8", "replace")) < CHARS_LEAST:
        raise PassphraseFault(f"the passphrase has under {CHARS_LEAST} characters; take several words")
    return found


def _fits(raw: bytes) -> bytes:
    """Without the line's end that an editor leaves."""
    found = raw.rstrip(b"\r\n")
    if not 0 < len(found) <= BYTES_MAX:
        raise PassphraseFault(f"a passphrase has 1 to {BYTES_MAX} bytes")
    return found


def _of(path: Path) -> bytes:
    try:
        kind = path.stat()
        if stat.S_ISSOCK(kind.st_mode):
            return _fits(_from_agent(path))
        if not stat.S_ISREG(kind.st_mode):
            raise PassphraseFault(f"{path}: is neither a file nor a socket; correct {VARIABLE}")
        if kind.st_mode & 0o077:
            raise PassphraseFault(f"{path}: others can read or write it; chmod 600 {path}")
        with path.open("rb") as file:
            return _fits(file.read(BYTES_MAX + 2))
    except OSError as error:
        raise PassphraseFault(f"{path}: {error.strerror or error}; correct {VARIABLE}, or start the agent") from None


def _from_agent(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(ANSWER_S)
        wire.connect(str(path))
        found = b""
        while len(found) <= BYTES_MAX and (part := wire.recv(BYTES_MAX + 2)):
            found += part
        return found


def serve(path: Path, phrase: bytes, ready: Callable[[], None]) -> None:
    """The agent: gives it to processes of its own user until it is interrupted, and takes its socket away. OSError
    where the socket cannot be made; one that a dead agent left is replaced, anything else is not."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode) and not _answers(path):
            path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        try:
            listener.listen(16)
            ready()
            while True:
                _answer(listener, phrase)
        finally:
            path.unlink(missing_ok=True)


def _answer(listener: socket.socket, phrase: bytes) -> None:
    wire, _ = listener.accept()
    with wire, suppress(OSError):
        wire.settimeout(ANSWER_S)
        if _is_ours(wire):
            wire.sendall(phrase)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(ANSWER_S)
        return wire.connect_ex(str(path)) == 0


def _is_ours(wire: socket.socket) -> bool:
    """Whoever runs as somebody else, root aside, is given nothing, even where the socket's rights were widened."""
    asked = getattr(socket, "SO_PEERCRED", None)
    if asked is None:
        return True
    _, user, _ = _PEER.unpack(wire.getsockopt(socket.SOL_SOCKET, asked, _PEER.size))
    return user in (0, os.getuid())
