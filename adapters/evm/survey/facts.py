"""What a survey finds, as values. Everything was read from the chain or tried there; what was not is said to be so."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Holder:
    """Who has a right. `awake`: how many people must act, None where that cannot be told from the chain."""

    address: bytes
    kind: str
    """`account` (one key), `safe`, `timelock`, `contract`, `nobody`"""
    says: str
    awake: int | None
    delay_s: int = 0


@dataclass(frozen=True)
class Right:
    """A role, an ownership: who has it, and what else those can do."""

    name: str
    holders: tuple[Holder, ...]
    also: tuple[str, ...] = ()
    """Tried as them: what each of these calls would do beyond restricting."""


@dataclass(frozen=True)
class Control:
    """One restriction that the target offers today. `by`: rights under which the very call was taken when tried."""

    name: str
    call: str
    asset: str
    """Symbol, "" for all of the target."""
    by: tuple[str, ...]
    closes: tuple[str, ...]
    leaves: tuple[str, ...]
    blocks_exit: bool
    ends: str
    stands: bool = False
    """Already, now."""
    lever: str = ""
    """The lever of ours that pulls it, for a policy."""
    note: str = ""


@dataclass(frozen=True)
class Asset:
    """`ways`: each way out → the names of the controls that close it, the narrowest first; empty: NO LEVER."""

    symbol: str
    address: bytes
    ways: dict[str, tuple[str, ...]]
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """One address that was asked about, or was found behind one."""

    address: bytes
    what: str
    controls: tuple[Control, ...] = ()
    rights: tuple[Right, ...] = ()
    assets: tuple[Asset, ...] = ()
    warnings: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """What a survey from outside cannot tell, and who can."""
    pool: bytes = b""
    """Of a market: the contract that a target in node.toml names."""


@dataclass(frozen=True)
class Survey:
    chain: str
    block: int
    sources: tuple[str, ...]
    """Connections that all said so."""
    places: tuple[Place, ...] = field(default=())
