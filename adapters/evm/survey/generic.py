"""Contracts of no known family, by the interfaces that they show: Ownable, AccessControl, AccessManaged, Pausable,
proxies (ERC-1967), a Safe, a timelock. What stops when such a contract pauses stands in its source and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.evm.abi import keccak256
from adapters.evm.errors import ChainDown
from adapters.evm.survey.aave import ANYBODY
from adapters.evm.survey.facts import Control, Holder, Place, Right
from adapters.evm.survey.holders import DEFAULT_ADMIN, delay_words, holder, holders, owner_of, role_holders
from adapters.evm.survey.look import ADMIN_SLOT, IMPLEMENTATION_SLOT, STRANGER, Looker, as_address
from adapters.evm.survey.queue import SCHEDULED, pending

ROLES = ("PAUSER_ROLE", "GUARDIAN_ROLE", "EMERGENCY_ROLE", "OPERATOR_ROLE", "MINTER_ROLE", "UPGRADER_ROLE")
"""Names in use; a role is a hash, and others cannot be guessed."""
SELECTOR_PAUSE = keccak256(b"pause()")[:4]


async def place(look: Looker, address: bytes) -> Place:
    found = await holder(look, address)
    if found.kind in ("nobody", "account"):
        return Place(address, f"{found.says}: nothing stands here that could be restricted")
    if found.kind == "safe":
        return await _safe(look, found)
    if found.kind == "timelock":
        return await _timelock(look, found)
    return await _contract(look, address)


async def _contract(look: Looker, address: bytes) -> Place:
    who = await _who(look, address)
    lost = [name for name, held in who.items() if held is None]
    unknown = [f"who holds {name}: no connection gives the past; try --holder ADDRESS" for name in lost]
    rights = {name: held for name, held in who.items() if held}
    paused = await look.view(address, "paused() bool")
    controls, told = await _pause(look, address, rights, bool(paused)) if paused is not None else ([], [])
    if paused is not None:
        unknown.append("which ways a pause closes: that is in the contract's source; name them in the policy yourself")
    else:
        unknown.append("no paused() here: what could stop it, if anything, is in the contract's source")
    return Place(
        address,
        await _what(look, address),
        tuple(controls),
        tuple([await _right(look, address, name, held) for name, held in rights.items()]),
        (),
        (*await _proxy(look, address), *told),
        tuple(unknown),
    )


async def _what(look: Looker, address: bytes) -> str:
    symbol, name = await look.text(address, "symbol"), await look.text(address, "name")
    return f"{name} ({symbol})" if symbol else name or "a contract of no known family"


async def _who(look: Looker, address: bytes) -> dict[str, list[bytes] | None]:
    found: dict[str, list[bytes] | None] = {}
    if await look.view(address, "supportsInterface(bytes4) bool", bytes.fromhex("7965db0b")):  # IAccessControl
        for name in (*ROLES, "DEFAULT_ADMIN_ROLE"):
            role = DEFAULT_ADMIN if name == "DEFAULT_ADMIN_ROLE" else keccak256(name.encode())
            found[name] = await role_holders(look, address, role)
    owner = await owner_of(look, address)
    if owner is not None:
        found["owner"] = [owner]
    manager = as_address(await look.view(address, "authority() address"))
    if manager is not None:
        may = [one for one in look.extra if await _manager_lets(look, manager, one, address)]
        found[f"access manager 0x{manager.hex()} lets pause() at once"] = may or None
    return found


async def _manager_lets(look: Looker, manager: bytes, who: bytes, target: bytes) -> bool:
    answer = await look.view(manager, "canCall(address,address,bytes4) bool,uint32", who, target, SELECTOR_PAUSE)
    return bool(answer and answer[0])


async def _pause(
    look: Looker, address: bytes, rights: Mapping[str, list[bytes]], stands: bool
) -> tuple[list[Control], list[str]]:
    asked = sorted({one for held in rights.values() for one in held} | set(look.extra))
    call = "unpause()" if stands else "pause()"
    stranger, *said = await look.tries(address, call, (), STRANGER, *asked)
    may = {one for one, why in zip(asked, said) if not why}
    by = tuple(name for name, held in rights.items() if may.issuperset(held))
    by += tuple(f"0x{one.hex()}" for one in sorted(may & set(look.extra)))
    ends = "by unpause() of its right: with nobody awake it stays"
    control = Control("pause", "pause()", "", (ANYBODY,) if not stranger else by, (), (), True, ends, stands)
    told = [] if by or not stranger else [f"nobody that was tried can {call}: its right is another one"]
    return [control], [*told, *([f"anybody can {call}"] if not stranger else [])]


async def _right(look: Looker, address: bytes, name: str, held: list[bytes]) -> Right:
    (why,) = await look.tries(address, "unpause()", (), held[0])
    _, also = await beyond(look, address, held[0])
    return Right(name, await holders(look, held), (*(() if why else ("lift a pause",)), *also))


async def beyond(look: Looker, address: bytes, account: bytes) -> tuple[int, tuple[str, ...]]:
    """How many calls beyond pausing and lifting were tried as this account, and what those do that were taken from it
    and not from a stranger: a contract that takes anything from anybody says nothing of a right."""
    code = await code_behind(look, address)
    rows: list[tuple[str, str, tuple[Any, ...]]] = [
        ("give its ownership to anybody", "transferOwnership(address)", (STRANGER,)),
        ("give anybody any of its roles", "grantRole(bytes32,address)", (DEFAULT_ADMIN, STRANGER)),
        ("mint", "mint(address,uint256)", (STRANGER, 1)),
        ("replace its code", "upgradeTo(address)", (code,)),
        ("replace its code", "upgradeToAndCall(address,bytes)", (code, b"")),
    ]
    may: list[str] = []
    for says, call, args in rows:
        own, stranger = await look.tries(address, call, args, account, STRANGER)
        if not own and stranger and says not in may:
            may.append(says)
    return len(rows), tuple(may)


async def code_behind(look: Looker, address: bytes) -> bytes:
    """What an upgrade is tried with: proxies refuse an address without code, whoever asks."""
    try:
        return as_address((await look.slot(address, IMPLEMENTATION_SLOT))[12:]) or STRANGER
    except ChainDown:  # not every endpoint shows storage
        return STRANGER


async def _proxy(look: Looker, address: bytes) -> list[str]:
    """ERC-1967: whoever may replace the code may do everything."""
    try:
        behind = as_address((await look.slot(address, IMPLEMENTATION_SLOT))[12:])
        admin = as_address((await look.slot(address, ADMIN_SLOT))[12:])
    except ChainDown:  # not every endpoint shows storage
        return ["whether it is a proxy, whose code somebody may replace, was not to be read here"]
    if behind is None:
        return []
    by = "its own upgrade function" if admin is None else await _admin_words(look, admin)
    return [f"a proxy for 0x{behind.hex()}: its code is replaced by {by}"]


async def _admin_words(look: Looker, admin: bytes) -> str:
    """A ProxyAdmin is owned by somebody in turn."""
    owner = await owner_of(look, admin)
    last: Holder = await holder(look, owner or admin)
    return f"0x{last.address.hex()}, {last.says}"


async def _safe(look: Looker, found: Holder) -> Place:
    first = (1).to_bytes(20)
    modules = await look.view(found.address, "getModulesPaginated(address,uint256) address[],address", first, 32)
    listed = modules[0] if modules else ()
    said = [f"module {one}: it may act without the owners" for one in listed]
    nonce = await look.view(found.address, "nonce() uint256")
    signed = f"what its owners signed beforehand and keep: ask them; it is valid at nonce {nonce} and void after it"
    unknown = f"{signed}. What a node proposed to them: `tocsin lever test` there"
    return Place(found.address, found.says, warnings=tuple(said), unknown=(unknown,))


async def _timelock(look: Looker, found: Holder) -> Place:
    """OpenZeppelin TimelockController: what was scheduled and waits or is due."""
    logs = await look.logs(found.address, SCHEDULED.topic)
    said = [f"scheduled and not yet done: {one.says}" for one in await pending(look.client, look.chain, logs or ())]
    what = f"a timelock of {delay_words(found.delay_s)}: it closes nothing in time"
    unknown = () if logs is not None else ("what is scheduled there: no connection gives its past",)
    return Place(found.address, what, warnings=tuple(said), unknown=unknown)
