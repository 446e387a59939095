"""What is asked of a contract with OpenZeppelin's Pausable, and the words in which its access control refuses.

Facts of the published sources, v3 to v5; contracts of the years before tell of a pause as `Pause()` and do the same."""

from __future__ import annotations

import re

from adapters.evm.abi import Abi, keccak256
from adapters.evm.survey.generic import ROLES

PAUSABLE = Abi(
    [
        {"type": "function", "name": "paused", "inputs": [], "outputs": [{"type": "bool", "name": "stands"}]},
        {"type": "function", "name": "pause", "inputs": [], "outputs": []},
        {"type": "function", "name": "unpause", "inputs": [], "outputs": []},
    ]
)
SAYS_PAUSED = (keccak256(b"Paused(address)"), keccak256(b"Pause()"))
SAYS_UNPAUSED = (keccak256(b"Unpaused(address)"), keccak256(b"Unpause()"))
_OLD_ROLE = re.compile(r"AccessControl: account 0x[0-9a-f]{40} is missing role (0x[0-9a-f]{64})")
_SPOKEN_ROLE = re.compile(r"(?:must have|does not have the) (\w+) role", re.IGNORECASE)
_WORD_DIGITS = 64
STANDS_ALREADY = ("Pausable: paused", "Pausable: not paused")


def _selector(error: str) -> str:
    return "0x" + keccak256(error.encode())[:4].hex()


UNAUTHORIZED = _selector("AccessControlUnauthorizedAccount(address,bytes32)")
NO_OWNER = _selector("OwnableUnauthorizedAccount(address)")
UNMANAGED = _selector("AccessManagedUnauthorized(address)")
STANDS_ALREADY_ERRORS = (_selector("EnforcedPause()"), _selector("ExpectedPause()"))
_NAMES = {"0x" + keccak256(name.encode()).hex(): name for name in ROLES} | {"0x" + "00" * 32: "DEFAULT_ADMIN_ROLE"}


def right_missing(reason: str) -> str:
    """What the account would have to hold, "" where the refusal is about something else."""
    old, spoken = _OLD_ROLE.match(reason), _SPOKEN_ROLE.search(reason)
    if old:
        return _role(old[1])
    if reason.startswith(UNAUTHORIZED):
        return _role("0x" + reason[len(UNAUTHORIZED) + _WORD_DIGITS :])
    if spoken:
        return f"{spoken[1].upper()}_ROLE"
    if reason == "Ownable: caller is not the owner" or reason.startswith(NO_OWNER):
        return "the ownership"
    return "the leave of the access manager" if reason.startswith(UNMANAGED) else ""


def _role(digest: str) -> str:
    return _NAMES.get(digest, f"the role {digest}")


def stands_so_already(reason: str) -> bool:
    """A pause of what is paused, or its opposite."""
    return reason in STANDS_ALREADY or reason in STANDS_ALREADY_ERRORS
