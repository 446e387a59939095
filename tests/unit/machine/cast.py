"""Who is on the stage: members, keys, an epoch, a policy, claims, opinions, targets. Equal in every run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from adapters.api import ExpiresBy, LeverDeclaration, LeverOrder, Outcome
from adapters.policy import Exposure, LeverUse, Limits, Mode, OwnWord, Policy, Rule
from protocol.crypto import Signer, sha256
from protocol.envelope import seal_keyset
from protocol.evidence import ClaimBlob, SupplyAboveBacking, claim_of
from protocol.ids import EpochHash, GroupName, MemberName, NetworkId, SourceId
from protocol.membership import Epoch, Member, Source
from protocol.messages import Attestation, Basis, KeySet, Level, Threat, Tlp
from protocol.subjects import Subject, from_text

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
NETWORK = NetworkId(sha256(b"the test network"))
COIN = from_text("eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7")
OTHER_COIN = from_text("eip155:1/erc20:0x6b175474e89094c44da98b954eedeac495271d0f")
THREAT = int(Threat.UNBACKED_SUPPLY)
TOPIC = (COIN, THREAT)
CHAIN = "eip155:1"
VERIFY_MS, LEVER_MS, DELAY_MS, TICK_MS = 5, 5, 20, 100
FREEZE = LeverDeclaration(
    "log.freeze", Level.ISOLATE, frozenset({"supply"}), False, True, ExpiresBy.TARGET, 6 * HOUR_MS, 0, "freezes"
)


def member(i: int) -> MemberName:
    return MemberName(f"m{i}")


def peer_of(name: str) -> str:
    return f"peer-of-{name}"


def governance(name: str) -> Signer:
    return Signer(sha256(f"cold {name}".encode()))


def hot(name: str, version: int = 0) -> Signer:
    return Signer(sha256(f"hot {name} {version}".encode()))


def keyset(name: str, version: int = 0) -> bytes:
    body = KeySet(
        MemberName(name), version, hot(name, version).public, None, (peer_of(name),), START_MS + 8_000 * HOUR_MS
    )
    return seal_keyset(NETWORK, governance(name), body).raw


def epoch_of(n: int, **changes: Any) -> Epoch:
    names = [member(i) for i in range(n)]
    sources = [Source(SourceId(f"{name}-node"), name, CHAIN) for name in names]
    return replace(
        Epoch(
            NETWORK,
            0,
            EpochHash(sha256(b"epoch 0")),
            START_MS - HOUR_MS,
            tuple(Member(name, GroupName(f"g-{name}"), governance(name).public) for name in names),
            sources=tuple(sources),
        ),
        **changes,
    )


def policy_of(mode: Mode = Mode.ACT, **lever: Any) -> Policy:
    """Freezes on ISOLATE where its own check agrees, and on its own evidence alone."""
    use = replace(LeverUse("freeze", "pool", "log.freeze", FREEZE.closes, FREEZE.expires_by, HOUR_MS, 0), **lever)
    base = Rule("isolate", "coin", "", Level.ISOLATE, OwnWord.ANY, ("freeze",), HOUR_MS)
    return Policy(
        mode,
        {"coin": (COIN,)},
        {"pool": Exposure("pool", "coin", "log.read", HOUR_MS, ())},
        {"freeze": use},
        (base,),
        Limits(),
    )


def claim(number: int = 1) -> ClaimBlob:
    return claim_of(SupplyAboveBacking(CHAIN, b"e" * 20, "eip155:10", b"t" * 20, number))


def opinion(
    level: Level = Level.ISOLATE,
    claims: tuple[ClaimBlob, ...] = (),
    *,
    now_ms: int = START_MS,
    subject: Subject = COIN,
    sources: tuple[str, ...] = ("m6-node",),
    **changes: Any,
) -> Attestation:
    bound_ms = {Level.HALT: HOUR_MS, Level.ISOLATE: 6 * HOUR_MS}.get(level, 12 * HOUR_MS)
    base = Attestation(
        epoch_of(1).hash, subject, THREAT, level, Basis.VERIFIED, tuple(sorted(one.claim for one in claims)),
        tuple(SourceId(one) for one in sources), "test", "", now_ms, now_ms + bound_ms, False, Tlp.GREEN,
    )  # fmt: skip
    return replace(base, **changes)


@dataclass
class Target:
    """What a node's levers move. `script` answers the next steps of a name; else everything works."""

    script: dict[str, list[Outcome]] = field(default_factory=dict)
    until_ms: dict[bytes, int] = field(default_factory=dict)
    calls: list[tuple[str, LeverOrder]] = field(default_factory=list)

    def step(self, name: str, order: LeverOrder, now_ms: int) -> Outcome:
        self.calls.append((name, order))
        if self.script.get(name):
            return self.script[name].pop(0)
        if name == "apply":
            self.until_ms[order.action_key] = order.until_ms
        elif name == "undo":
            self.until_ms.pop(order.action_key, None)
        stands = self.until_ms.get(order.action_key, 0)
        if name == "expire":
            return Outcome(stands <= now_ms, f"stands until {stands}", retryable=True)
        if name in ("read_back", "watch"):
            return Outcome(stands >= order.until_ms, f"stands until {stands}", until_ms=stands)
        return Outcome(True, name)

    def times(self, name: str) -> int:
        return sum(1 for called, _ in self.calls if called == name)
