"""What is wrong with a file that people write: every fault at once, each with its place and its cure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class FileFault:
    """`where` is a key path like `member[2].governance`; `what` and `cure` are half sentences for people."""

    what: str
    where: str
    cure: str

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}; {self.cure}" if self.cure else f"{place}{self.what}"


class FileFaults(Exception):
    """All faults of one file; `faults` is never empty."""

    def __init__(self, faults: Iterable[FileFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(" · ".join(str(fault) for fault in self.faults))


class CardFaults(FileFaults):
    """A member card that cannot be used."""


class ApplicationFaults(FileFaults):
    """A joiner's application that cannot be used."""


class CharterFaults(FileFaults):
    """A charter that cannot be read or does not hold."""


def nearest(word: str, known: Iterable[str]) -> str:
    """ "did you mean …?" where something known is close, else the list of what is known."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(names) or 'nothing'}"
