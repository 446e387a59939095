"""The pure machine: exactly what a node runs and a simulator drives."""

from node.machine.action import Action, Phase
from node.machine.core import Machine
from node.machine.state import Setup, State
from node.machine.step import Decision

__all__ = ["Action", "Decision", "Machine", "Phase", "Setup", "State"]
