"""A registry on a chain's state, and the members who sign for it. Times in ms unless they say seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.evm.abi import abi_of
from adapters.evm.artifacts import artifact
from adapters.evm.eip712 import Domain
from adapters.evm.evm_key import EvmKey, parts_of
from adapters.evm.registry import Row, epoch_values, key_words, keys_values, row_of, signed
from protocol.crypto import sha256
from protocol.ids import EpochHash, GroupName, MemberName, NetworkId, PublicKey
from protocol.membership import Epoch, Member
from tests.unit.contracts.world import OWNER, START, RevertedError, World

NETWORK = NetworkId(sha256(b"registry tests"))
SUBJECT, OTHER_SUBJECT = sha256(b"a subject"), sha256(b"another subject")
THREAT = 34
GUARD, ISOLATE, HALT = 2, 3, 4
HOUR_MS = 3_600_000
NOW_MS = START * 1000
ABI = abi_of("Registry")


def key_of(member: str) -> EvmKey:
    return EvmKey(sha256(b"registry tests key of " + member.encode()))


def names_of(n: int) -> tuple[str, ...]:
    return tuple(f"m{number:02}" for number in range(n))


def epoch_of(members: Iterable[tuple[str, str]], number: int = 0, suspended: Sequence[str] = ()) -> Epoch:
    """Members as (name, group)."""
    seats = tuple(
        Member(MemberName(name), GroupName(group), PublicKey(sha256(name.encode())), name in suspended)
        for name, group in members
    )
    hash_ = EpochHash(sha256(f"epoch {number} of {[name for name, _ in members]}".encode()))
    return Epoch(NETWORK, number, hash_, 0, seats)


@dataclass(frozen=True)
class Vote:
    """Who says what: `values` are typed data, `signature` 65 bytes or None to sign as the stage does."""

    member: str
    values: dict[str, Any]


@dataclass
class Stage:
    epoch: Epoch
    keyed: tuple[str, ...]
    """Members that have an evm key."""
    world: World = field(default_factory=World)
    row: Row = field(init=False)
    words: tuple[int, ...] = field(init=False)
    address: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.row, self.words = row_of(self.epoch), self.words_of(self.epoch)
        self.address = self.deployed(self.row, self.words)

    def words_of(self, epoch: Epoch, keyed: Sequence[str] | None = None) -> tuple[int, ...]:
        names = self.keyed if keyed is None else keyed
        return key_words(epoch, {MemberName(name): key_of(name).address for name in names})

    def deployed(self, row: Row, words: Sequence[int]) -> bytes:
        code = artifact("Registry").bytecode + ABI.construct((row.values, list(words)))
        found = self.world.run(None, code, OWNER)
        self.world._state.increment_nonce(bytes.fromhex(OWNER[2:]))
        return bytes(found.msg.storage_address)

    @property
    def domain(self) -> Domain:
        return Domain(1, self.address)

    def do(self, name: str, *args: Any) -> Any:
        found = self.world.run("0x" + self.address.hex(), ABI.function(name).encode(args), OWNER)
        self.logs = list(found.get_log_entries())
        return ABI.function(name).decode(bytes(found.output))

    def refusal(self, name: str, *args: Any) -> str | None:
        """The contract's reason, None where it did it."""
        try:
            self.do(name, *args)
        except RevertedError as refused:
            return str(refused)
        return None

    @property
    def events(self) -> list[str]:
        """Of the last call, by name."""
        names = {event.topic: name for name, event in ABI.events.items()}
        return [names[topics[0].to_bytes(32, "big")] for _, topics, _ in self.logs]

    # -- what members sign

    def at(self, member: str) -> int:
        address = key_of(member).address
        return next((at for at, word in enumerate(self.words) if word >> 96 == int.from_bytes(address, "big")), 999)

    def in_order(self, members: Iterable[str]) -> list[str]:
        return sorted(members, key=lambda name: key_of(name).address)

    def ballot(self, member: str, name: str, values: dict[str, Any], domain: Domain | None = None) -> tuple[int, ...]:
        return (self.at(member), *parts_of(signed(domain or self.domain, name, values, key_of(member))))

    def ballots(self, name: str, values: dict[str, Any], members: Iterable[str]) -> list[tuple[int, ...]]:
        return [self.ballot(member, name, values) for member in self.in_order(members)]

    def alarm_values(self, member: str, **changed: Any) -> dict[str, Any]:
        now_ms = self.world.now * 1000
        values = {
            "network": bytes(NETWORK),
            "epoch": self.row.hash,
            "author": member.encode().ljust(32, b"\0"),
            "seq": 7,
            "bodyHash": sha256(member.encode()),
            "subject": SUBJECT,
            "threat": THREAT,
            "level": ISOLATE,
            "issued": now_ms,
        } | changed
        return {"submitBy": values["issued"] + 600_000, "expires": values["issued"] + HOUR_MS} | values

    def alarm(self, members: Iterable[str], level: int = ISOLATE, **changed: Any) -> tuple[Any, ...]:
        """Arguments of `alarm`: everybody says the same."""
        values = {name: self.alarm_values(name, **({"level": level} | changed)) for name in members}
        return self.alarm_of(values, level)

    def alarm_of(self, values: dict[str, dict[str, Any]], level: int, domain: Domain | None = None) -> tuple[Any, ...]:
        first = next(iter(values.values()))
        fields = ("author", "seq", "bodyHash", "level", "issued", "submitBy", "expires")
        votes = [
            (*(values[name][one] for one in fields), self.ballot(name, "Alarm", values[name], domain))
            for name in self.in_order(values)
        ]
        return first["epoch"], first["subject"], first["threat"], level, votes

    def lift(self, members: Iterable[str], through: int, **changed: Any) -> tuple[Any, ...]:
        values = {"network": bytes(NETWORK), "epoch": self.row.hash, "subject": SUBJECT, "threat": THREAT}
        values |= {"through": through} | changed
        votes = []
        for name in self.in_order(members):
            own = values | {"author": name.encode().ljust(32, b"\0")}
            votes.append((own["author"], own["through"], self.ballot(name, "Lift", own)))
        return values["epoch"], values["subject"], values["threat"], votes

    def next_row(self, epoch: Epoch, **changed: Any) -> Row:
        return replace(row_of(epoch), **({"parent": self.row.hash} | changed))

    def advance(self, row: Row, words: Sequence[int], members: Iterable[str]) -> tuple[Any, ...]:
        return row.values, list(words), self.ballots("Epoch", epoch_values(row, words), members)

    def change_keys(self, words: Sequence[int], members: Iterable[str], version: int = 1) -> tuple[Any, ...]:
        values = keys_values(bytes(NETWORK), self.row.hash, version, words)
        return version, list(words), self.ballots("Keys", values, members)

    def entered(self, row: Row, words: Sequence[int]) -> None:
        """After a successful advance: what this stage signs with from now on."""
        self.row, self.words = row, tuple(words)

    def until(self, level: int | None = None) -> int:
        """Seconds."""
        if level is None:
            return int(self.do("restricted_until", SUBJECT, THREAT))
        return int(self.do("level_until", SUBJECT, THREAT, level))


def stage(n: int = 7, keyed: Sequence[str] | None = None, suspended: Sequence[str] = ()) -> Stage:
    """n members, each its own group."""
    names = names_of(n)
    epoch = epoch_of([(name, name) for name in names], suspended=suspended)
    return Stage(epoch, names if keyed is None else tuple(keyed))
