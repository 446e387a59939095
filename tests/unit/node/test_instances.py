"""What adapters may ask of their node: the members' evm keys, and that people are told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.api import Instances
from node import instances
from node.drill.harmless import PlannedLever
from node.drill.mark import name_for
from node.effects import Tell
from protocol.ids import MemberName, NetworkId
from protocol.messages import KeySet
from tests.unit.machine.world import FREEZE, epoch_of


def handed_over(monkeypatch: pytest.MonkeyPatch, node: Any) -> dict[str, Any]:
    """What `build` got by name."""
    got: dict[str, Any] = {}

    def build(*args: Any, **named: Any) -> Instances:
        got.update(named, epoch=args[1])
        return Instances()

    monkeypatch.setattr(instances, "build", build)
    instances.instances_of(node)
    return got


def a_node(keysets: dict[Any, Any], network: str = "tocsin") -> Any:
    config = SimpleNamespace(connections=(), relays=(), targets={}, sensors={}, sinks={}, data_dir=Path("data"))
    config.read_beside = bytes
    config.member, charter = MemberName("m0"), SimpleNamespace(parameters=SimpleNamespace(name=network))
    told: list[Tell] = []
    state = SimpleNamespace(keysets=keysets)
    return SimpleNamespace(
        parts=SimpleNamespace(config=config, epoch=None, charter=charter),
        machine=SimpleNamespace(state=state),
        tell_sinks=told.append,
        told=told,
    )


def test_the_newest_keysets_evm_keys_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def sealed(version: int, evm: bytes) -> Any:
        return SimpleNamespace(keyset=KeySet(MemberName("a"), version, bytes(32), evm, (), 1 << 60))

    node = a_node({"a": {1: sealed(1, b"\x01" * 20), 2: sealed(2, b"\x02" * 20)}})
    assert handed_over(monkeypatch, node)["evm_keys"]() == {"a": b"\x02" * 20}


def test_what_an_adapter_tells_goes_to_the_sinks_without_access_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    node = a_node({})
    handed_over(monkeypatch, node)["tell"]("the registry at https://node.example/s3cret differs")
    assert node.told == [Tell("the registry at https://node.example differs")]


def test_adapters_follow_the_epoch_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    node = a_node({})
    node.parts.epoch, machine = "the one to begin with", node.machine
    del node.machine
    epoch = handed_over(monkeypatch, node)["epoch"]
    assert epoch() == "the one to begin with"
    node.machine, machine.state.epoch = machine, "the one in force"
    assert epoch() == "the one in force"


class Lever:
    """What `build` gives stands for every lever here."""

    declared = FREEZE
    plan = simulate = apply = read_back = undo = None


@pytest.mark.parametrize(("network", "kept"), [("tocsin", Lever), (name_for(NetworkId(b"r" * 32)), PlannedLever)])
def test_the_name_in_the_charter_alone_makes_levers_harmless(
    network: str, kept: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def build(document: Any, *args: Any, **named: Any) -> Instances:
        asked.append(document["sensor"])
        return Instances(levers={"pool:log.freeze": Lever()})  # type: ignore[dict-item]

    monkeypatch.setattr(instances, "build", build)
    node = a_node({}, network)
    node.parts.config.sensors, node.parts.config.data_dir = {"bridge": {}}, tmp_path
    node.parts.epoch = epoch_of(4)
    found = instances.instances_of(node)
    assert {type(one) for one in found.levers.values()} == {kept}
    assert asked == [{"bridge": {}} if kept is Lever else {}]
