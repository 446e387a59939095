"""The charter's one door for the rest of the house: read, write, sign, judge.

`create(cards, parameters) -> text`, `sign(text, member, signer, keyset) -> text`, `parse(text) -> Charter`
(CharterFaults), `check(charter, now_ms) -> CharterCheck`.
"""

from __future__ import annotations

from governance.charter_toml import create, parse, sign, write
from governance.checking import CharterCheck, check
from governance.faults import CharterFaults, FileFault
from governance.genesis import Charter, Contact, Parameters, epoch0_hash, found, identity, signed

__all__ = [
    "Charter",
    "CharterCheck",
    "CharterFaults",
    "Contact",
    "FileFault",
    "Parameters",
    "check",
    "create",
    "epoch0_hash",
    "found",
    "identity",
    "parse",
    "sign",
    "signed",
    "write",
]
