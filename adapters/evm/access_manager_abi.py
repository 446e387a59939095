"""What is asked of OpenZeppelin's AccessManager (v5), and the words in which it refuses: facts of its source."""

from __future__ import annotations

from adapters.evm.abi import keccak256
from adapters.evm.survey.fragments import functions

MANAGER = functions(
    "isTargetClosed(address) bool",
    "hasRole(uint64,address) bool,uint32",
    "canCall(address,address,bytes4) bool,uint32",
    "getTargetAdminDelay(address) uint32",
    "getTargetFunctionRole(address,bytes4) uint64",
    "getSchedule(bytes32) uint48",
    "expiration() uint32",
    "hashOperation(address,address,bytes) bytes32",
    "setTargetClosed(address,bool)",
    "execute(address,bytes) uint32",
    "schedule(address,bytes,uint48) bytes32,uint32",
    "cancel(address,address,bytes) uint32",
)
SAYS_CLOSED = keccak256(b"TargetClosed(address,bool)")
SELECTOR_DIGITS, WORD_DIGITS = 10, 64
ADMIN_ROLE, PUBLIC_ROLE = 0, 2**64 - 1


def _selector(error: str) -> str:
    return "0x" + keccak256(error.encode())[:4].hex()


UNAUTHORIZED_ACCOUNT = _selector("AccessManagerUnauthorizedAccount(address,uint64)")
UNAUTHORIZED_CALL = _selector("AccessManagerUnauthorizedCall(address,address,bytes4)")
NOT_SCHEDULED = _selector("AccessManagerNotScheduled(bytes32)")
IN_THIS_MOMENT = (
    NOT_SCHEDULED,
    _selector("AccessManagerNotReady(bytes32)"),
    _selector("AccessManagerExpired(bytes32)"),
    _selector("AccessManagerAlreadyScheduled(bytes32)"),
)
"""A delay or a schedule is not what it was when it was read."""


def role_word(role: int) -> str:
    """Roles are numbers; a label that somebody gave one is no name to rely on."""
    return {ADMIN_ROLE: "ADMIN_ROLE", PUBLIC_ROLE: "PUBLIC_ROLE"}.get(role, f"role {role}")


def role_missing(reason: str) -> str:
    """The role that the account would have to hold at the manager, "" where the refusal is about something else."""
    if not reason.startswith(UNAUTHORIZED_ACCOUNT):
        return ""
    word = reason[SELECTOR_DIGITS + WORD_DIGITS :][:WORD_DIGITS]
    return role_word(int(word, 16)) if len(word) == WORD_DIGITS else "a role"


def operation_id(caller: bytes, target: bytes, data: bytes) -> bytes:
    """Under which the manager keeps what this caller scheduled."""
    return keccak256(MANAGER.function("hashOperation").encode((caller, target, data))[4:])
