"""A guard on a chain's state, the gate that it holds a right at, and the members whose words it hears."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.evm.abi import abi_of
from adapters.evm.artifacts import artifact
from adapters.evm.eip712 import Domain
from adapters.evm.guard_words import Listing, pack_act
from adapters.evm.registry import signed
from protocol.crypto import sha256
from protocol.messages import Level
from tests.unit.contracts.registry_stage import HOUR_MS, ISOLATE, NETWORK, SUBJECT, THREAT, key_of, names_of
from tests.unit.contracts.world import OWNER, RevertedError, World, person

ABI, GATE = abi_of("Guard"), abi_of("Gate")
OPERATOR, ANYBODY, HEIR = person("operator"), person("anybody"), person("heir")
EPOCH = sha256(b"an epoch of the guard's tests")
KEY = b"\x0a" * 32
HOUR, DAY, WEEK = 3_600, 86_400, 7 * 86_400
COOLDOWN, LEASE, BUDGET = 2 * HOUR, 6 * HOUR, 24 * HOUR
ALONE_LEASE, ALONE_BUDGET = HOUR, 4 * HOUR
NOBODY = "0x" + "00" * 20
OPEN, CLOSED, UNKNOWN = 0, 1, 2


def raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


def words_of(names: Iterable[str], groups: Sequence[int] | None = None) -> list[int]:
    """A list's keys: each name its own group, or as told."""
    told = list(names)
    numbers = groups or range(len(told))
    return sorted(int.from_bytes(key_of(name).address, "big") << 96 | group for name, group in zip(told, numbers))


@dataclass
class GuardStage:
    names: tuple[str, ...] = names_of(7)
    needed: int = 5
    world: World = field(default_factory=World)
    through: str = NOBODY
    """The Safe."""
    owner: str = OWNER
    operator: str = OPERATOR
    terms: dict[str, Any] = field(default_factory=dict)
    """What of the lever is otherwise than `listing` has it."""

    def __post_init__(self) -> None:
        self.words = words_of(self.names)
        self.logs: list[Any] = []
        self.gate = self.made(artifact("Gate").bytecode)
        self.at = self.made(artifact("Guard").bytecode + ABI.construct((self.owner, self.through)))
        self.list = self.listed(self.words)
        self.do("set_operator", self.operator)
        self.do("add", self.listing(**self.terms).values)
        self.do("reason", 0, self.list, SUBJECT, THREAT, ISOLATE, self.needed)
        self.gate_do("set_pauser", self.at, True)

    def made(self, code: bytes) -> str:
        found = self.world.run(None, code, OWNER)
        self.world._state.increment_nonce(raw(OWNER))
        return "0x" + found.msg.storage_address.hex()

    def listed(self, words: Sequence[int], voice: str = NOBODY) -> bytes:
        """The address of a new list."""
        found: bytes = self.do("make_list", NETWORK, voice, list(words))
        return found

    def listing(self, **changed: Any) -> Listing:
        told = Listing(
            raw(self.gate),
            GATE.function("pause").encode(()),
            GATE.function("unpause").encode(()),
            GATE.function("paused").encode(()),
            2**256 - 1,
            1,
            COOLDOWN,
            LEASE,
            BUDGET,
            ALONE_LEASE,
            ALONE_BUDGET,
        )
        return replace(told, **changed)

    # -- calls

    def do(self, name: str, *args: Any, by: str = OWNER) -> Any:
        found = self.world.run(self.at, ABI.function(name).encode(args), by)
        if ABI.function(name).outputs == () or name in ("add", "make_list"):
            self.logs = list(found.get_log_entries())
        return ABI.function(name).decode(bytes(found.output))

    def refusal(self, name: str, *args: Any, by: str = OWNER) -> str | None:
        """The guard's reason, None where it did it."""
        try:
            self.do(name, *args, by=by)
        except RevertedError as refused:
            return str(refused)
        return None

    def gate_do(self, name: str, *args: Any, by: str = OWNER) -> Any:
        return GATE.function(name).decode(bytes(self.world.run(self.gate, GATE.function(name).encode(args), by).output))

    @property
    def paused(self) -> bool:
        return bool(self.gate_do("paused"))

    @property
    def events(self) -> list[str]:
        """Of the guard's last call, its own by name."""
        names = {event.topic: name for name, event in ABI.events.items()}
        return [names[topics[0].to_bytes(32, "big")] for at, topics, _ in self.logs if at == raw(self.at)]

    def told(self, name: str) -> dict[str, Any]:
        """The fields of that event of the last call."""
        event = ABI.event(name)
        for _, topics, data in self.logs:
            fields = event.decode([topic.to_bytes(32, "big") for topic in topics], data)
            if fields is not None:
                return fields
        raise LookupError(name)

    def standing(self, lever: int = 0) -> tuple[int, int, bool, int]:
        """(until by the quorum, until by the operator, whether the guard has to lift it, what the target shows)."""
        found: tuple[int, int, bool, int] = self.do("standing", lever)
        return found

    # -- what members sign

    @property
    def domain(self) -> Domain:
        return Domain(1, raw(self.at))

    def values(self, member: str, **changed: Any) -> dict[str, Any]:
        """An Alarm; lease and issued may be changed, submitBy follows them."""
        issued = changed.get("issued", self.world.now * 1000)
        told = {
            "network": bytes(NETWORK),
            "epoch": EPOCH,
            "author": member.encode().ljust(32, b"\0"),
            "seq": 7,
            "bodyHash": sha256(member.encode()),
            "subject": SUBJECT,
            "threat": THREAT,
            "level": ISOLATE,
            "issued": issued,
            "expires": issued + HOUR_MS,
        } | changed
        return {"submitBy": min(told["issued"] + 600_000, told["expires"])} | told

    def said(
        self, members: Iterable[str], domain: Domain | None = None, **changed: Any
    ) -> list[tuple[dict[str, Any], bytes]]:
        told = [(name, self.values(name, **changed)) for name in members]
        return [(values, signed(domain or self.domain, "Alarm", values, key_of(name))) for name, values in told]

    def call(
        self, members: Iterable[str], lever: int = 0, needed: int | None = None, **changed: Any
    ) -> tuple[Any, ...]:
        """Arguments of `act`, of all of these members: everybody says the same."""
        chosen = list(members)
        told = self.said(chosen, **changed)
        level, epoch = Level(min(told[0][0]["level"], Level.HALT)), told[0][0]["epoch"]
        return pack_act(lever, self.list, self.domain, self.words, len(chosen), level, epoch, told)

    def act(self, members: Iterable[str], **changed: Any) -> None:
        self.do("act", *self.call(members, **changed), by=ANYBODY)
