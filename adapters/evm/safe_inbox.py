"""The directory in which proposals to a Safe's owners lie, and their signatures come in: the node's alone.

A proposal is carried to the owners by whatever way they use; each signature comes back as one file of any name that
ends in `.json`."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.evm.safe_files import (
    Discarded,
    Done,
    FileFault,
    Proposal,
    Signature,
    parse_discarded,
    parse_done,
    parse_proposal,
    parse_signature,
)

FILE_BYTES_MAX = 64 * 1024
FILES_MAX = 512


@dataclass(frozen=True)
class Held:
    """What lies in a directory, by file name."""

    proposals: dict[str, Proposal] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)
    discarded: dict[str, Discarded] = field(default_factory=dict)
    done: dict[str, Done] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """Files that are none of these, each with why."""

    def signed(self, digest: bytes, owners: Sequence[bytes]) -> dict[bytes, bytes]:
        """Owner → signature of this hash, of those who are owners now."""
        return {one.owner: one.raw for one in self.signatures.values() if one.hash == digest and one.owner in owners}

    def files_of(self, one: Proposal) -> list[str]:
        """Itself, and the signatures on it."""
        return [one.name, *(name for name, word in self.signatures.items() if word.hash == one.tx.hash)]


class Inbox:
    """Blocking: call it in a thread. FileFault where the directory is not the node's alone, or cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ready(self) -> None:
        """Makes it, 0700; refuses one that others may enter: who can write there can hold signatures back."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = os.lstat(self.path)
        except OSError as error:
            raise FileFault(f"{self.path} is no directory for signatures: {error.strerror}") from None
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise FileFault(f"{self.path} must be a directory of this user alone: chmod 700")

    def read(self) -> Held:
        self.ready()
        held = Held()
        try:
            names = sorted(one.name for one in self.path.iterdir() if one.suffix == ".json")
        except OSError as error:
            raise FileFault(f"{self.path} cannot be read: {error.strerror}") from None
        for name in names[:FILES_MAX]:
            try:
                self._sort(name, held)
            except FileFault as fault:
                held.faults.append(f"{name[:80]} {fault}")
        if len(names) > FILES_MAX:
            held.faults.append(f"{len(names) - FILES_MAX} files more than the {FILES_MAX} that are read: tidy up")
        return held

    def _sort(self, name: str, held: Held) -> None:
        text = self._text(name)
        if name.endswith(".proposal.json"):
            held.proposals[name] = parse_proposal(text)
        elif name.endswith(".discarded.json"):
            held.discarded[name] = parse_discarded(text)
        elif name.endswith(".done.json"):
            held.done[name] = parse_done(text)
        else:
            held.signatures[name] = parse_signature(text)

    def _text(self, name: str) -> str:
        try:
            file = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(file, "rb") as stream:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise FileFault("is no plain file")
                raw = stream.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise FileFault(f"cannot be read: {error.strerror}") from None
        if len(raw) > FILE_BYTES_MAX:
            raise FileFault(f"is above {FILE_BYTES_MAX} bytes")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise FileFault("is no UTF-8 text") from None

    def write(self, name: str, text: str) -> None:
        """Whole or not at all, 0600."""
        part = self.path / f".{name}.part"
        try:
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(file, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(file)
            part.replace(self.path / name)
        except OSError as error:
            raise FileFault(f"{self.path} cannot be written to: {error.strerror}") from None

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise FileFault(f"{self.path / name} cannot be removed: {error.strerror}") from None
