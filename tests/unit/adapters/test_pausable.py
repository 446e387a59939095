"""In which words contracts with OpenZeppelin's access control refuse, from v2 to v5."""

import pytest

from adapters.evm.abi import keccak256, revert_reason
from adapters.evm.pausable_abi import right_missing, stands_so_already

ACCOUNT = bytes(12) + b"\xab" * 20
PAUSER, OWN_ROLE = keccak256(b"PAUSER_ROLE"), keccak256(b"a role of their own")


def said(error: str, *words: bytes) -> str:
    """As it comes from a chain, cut where a reason is cut."""
    return revert_reason(keccak256(error.encode())[:4] + b"".join(words))


def text(reason: str) -> str:
    raw = reason.encode()
    size = len(raw).to_bytes(32)
    return revert_reason(keccak256(b"Error(string)")[:4] + (32).to_bytes(32) + size + raw + bytes(-len(raw) % 32))


OLD = f"AccessControl: account 0x{'ab' * 20} is missing role 0x"


@pytest.mark.parametrize(
    ("reason", "who"),
    [
        (text(f"{OLD}{PAUSER.hex()}"), "PAUSER_ROLE"),
        (text(f"{OLD}{OWN_ROLE.hex()}"), f"the role 0x{OWN_ROLE.hex()}"),
        (text(f"{OLD}{'00' * 32}"), "DEFAULT_ADMIN_ROLE"),
        (text("ERC20PresetMinterPauser: must have pauser role to pause"), "PAUSER_ROLE"),
        (text("PauserRole: caller does not have the Pauser role"), "PAUSER_ROLE"),
        (text("Ownable: caller is not the owner"), "the ownership"),
        (said("AccessControlUnauthorizedAccount(address,bytes32)", ACCOUNT, PAUSER), "PAUSER_ROLE"),
        (said("AccessControlUnauthorizedAccount(address,bytes32)", ACCOUNT, OWN_ROLE), f"the role 0x{OWN_ROLE.hex()}"),
        (said("OwnableUnauthorizedAccount(address)", ACCOUNT), "the ownership"),
        (said("AccessManagedUnauthorized(address)", ACCOUNT), "the leave of the access manager"),
        (said("EnforcedPause()"), ""),
        (text("Pausable: paused"), ""),
        ("", ""),
    ],
)
def test_a_missing_right_is_named(reason: str, who: str):
    assert right_missing(reason) == who


@pytest.mark.parametrize(
    ("reason", "stands"),
    [
        (said("EnforcedPause()"), True),
        (said("ExpectedPause()"), True),
        (text("Pausable: paused"), True),
        (text("Pausable: not paused"), True),
        (text("paused by the council"), False),
        ("", False),
    ],
)
def test_what_stands_already_is_told_from_a_missing_right(reason: str, stands: bool):
    assert stands_so_already(reason) is stands
