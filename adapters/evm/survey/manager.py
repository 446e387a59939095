"""What an account could do at an AccessManager (OpenZeppelin v5), and through it: each call tried as it and as a
stranger."""

from __future__ import annotations

from typing import Any

from adapters.evm.abi import Event, keccak256
from adapters.evm.access_manager_abi import ADMIN_ROLE, MANAGER, NOT_SCHEDULED, PUBLIC_ROLE
from adapters.evm.client import ChainClient
from adapters.evm.survey.fragments import fragment
from adapters.evm.survey.generic import code_behind
from adapters.evm.survey.holders import DEFAULT_ADMIN
from adapters.evm.survey.look import STRANGER, Looker
from adapters.evm.survey.queue import QUEUED_MAX, logs_back, said_of
from adapters.evm.wire import Revert, ask_call

SOME_ROLE = 1
SCHEDULED = Event(
    "OperationScheduled",
    keccak256(b"OperationScheduled(bytes32,uint32,uint48,address,address,bytes)"),
    (("id", "bytes32"), ("nonce", "uint32")),
    (("due", "uint48"), ("caller", "address"), ("target", "address"), ("data", "bytes")),
)
AFTER = " (after a delay)"
"""Behind what the manager would take from the account once it was announced long enough before."""

Row = tuple[str, str, tuple[Any, ...]]


async def beyond(
    look: Looker, manager: bytes, contract: bytes, account: bytes, *, closes: bool
) -> tuple[int, tuple[str, ...]]:
    """How many calls were tried, and what those would do that are taken from the account and not from a stranger.
    `closes`: closing the contract is beyond the mandate too. ChainError."""
    rows = [*_of_manager(manager, contract), *_through(contract, await code_behind(look, contract))]
    if closes:
        rows.append(("close the contract", "setTargetClosed(address,bool)", (contract, True)))
    may: dict[str, None] = {}
    for says, call, args in rows:
        own, stranger = await look.tries(manager, call, args, account, STRANGER)
        if stranger and not own:
            may[says] = None
        elif stranger and own.startswith(NOT_SCHEDULED) and not stranger.startswith(NOT_SCHEDULED):
            may[says + AFTER] = None
    return len(rows), tuple(may)


async def scheduled(client: ChainClient, chain: str, manager: bytes) -> tuple[str, ...]:
    """What anybody has scheduled at the manager and may still execute, in sentences. ChainError."""
    found = {}
    for log in await logs_back(client, chain, manager, SCHEDULED.topic):
        told = SCHEDULED.decode(log.topics, log.data)
        if told is not None:
            found[told["id"]] = told
    newest = list(found)[-QUEUED_MAX:]
    if not newest:
        return ()
    said = await client.read(chain, *(ask_call(manager, MANAGER, "getSchedule", (one,)) for one in newest))
    return tuple(
        f"scheduled at the manager by 0x{found[one]['caller'].hex()}, to be executed from {due_s} s on: "
        f"0x{found[one]['target'].hex()} {said_of(found[one]['data'])}"
        for one, due_s in zip(newest, said.value)
        if not isinstance(due_s, Revert) and due_s
    )


def _of_manager(manager: bytes, contract: bytes) -> list[Row]:
    """Arguments that pass every other check, so that only the right decides."""
    pause = fragment("pause()")[0].function("pause").selector
    return [
        ("give anybody any of the manager's roles", "grantRole(uint64,address,uint32)", (ADMIN_ROLE, STRANGER, 0)),
        ("take the manager's roles from anybody", "revokeRole(uint64,address)", (ADMIN_ROLE, STRANGER)),
        ("let anybody call restricted functions", "setTargetFunctionRole(address,bytes4[],uint64)",
         (contract, [pause], PUBLIC_ROLE)),
        ("hand the contract to another authority", "updateAuthority(address,address)", (contract, manager)),
        ("close and open every other contract of the manager", "setTargetClosed(address,bool)", (STRANGER, True)),
        ("change who grants roles", "setRoleAdmin(uint64,uint64)", (SOME_ROLE, ADMIN_ROLE)),
        ("change who cancels what is scheduled", "setRoleGuardian(uint64,uint64)", (SOME_ROLE, ADMIN_ROLE)),
        ("change delays", "setGrantDelay(uint64,uint32)", (SOME_ROLE, 0)),
        ("change delays", "setTargetAdminDelay(address,uint32)", (contract, 0)),
    ]  # fmt: skip


def _through(contract: bytes, code: bytes) -> list[Row]:
    """What the contract takes from its manager: it may be its owner, or hold its roles."""
    calls: list[Row] = [
        ("give the contract's ownership to anybody", "transferOwnership(address)", (STRANGER,)),
        ("give anybody any of the contract's roles", "grantRole(bytes32,address)", (DEFAULT_ADMIN, STRANGER)),
        ("mint", "mint(address,uint256)", (STRANGER, 1)),
        ("replace the contract's code", "upgradeToAndCall(address,bytes)", (code, b"")),
        ("replace the contract's code", "upgradeTo(address)", (code,)),
    ]
    found = []
    for says, text, args in calls:
        abi, name = fragment(text)
        found.append((says, "execute(address,bytes) uint32", (contract, abi.function(name).encode(args))))
    return found
