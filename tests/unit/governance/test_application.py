"""A joiner's application: it says one thing to one network after one epoch, and a word changed in it is seen."""

from __future__ import annotations

import pytest

from governance.application import apply_for, opened, parse_application, write_application
from governance.faults import ApplicationFaults
from protocol.crypto import Signer, sha256
from protocol.ids import EpochHash, GroupName, MemberName, NetworkId
from protocol.messages import KeySet

NETWORK = NetworkId(sha256(b"a network"))
PARENT = EpochHash(sha256(b"an epoch"))
COLD = Signer(sha256(b"cold z"))


def written(network: NetworkId = NETWORK, parent: EpochHash = PARENT) -> str:
    first = KeySet(MemberName("lender-z"), 1, Signer(sha256(b"hot z")).public, None, ("12D3KooWz",), 2_000_000)
    return write_application(apply_for(network, parent, GroupName("holding-z"), COLD, first))


def test_what_was_written_is_read() -> None:
    one = parse_application(written())
    assert (one.network, one.parent) == (NETWORK, PARENT)
    assert (one.admit.member, one.admit.group, one.admit.key) == ("lender-z", "holding-z", COLD.public)
    assert opened(one).keyset.attestation == Signer(sha256(b"hot z")).public


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (f'network = "{NETWORK.hex()}"', f'network = "{bytes(32).hex()}"'),
        (f'parent = "{PARENT.hex()}"', f'parent = "{bytes(32).hex()}"'),
        ('group = "holding-z"', 'group = "holding-y"'),
        ('name = "lender-z"', 'name = "lender-y"'),
        (f'governance = "{COLD.public.hex()}"', f'governance = "{Signer(bytes(32)).public.hex()}"'),
    ],
)
def test_no_word_of_it_can_be_another(was: str, becomes: str) -> None:
    assert was in written()
    with pytest.raises(ApplicationFaults) as refused:
        parse_application(written().replace(was, becomes))
    assert "consent" in str(refused.value)


def test_a_keyset_of_somebody_else_is_no_part_of_it() -> None:
    theirs = parse_application(written())
    other = KeySet(MemberName("venue"), 1, Signer(sha256(b"hot z")).public, None, ("12D3KooWz",), 2_000_000)
    mixed = apply_for(NETWORK, PARENT, GroupName("holding-z"), COLD, other).keyset.hex()
    with pytest.raises(ApplicationFaults) as refused:
        parse_application(written().replace(theirs.keyset.hex(), mixed))
    assert "of another member" in str(refused.value)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ApplicationFaults) as refused:
        parse_application('application = 1\nname = "lender-z"\nspare = 1\n')
    assert len(refused.value.faults) >= 6
