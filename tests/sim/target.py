"""What a node's levers move: one slot per instance, with the target's own time, its own leases and its own moods."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from adapters.api import ExpiresBy, LeverOrder, Outcome
from protocol.ids import ActionKey


@dataclass
class Spell:
    """One time during which a slot stood restricted."""

    instance: str
    key: ActionKey
    since_ms: int
    until_ms: int
    ended_ms: int = 0
    """0 while it stands."""
    undone_by: ActionKey | None = None


@dataclass
class Target:
    """True time is the target's time. `fails`: chance that a step fails; `unsure`: that it works and says it failed."""

    chance: random.Random
    expires_by: ExpiresBy
    fails: float = 0.0
    unsure: float = 0.0
    until_ms: dict[str, int] = field(default_factory=dict)
    spells: list[Spell] = field(default_factory=list)
    applied: dict[ActionKey, int] = field(default_factory=dict)
    """Key → how often it turned a free slot into a restricted one."""
    undone: dict[ActionKey, list[int]] = field(default_factory=dict)
    """Key → when it was undone, each time."""
    freed_ms: dict[str, int] = field(default_factory=dict)
    """When somebody or something else freed a slot."""
    lifts: dict[str, list[Spell]] = field(default_factory=dict)
    """Slot → what the last undo of it ended."""
    spent: set[ActionKey] = field(default_factory=set)
    """Of what a person lifted: a key never acts again."""
    orders: list[tuple[int, LeverOrder]] = field(default_factory=list)
    failed: int = 0
    doubted: int = 0

    def stands_until_ms(self, instance: str, now_ms: int) -> int:
        until_ms = self.until_ms.get(instance, 0)
        if until_ms <= now_ms and self.expires_by is ExpiresBy.TARGET:
            return 0
        return until_ms

    def settle(self, now_ms: int) -> None:
        """Restrictions of targets that end by themselves end."""
        for spell in self.spells:
            if not spell.ended_ms and self.stands_until_ms(spell.instance, now_ms) == 0:
                spell.ended_ms = min(now_ms, spell.until_ms)

    def frees(self, instance: str, now_ms: int, *, by_person: bool) -> None:
        """A person lifts it; else the chain takes the block back, and it was never there."""
        standing = [spell for spell in self.spells if spell.instance == instance and not spell.ended_ms]
        self.until_ms[instance], self.freed_ms[instance] = 0, now_ms
        for spell in standing:
            spell.ended_ms = now_ms
            if by_person:
                self.spent.add(spell.key)

    def takes_back(self, instance: str) -> bool:
        """The chain takes back the block with the last lift: what it ended stands again, where nothing else does."""
        lifted = self.lifts.pop(instance, [])
        if self.until_ms.get(instance) or not lifted:
            return False
        for spell in lifted:
            if spell.undone_by is not None:
                self.undone[spell.undone_by].pop()
            spell.ended_ms, spell.undone_by = 0, None
        self.until_ms[instance] = max(spell.until_ms for spell in lifted)
        return True

    def step(self, instance: str, name: str, order: LeverOrder, now_ms: int) -> Outcome:
        self.settle(now_ms)
        if self.fails and self.chance.random() < self.fails:
            self.failed += 1
            return Outcome(False, "the target did not answer", retryable=True, answered=False)
        outcome = self._step(instance, name, order, now_ms)
        if self.unsure and name in ("apply", "undo") and self.chance.random() < self.unsure:
            self.doubted += 1
            return Outcome(False, "no answer in time", retryable=True, answered=False)
        return outcome

    def _step(self, instance: str, name: str, order: LeverOrder, now_ms: int) -> Outcome:
        if name == "apply":
            return self._apply(instance, order, now_ms)
        if name == "undo":
            self._undo(instance, order, now_ms)
            return Outcome(True, "free")
        stands = self.stands_until_ms(instance, now_ms)
        if name in ("read_back", "watch"):
            return Outcome(stands >= order.until_ms, f"stands until {stands}", until_ms=stands)
        if name == "expire":
            return Outcome(stands == 0, f"stands until {stands}", retryable=True)
        return Outcome(True, name)

    def _apply(self, instance: str, order: LeverOrder, now_ms: int) -> Outcome:
        self.orders.append((now_ms, order))
        if order.until_ms <= now_ms:
            return Outcome(False, "the lease ended before this was included", retryable=True)
        if order.action_key in self.spent:
            return Outcome(True, "done before under this key; nothing sent")
        if self.stands_until_ms(instance, now_ms) == 0:
            self.applied[order.action_key] = self.applied.get(order.action_key, 0) + 1
            self.spells.append(Spell(instance, order.action_key, now_ms, order.until_ms))
            self.until_ms[instance] = 0
        self.until_ms[instance] = max(self.until_ms[instance], order.until_ms)
        for spell in self.spells:
            if spell.instance == instance and not spell.ended_ms:
                spell.until_ms = self.until_ms[instance]
        return Outcome(True, "restricted")

    def _undo(self, instance: str, order: LeverOrder, now_ms: int) -> None:
        self.until_ms[instance] = 0
        self.undone.setdefault(order.action_key, []).append(now_ms)
        self.lifts[instance] = [one for one in self.spells if one.instance == instance and not one.ended_ms]
        for spell in self.lifts[instance]:
            spell.ended_ms, spell.undone_by = now_ms, order.action_key
