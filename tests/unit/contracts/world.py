"""A chain's state without blocks: contracts are called directly and the clock is a number that a test sets."""

from dataclasses import dataclass
from typing import Any

import eth_abi
from eth_utils import keccak

from adapters.evm.artifacts import artifact
from node.testnet.chain_evm import CallRequest, EmbeddedChain, execute, revert_reason

E18 = 10**18
START = 1_800_000_000
MOST = 2**256 - 1


def person(name: str) -> str:
    return "0x" + keccak(text=name)[:20].hex()


OWNER, GUARDIAN, ENDPOINT, ATTACKER, HONEST = map(person, ("owner", "guardian", "endpoint", "attacker", "honest"))
KEY_A, KEY_B = keccak(text="action a"), keccak(text="action b")


class RevertedError(Exception):
    """A call that reverted; its text is the contract's reason."""


@dataclass
class Event:
    name: str
    fields: dict[str, Any]


def _types(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["type"] for entry in entries]


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(_types(entry['inputs']))})"


class World:
    def __init__(self) -> None:
        chain = EmbeddedChain(1, {}, lambda: float(START))
        self._state = chain.state_at(0)
        self.gas_used = 0

    @property
    def now(self) -> int:
        return int(self._state.execution_context.timestamp)

    @now.setter
    def now(self, second: int) -> None:
        self._state.execution_context._timestamp = second

    def run(self, to: str | None, data: bytes, sender: str) -> Any:
        target = None if to is None else bytes.fromhex(to[2:])
        found = execute(self._state, CallRequest(target, data, bytes.fromhex(sender[2:])))
        if found.is_error:
            raise RevertedError(revert_reason(bytes(found.output)) or repr(found.error))
        self.gas_used = found.get_gas_used()
        return found

    def deploy(self, name: str, *arguments: Any, sender: str = OWNER) -> "Contract":
        entry = [e for e in artifact(name).abi if e["type"] == "constructor"]
        encoded = eth_abi.encode(_types(entry[0]["inputs"]), arguments) if entry else b""
        found = self.run(None, artifact(name).bytecode + encoded, sender)
        self._state.increment_nonce(bytes.fromhex(sender[2:]))
        return Contract(self, name, "0x" + found.msg.storage_address.hex())

    def token(self, name: str, **balances: int) -> "Contract":
        """A token whose minter is the owner, with whole tokens minted to people by name."""
        token = self.deploy("Token", name, name)
        for who, amount in balances.items():
            token("mint", person(who), amount * E18)
        return token


class Contract:
    """`contract("borrow", amount, by=HONEST)` returns the decoded result; `.events` are the last write's."""

    def __init__(self, world: World, name: str, address: str) -> None:
        self.world, self.name, self.address = world, name, address
        self.events: list[Event] = []
        abi = artifact(name).abi
        self._functions = {e["name"]: e for e in abi if e["type"] == "function"}
        self._events = {int.from_bytes(keccak(text=_signature(e)), "big"): e for e in abi if e["type"] == "event"}

    def __call__(self, name: str, *arguments: Any, by: str = OWNER) -> Any:
        entry = self._functions[name]
        view = entry["stateMutability"] == "view"
        self.events = self.events if view else []
        data = keccak(text=_signature(entry))[:4] + eth_abi.encode(_types(entry["inputs"]), arguments)
        found = self.world.run(self.address, data, by)
        if not view:
            own = bytes.fromhex(self.address[2:])
            self.events = [self._event(topics, raw) for at, topics, raw in found.get_log_entries() if at == own]
        results = eth_abi.decode(_types(entry["outputs"]), bytes(found.output))
        return results[0] if len(results) == 1 else results

    def _event(self, topics: tuple[int, ...], data: bytes) -> Event:
        entry = self._events[topics[0]]
        indexed = [e for e in entry["inputs"] if e["indexed"]]
        plain = [e for e in entry["inputs"] if not e["indexed"]]
        fields = {e["name"]: eth_abi.decode([e["type"]], t.to_bytes(32, "big"))[0] for e, t in zip(indexed, topics[1:])}
        fields |= dict(zip([e["name"] for e in plain], eth_abi.decode(_types(plain), data)))
        return Event(entry["name"], fields)

    def refusal(self, name: str, *arguments: Any, by: str = OWNER) -> str | None:
        """The reason with which the call reverts, None if it succeeds (and then it has happened)."""
        try:
            self(name, *arguments, by=by)
        except RevertedError as refused:
            return str(refused)
        return None


def happened(contract: Contract) -> list[str]:
    return [event.name for event in contract.events]
