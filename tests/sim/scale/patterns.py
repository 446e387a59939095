"""Ways of spreading an alarm. Each says what a node does with what arrives, what that costs, and what it sends."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.sim.scale.engine import Engine, Item, Outcome, Send

SENSE, FIRST, WORD, CERTIFICATE, SHOWN, TICK, PATIENCE, BUNDLE, PUSH, GATHER = range(10)
BLOB_BYTES = 260
SHOWN_BYTES = 60
PATIENCE_MS = 500.0
"""After its own word a node waits so long for the collectors' certificate, and as long as their work takes; then it
says its word to everybody. Three of the longest delays fit."""
PUSH_GRACE_MS = 250.0


class Counting:
    """What every pattern shares: who held how many words of a topic when."""

    def __init__(self, engine: Engine) -> None:
        topics = len(engine.origins)
        self.words = [[0] * engine.n for _ in range(topics)]
        self.answered = [[False] * engine.n for _ in range(topics)]
        self.done = [[False] * engine.n for _ in range(topics)]
        self.f, self.q = engine.f, engine.q

    def count(self, engine: Engine, node: int, topic: int, out: Outcome, own: bool = False) -> float:
        """CPU ms of one more word here; notes the certificate that it makes."""
        words = self.words[topic]
        words[node] = k = words[node] + 1
        out.records += 1
        out.own = out.own or own
        if k == self.q and not self.done[topic][node]:
            self.done[topic][node] = True
            out.certified.append(topic)
        spent = engine.costs.own_word if own else engine.costs.word
        return spent(k, self.f, self.q)

    def first(self, engine: Engine, node: int, topic: int, out: Outcome) -> float:
        """The origin's word with its blob: two frames in; judged and, where the node speaks, answered."""
        costs = engine.costs
        spent = 2 * costs.receive + costs.first - costs.word(1, self.f, self.q)
        return spent + self.count(engine, node, topic, out)


def start(engine: Engine) -> None:
    for topic, origin in enumerate(engine.origins):
        engine.arrive(origin, (0.0, SENSE, topic, origin))


def say_first(engine: Engine, node: int, topic: int, out: Outcome) -> None:
    """Blob and word go out together."""
    size = engine.costs.entry_bytes + BLOB_BYTES
    out.sends.append(Send(FIRST, topic, node, engine.others(node), size))


class AllToAll(Counting):
    """As shipped: everybody's word to everybody, everybody counts. What follows a certificate is in it: at the next
    tick a node shows to all what it holds."""

    def __init__(self, engine: Engine, committee: int = 0) -> None:
        super().__init__(engine)
        self.showing = [False] * engine.n
        self.members: list[set[int]] | None = None
        if 0 < committee < engine.n:
            everybody = range(engine.n)
            self.members = [set(engine.rng.sample(everybody, committee)) for _ in engine.origins]
            self.f = (committee - 1) // 3
            self.q = committee - self.f

    def begin(self, engine: Engine) -> None:
        start(engine)

    def sits(self, node: int, topic: int) -> bool:
        return self.members is None or node in self.members[topic]

    def take(self, engine: Engine, node: int, item: Item, out: Outcome) -> float:
        at, kind, topic, value = item
        costs = engine.costs
        if kind == WORD:
            spent = costs.receive + self.count(engine, node, topic, out)
            self.show_soon(engine, node, topic, at, out)
            return spent
        if kind == SHOWN:
            return costs.receive + costs.shown
        if kind == FIRST:
            spent = costs.receive * 2 + costs.first
            if self.sits(value, topic):
                spent = self.first(engine, node, topic, out)
            if self.sits(node, topic) and not self.answered[topic][node]:
                self.answered[topic][node] = True
                spent += self.count(engine, node, topic, out, own=True)
                out.sends.append(Send(WORD, topic, node, engine.others(node), costs.entry_bytes))
            self.show_soon(engine, node, topic, at, out)
            return spent
        if kind == SENSE:
            self.answered[topic][node] = True
            say_first(engine, node, topic, out)
            return self.count(engine, node, topic, out, own=True) if self.sits(node, topic) else costs.judged
        self.showing[node] = False
        out.sends.append(Send(SHOWN, topic, node, engine.others(node), SHOWN_BYTES))
        return costs.tick[0] + costs.tick[1] * engine.n

    def show_soon(self, engine: Engine, node: int, topic: int, now: float, out: Outcome) -> None:
        if self.words[topic][node] in (max(2, self.f + 1), self.q) and not self.showing[node]:
            self.showing[node] = True
            out.later.append((engine.next_tick(node, now), TICK, topic, node))


@dataclass(frozen=True)
class Scheme:
    """How words become a certificate: one signature each, or one for all."""

    aggregated: bool = False
    sign_ms: float = 0.5
    pairing_ms: float = 1.5
    """Two pairings and a hash to the curve."""
    add_key_ms: float = 0.002
    add_signature_ms: float = 0.004
    signature_bytes: int = 96
    fixed_bytes: int = 300
    """Topic, level, what it rests on."""

    def share_ms(self, engine: Engine, words: int) -> float:
        """A collector takes the `words`-th word: where one signature stands for all, it is parsed and added, and
        checked with the rest."""
        if not self.aggregated:
            return engine.costs.word(words, engine.f, engine.q)
        return max(0.0, engine.costs.below[0] - engine.costs.verify) + self.add_signature_ms

    def own_ms(self, engine: Engine) -> float:
        return engine.costs.judged + (self.sign_ms if self.aggregated else 0.0)

    def made_ms(self, signers: int) -> float:
        return self.pairing_ms + self.add_key_ms * signers if self.aggregated else 0.0

    def checked_ms(self, engine: Engine, signers: int) -> float:
        return self.made_ms(signers) if self.aggregated else engine.costs.checking(signers)

    def size(self, engine: Engine, signers: int) -> int:
        if self.aggregated:
            return self.fixed_bytes + self.signature_bytes + engine.n // 8
        return int(engine.costs.certificate_per_signer * signers)

    def word_bytes(self, engine: Engine) -> int:
        return engine.costs.entry_bytes + (self.signature_bytes if self.aggregated else 0)


class Collectors(Counting):
    """A few collectors per topic get everybody's word, and push the certificate: first each to its own share of the
    members, after a grace to whoever has not shown it. Who waits in vain says its word to everybody."""

    def __init__(self, engine: Engine, count: int = 3, dead: int = 0, scheme: Scheme | None = None) -> None:
        super().__init__(engine)
        self.scheme = scheme or Scheme()
        pool = [node for node in range(engine.n) if engine.speaks[node]]
        count = min(count, len(pool))
        self.of = [engine.rng.sample(pool, count) for _ in engine.origins]
        self.dead = [set(chosen[:dead]) for chosen in self.of]
        costs = engine.costs
        work = sum(costs.receive + self.scheme.share_ms(engine, k) for k in range(1, engine.q + 1))
        size = self.scheme.size(engine, engine.q)
        pushed = costs.send + costs.send_per_kib * size / 1024 + size * 8 / (engine.settings.uplink_gbit * 1e6)
        self.patience_ms = PATIENCE_MS + work + pushed * engine.n / max(1, count)
        self.shown: list[dict[int, set[int]]] = [{c: set() for c in chosen} for chosen in self.of]

    def begin(self, engine: Engine) -> None:
        start(engine)

    def take(self, engine: Engine, node: int, item: Item, out: Outcome) -> float:
        at, kind, topic, value = item
        costs = engine.costs
        if kind == WORD:
            return costs.receive + self.word(engine, node, topic, at, out)
        if kind == CERTIFICATE:
            return self.certificate(engine, node, topic, at, out)
        if kind == SHOWN:
            self.shown[topic].get(node, set()).add(value)
            return costs.receive + costs.shown
        if kind == FIRST:
            spent = 2 * costs.receive + costs.first
            return spent + self.word(engine, node, topic, at, out) + self.speak(engine, node, topic, at, out)
        if kind == SENSE:
            say_first(engine, node, topic, out)
            return self.speak(engine, node, topic, at, out, first=True)
        if kind == PUSH:
            missing = [to for to in engine.others(node) if to not in self.shown[topic][node]]
            self.push(engine, node, topic, missing, out)
        elif not self.done[topic][node] and node != engine.origins[topic]:
            heard = {*self.of[topic], node}
            to = [one for one in engine.others(node) if one not in heard]
            out.sends.append(Send(WORD, topic, node, to, self.scheme.word_bytes(engine)))
        return 0.0

    def speak(self, engine: Engine, node: int, topic: int, at: float, out: Outcome, first: bool = False) -> float:
        """The own word, to the collectors; the origin's went to everybody."""
        out.own = True
        to = [one for one in self.of[topic] if one != node]
        if not first:
            out.sends.append(Send(WORD, topic, node, to, self.scheme.word_bytes(engine)))
        out.later.append((at + self.patience_ms, PATIENCE, topic, node))
        return self.scheme.own_ms(engine) + self.word(engine, node, topic, at, out)

    def word(self, engine: Engine, node: int, topic: int, at: float, out: Outcome) -> float:
        """Collectors count for all; where they are silent the others count for themselves."""
        words = self.words[topic]
        words[node] += 1
        out.records += 1
        spent = self.scheme.share_ms(engine, words[node])
        if words[node] != self.q or self.done[topic][node]:
            return spent
        self.holds(engine, node, topic, at, out)
        return spent + self.scheme.made_ms(self.q)

    def holds(self, engine: Engine, node: int, topic: int, at: float, out: Outcome) -> None:
        """The certificate is here, made or given; a collector serves its share of the others."""
        self.done[topic][node] = True
        out.certified.append(topic)
        chosen = self.of[topic]
        if node in chosen and node not in self.dead[topic]:
            mine = chosen.index(node)
            share = [to for to in engine.others(node) if to % len(chosen) == mine and to not in chosen]
            self.push(engine, node, topic, share, out)
            out.later.append((at + PUSH_GRACE_MS, PUSH, topic, node))

    def push(self, engine: Engine, node: int, topic: int, to: list[int], out: Outcome) -> None:
        self.shown[topic][node].update(to)
        out.sends.append(Send(CERTIFICATE, topic, node, to, self.scheme.size(engine, self.q)))

    def certificate(self, engine: Engine, node: int, topic: int, at: float, out: Outcome) -> float:
        spent = engine.costs.receive + engine.costs.receive_per_kib * self.scheme.size(engine, self.q) / 1024
        if self.done[topic][node]:
            return spent
        self.holds(engine, node, topic, at, out)
        out.records += 1
        to = [one for one in self.of[topic] if one != node]
        out.sends.append(Send(SHOWN, topic, node, to, SHOWN_BYTES))
        return spent + self.scheme.checked_ms(engine, self.q)


class Tree(Counting):
    """Two levels: about √n relays gather the words of their members for 5 ms and hand them on to the origin, who makes
    the certificate; it comes down the same way, checked before it is passed on."""

    GATHER_MS = 5.0

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        width = max(2, math.isqrt(engine.n))
        self.relays: list[list[int]] = []
        self.relay_of: list[dict[int, int]] = []
        for origin in engine.origins:
            order = [node for node in engine.others(origin) if engine.speaks[node]]
            relays = order[:width]
            self.relays.append(relays)
            self.relay_of.append({node: relays[at % width] for at, node in enumerate(order[width:])})
        self.gathered = [[0] * engine.n for _ in engine.origins]

    def begin(self, engine: Engine) -> None:
        start(engine)

    def take(self, engine: Engine, node: int, item: Item, out: Outcome) -> float:
        at, kind, topic, value = item
        costs = engine.costs
        origin = engine.origins[topic]
        if kind == SENSE:
            say_first(engine, node, topic, out)
            return self.count(engine, node, topic, out, own=True)
        if kind == FIRST:
            out.own, out.records = True, out.records + 2
            self.hand_up(engine, node, topic, at, out)
            return 2 * costs.receive + costs.first + costs.judged
        if kind == WORD:
            out.records += 1
            self.gather(node, topic, at, 1, out)
            return costs.receive + costs.word(1, engine.f, engine.q)
        if kind == GATHER:
            many, self.gathered[topic][node] = self.gathered[topic][node], 0
            out.sends.append(Send(BUNDLE, topic, many, [origin], many * costs.entry_bytes))
            return 0.0
        if kind == BUNDLE:
            return self.bundle(engine, node, topic, value, out)
        return self.down(engine, node, topic, out)

    def hand_up(self, engine: Engine, node: int, topic: int, at: float, out: Outcome) -> None:
        relay = self.relay_of[topic].get(node)
        if relay is None:
            self.gather(node, topic, at, 1, out)
        else:
            out.sends.append(Send(WORD, topic, node, [relay], engine.costs.entry_bytes))

    def gather(self, node: int, topic: int, at: float, many: int, out: Outcome) -> None:
        if not self.gathered[topic][node]:
            out.later.append((at + self.GATHER_MS, GATHER, topic, node))
        self.gathered[topic][node] += many

    def bundle(self, engine: Engine, node: int, topic: int, many: int, out: Outcome) -> float:
        costs = engine.costs
        spent = costs.receive + costs.receive_per_kib * many * costs.entry_bytes / 1024
        had = self.done[topic][node]
        spent += sum(self.count(engine, node, topic, out) for _ in range(many))
        if self.done[topic][node] and not had:
            size = int(costs.certificate_per_signer * self.q)
            out.sends.append(Send(CERTIFICATE, topic, node, self.relays[topic], size))
        return spent

    def down(self, engine: Engine, node: int, topic: int, out: Outcome) -> float:
        costs = engine.costs
        size = int(costs.certificate_per_signer * self.q)
        self.done[topic][node] = True
        out.certified.append(topic)
        out.records += 1
        below = [one for one, relay in self.relay_of[topic].items() if relay == node]
        if below:
            out.sends.append(Send(CERTIFICATE, topic, node, below, size))
        return costs.receive + costs.receive_per_kib * size / 1024 + costs.checking(self.q)


def liars_in_committee(n: int, liars: int, m: int) -> list[float]:
    """P(the committee of m holds exactly k of `liars`), k = 0 … m: hypergeometric."""
    ways = math.comb(n, m)
    return [
        math.comb(liars, k) * math.comb(n - liars, m - k) / ways if k <= liars and m - k <= n - liars else 0.0
        for k in range(m + 1)
    ]


def committee_risks(n: int, liars: int, m: int) -> tuple[float, float]:
    """P(more than a third of m lie: they can silence it, and two of its quorums need not share an honest one), P(they
    alone are its quorum: they certify what no honest member saw)."""
    chance = liars_in_committee(n, liars, m)
    f = (m - 1) // 3
    return sum(chance[f + 1 :]), sum(chance[m - f :])
