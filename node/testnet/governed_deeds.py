"""What the people of a governed network do again and again: propose, vote, raise an alarm, wait for it everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from node.testnet.governed_site import SUBJECT, Json, Site
from node.testnet.scenario import Check

EPOCH_S = 30.0
"""Until an epoch is in force everywhere: generous, how long it took is told as a figure."""
QUIET_S = 1.5
"""What has not happened by then on loopback does not: words are everywhere in milliseconds."""
SLOW_S = 4.0
"""The change delay from the tightening on: time to cut a wire between passing and ordering."""
INCIDENT, JOINED, REMOVED, STOLEN, REVOKED, FORKED = (
    "bridge-forgery",
    "unbacked-supply",
    "oracle-manipulation",
    "key-compromise",
    "liquidity-run",
    "halt-observed",
)
"""One threat for each scene: an alarm of its own."""


class Deeds:
    """`checks` in the order of the story, `timings_ms` by name, `epochs` as (number, hash) in the order entered."""

    def __init__(self, site: Site, say: Callable[[str], None]) -> None:
        self.site, self.cast, self.say = site, site.cast, say
        self.checks: list[Check] = []
        self.timings_ms: dict[str, float] = {}
        self.seated: tuple[str, ...] = self.cast.founders
        self.early = self.loose = ""
        self.began_ms: dict[str, int] = {}

    def told(self, name: str, ok: bool, expected: str, got: str) -> None:
        self.checks.append(Check(name, ok, expected, got))

    @property
    def q(self) -> int:
        n = len(self.seated)
        return n - (n - 1) // 3

    # --- what several scenes need ----------------------------------------------------------------------------------

    async def propose(self, member: str, *words: object, closes: str = "7d") -> str:
        key = ("--governance-key", self.site.key(member), "--closes", closes, "-o", "json")
        return str((await self.site.at(member, "member", "propose", *words, *key)).json()["id"])

    async def vote(self, id_: str, word: str, members: Sequence[str]) -> None:
        """Each by its own node, with its cold key, side by side."""

        async def known(member: str) -> bool:
            return bool(await self.site.proposal(member, id_))

        await self.site.at_all("the proposal", members, known, EPOCH_S)
        async with trio.open_nursery() as nursery:
            for member in members:
                words = ("vote", "cast", id_, word, "--governance-key", self.site.key(member))
                nursery.start_soon(self.site.at, member, *words)

    async def in_epoch(self, number: int, members: Sequence[str], within_s: float = EPOCH_S) -> None:
        async def there(member: str) -> bool:
            return (await self.site.epoch(member))[0] >= number

        await self.site.at_all(f"epoch {number}", members, there, within_s)

    async def number(self) -> int:
        return (await self.site.epoch(self.seated[0]))[0]

    async def decide(self, *words: object, members: Sequence[str] = ()) -> None:
        """A proposal, a quorum's yes, the epoch at all of `members`."""
        before = await self.number()
        voters = self.seated[: self.q]
        await self.vote(await self.propose(voters[0], *words), "yes", voters)
        await self.in_epoch(before + 1, members or self.seated)

    async def raise_(self, threat: str, members: Sequence[str]) -> None:
        await self.site.all_at(members, "alert", "raise", SUBJECT, threat, "ISOLATE", "--person", "anna")

    async def certified(self, threat: str, members: Sequence[str]) -> set[str]:
        async def there(member: str) -> bool:
            return (await self.site.alert(member, threat)).get("level") == "ISOLATE"

        await self.site.at_all(f"an ISOLATE certificate on {threat}", members, there, EPOCH_S)
        return set((await self.site.alert(members[0], threat))["groups"])

    async def uncertified(self, threat: str, members: Sequence[str]) -> list[str]:
        """Where one stands all the same, after a while."""
        await trio.sleep(QUIET_S)
        return [one for one in members if (await self.site.alert(one, threat)).get("level") == "ISOLATE"]

    async def where(self, members: Sequence[str], wrong: Callable[[Json], bool], id_: str) -> list[str]:
        """Members at which a proposal does not stand as it should."""
        return [one for one in members if wrong(await self.site.proposal(one, id_))]


CHECKS = (
    "alarm-runs",
    "joined-during-an-incident",
    "joiner-counts",
    "too-few-for-the-larger-quorum",
    "tightening-did-not-wait",
    "loosening-waits",
    "loosening-after-the-incident",
    "split-vote-ends",
    "removed-counts-nowhere",
    "ballots-of-who-left-count-no-more",
    "stolen-key-counts-nowhere",
    "owner-counts-again",
    "no-epoch-in-a-partition",
    "a-heal-makes-one-epoch",
    "equivocator-suspended",
    "no-threshold-fell",
    "suspended-weighs-nothing",
    "chain-verifies",
    "only-what-passed-was-made",
    "one-chain-everywhere",
    "forged-chain-is-refused",
)
"""All that a whole story leaves; what is missing was not reached."""
