"""The environment over node.toml."""

from __future__ import annotations

from node.config_overlay import overlay


def test_variables_of_the_tests_and_the_local_network_are_none_of_a_nodes_business() -> None:
    assert overlay({}, {"TOCSIN_DATA": "somewhere", "TOCSIN_ANVIL": "anvil"}) == []


def test_a_misspelt_variable_is_a_fault() -> None:
    assert len(overlay({}, {"TOCSIN_DATTA": "somewhere"})) == 1
