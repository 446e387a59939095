"""The suite that the author of a lever, sensor, verifier or sink runs against it: named facts that hold or do not.

    from adapters.conformance import LeverCase, lever_facts

    class Flag(LeverCase): ...   # the lever, an order, and what the target itself shows

    @pytest.mark.parametrize("fact", lever_facts(Flag), ids=str)
    def test_it_is_a_lever(fact):
        fact.check()

Without pytest: `faults(lever_facts(Flag))` is {name of a fact: why it does not hold}. Nothing here knows a node."""

from adapters.conformance.fact import Broken, Fact, NotTried, faults
from adapters.conformance.lever import lever_facts
from adapters.conformance.lever_case import LeverCase
from adapters.conformance.sensor import SensorCase, sensor_facts
from adapters.conformance.sink import SinkCase, sink_facts
from adapters.conformance.verifier import VerifierCase, verifier_facts

__all__ = [
    "Broken",
    "Fact",
    "LeverCase",
    "NotTried",
    "SensorCase",
    "SinkCase",
    "VerifierCase",
    "faults",
    "lever_facts",
    "sensor_facts",
    "sink_facts",
    "verifier_facts",
]
