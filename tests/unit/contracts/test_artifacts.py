"""The committed artifacts: there, readable, and of the sources beside them."""

import pytest

from adapters.evm.artifacts import artifact
from tests.tidy.contracts import contract_names, source_sha256

NAMES = ["Escrow", "Gate", "Guard", "Lending", "Oracle", "Perp", "Registry", "SpotPool", "Token", "Twin"]


def test_every_contract_is_known() -> None:
    assert contract_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_artifact_belongs_to_its_source(name: str) -> None:
    found = artifact(name)
    assert found.source_sha256 == source_sha256(name)
    assert found.compiler.startswith("vyper 0.4")
    assert found.bytecode


def test_an_unknown_name_says_what_exists() -> None:
    with pytest.raises(KeyError, match="Escrow, Gate, Guard, Lending"):
        artifact("Ecsrow")


def test_every_contract_fits_on_a_real_chain() -> None:
    # EIP-170 counts the deployed code; the creation code holds it and is longer
    assert max(len(artifact(name).bytecode) for name in NAMES) <= 24_576
