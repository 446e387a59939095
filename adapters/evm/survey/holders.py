"""Who has a right: one key, k of n owners, a delay, a contract that nobody here knows."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.evm.abi import keccak256
from adapters.evm.survey.facts import Holder
from adapters.evm.survey.look import NOBODY, Looker, as_address

OWNERS_MAX = 256
HOLDERS_MAX = 64
"""Of one right: a role that everybody has is no right."""
DELAY_S_MAX = 10 * 365 * 86_400
DEFAULT_ADMIN = bytes(32)


async def holder(look: Looker, address: bytes) -> Holder:
    if address == NOBODY:
        return Holder(address, "nobody", "the zero address: nobody, for good", None)
    (code,) = await look.code(address)
    if not code:
        return Holder(address, "account", "one key (an account without code)", 1)
    threshold, owners, delay = await look.views(
        address, "getThreshold() uint256", "getOwners() address[]", "getMinDelay() uint256"
    )
    if isinstance(threshold, int) and isinstance(owners, tuple | list) and 0 < threshold <= len(owners) <= OWNERS_MAX:
        return Holder(address, "safe", f"a Safe: {threshold} of {len(owners)} owners", threshold)
    if isinstance(delay, int) and delay <= DELAY_S_MAX:
        return Holder(address, "timelock", f"a timelock: {delay_words(delay)} after it was proposed", None, delay)
    return Holder(address, "contract", "a contract; who moves it is not told by its interface", None)


def delay_words(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds} s"


async def holders(look: Looker, addresses: Iterable[bytes]) -> tuple[Holder, ...]:
    return tuple([await holder(look, one) for one in sorted(set(addresses))[:HOLDERS_MAX]])


async def role_holders(look: Looker, contract: bytes, role: bytes) -> list[bytes] | None:
    """OpenZeppelin AccessControl: those whom an event names and the contract confirms now; None where the past is not
    to be had, and none of those who were named by hand has it."""
    granted = await look.logs(contract, keccak256(b"RoleGranted(bytes32,address,address)"))
    named = {log.topics[2][12:] for log in granted or () if len(log.topics) > 2 and log.topics[1] == role}
    asked = sorted(named | set(look.extra))[: 4 * HOLDERS_MAX]
    if not asked:
        return None if granted is None else []
    answers = await look.views(contract, *(("hasRole(bytes32,address) bool", (role, one)) for one in asked))
    found = [one for one, has in zip(asked, answers) if has is True]
    return found if found or granted is not None else None


async def owner_of(look: Looker, contract: bytes) -> bytes | None:
    """Ownable, ERC-173."""
    return as_address(await look.view(contract, "owner() address"))
