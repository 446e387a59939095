"""What happens to a governed network, scene by scene. Each leaves checks, or is stuck and says where."""

from __future__ import annotations

import json
import shutil
import signal
import time

import trio

from node.testnet.governed_deeds import (
    EPOCH_S,
    FORKED,
    INCIDENT,
    JOINED,
    QUIET_S,
    REMOVED,
    REVOKED,
    SLOW_S,
    STOLEN,
)
from node.testnet.governed_offline import Offline
from node.testnet.governed_site import SUBJECT, now_ms


class Scenes(Offline):
    async def founded(self) -> None:
        for name in self.cast.founders:
            extra = {"cue": str(self.site.home(name) / "cue")} if name == self.cast.forker else {}
            await self.site.up(name, "forker" if extra else "member", **extra)
        await self.site.hears(self.cast.founders, len(self.cast.founders))
        self.say(f"{len(self.seated)} members found a network; {self.q} groups are a quorum")

    async def early_ballots(self) -> None:
        """A proposal of epoch 0 that lacks one group; among the others is one that will leave."""
        others = [name for name in self.cast.founders if name != self.cast.leaver]
        yes = [self.cast.leaver, *others[: self.q - 2]]
        self.early = await self.propose(others[0], "parameters", "--seat", "silence=4d")
        self.early_late = others[self.q - 2]
        await self.vote(self.early, "yes", yes)
        self.say(f"a proposal of epoch 0 has {len(yes)} of {self.q} groups, {self.cast.leaver} among them")

    async def incident(self) -> None:
        await self.raise_(INCIDENT, self.seated[: self.q])
        signers = await self.certified(INCIDENT, self.seated)
        self.say(f"▲ ISOLATE certificate on {INCIDENT}: {len(signers)} groups, at all members; an incident runs")
        self.told("alarm-runs", len(signers) >= self.q, f"{self.q} groups at every node", f"{len(signers)} groups")

    async def admitted(self) -> None:
        """From an application to the seat that counts; what it took is a figure."""
        site, joiner = self.site, self.cast.joiner
        site.settle(joiner)
        await self.decide("sources", "--add", f"{joiner}-people={joiner}=people")
        await site.at(self.seated[0], "network", "export", site.network_file)
        trust = ("--trust", (await site.epoch(self.seated[1]))[1])
        application = site.folder / "application.toml"
        own = ("--dir", site.home(joiner))
        await site.run(
            "member",
            "apply",
            site.network_file,
            *own,
            *trust,
            "--governance-key",
            site.key(joiner),
            "--out",
            application,
        )
        await site.run("join", site.network_file, *own, *trust, "--application", application)
        site.dial_through(joiner)
        await site.up(joiner)
        before = await self.number()
        proposal = await self.propose(self.seated[0], "admit", application)
        await self.vote(proposal, "yes", self.seated[1 : self.q])
        cold = site.cold / "ballot.cbor"
        key = ("--governance-key", site.key(self.seated[0]), "--charter", site.cold / "charter.toml")
        await site.run("vote", "sign", proposal, "yes", "--member", self.seated[0], *key, "--out", cold)
        await site.at(self.seated[-1], "vote", "cast", cold)
        await self.in_epoch(before + 1, self.seated)
        began = time.monotonic()
        self.seated = (*self.seated, joiner)
        await self.in_epoch(before + 1, self.seated)
        await site.hears(self.seated, len(self.seated))
        self.timings_ms["epoch_in_force_to_joiner_counts"] = round((time.monotonic() - began) * 1000, 1)

    async def joins(self) -> None:
        during, joiner = self.seated, self.cast.joiner
        await self.admitted()
        await self.certified(INCIDENT, self.seated)
        self.say(f"{joiner} has a seat: voted in while the alarm runs, started from an epoch hash and a file")
        what = "the alarm stands everywhere, at the joiner too"
        self.told("joined-during-an-incident", True, what, "it does")
        await self.raise_(JOINED, during[: self.q - 1])
        early = await self.uncertified(JOINED, self.seated)
        await self.raise_(JOINED, (joiner,))
        signers = await self.certified(JOINED, self.seated)
        ok = not early and joiner in signers
        self.told("joiner-counts", ok, "no certificate without its word, one with it", ", ".join(sorted(signers)))

    async def larger_quorum(self) -> None:
        """As many groups as were a quorum when it was made; now one more is needed, and a joiner has no say in it."""
        await self.vote(self.early, "yes", (self.early_late, self.cast.joiner))
        enough = self.q - 1

        async def heard(member: str) -> bool:
            return len((await self.site.proposal(member, self.early)).get("yes", ())) >= enough

        await self.site.at_all("the late ballot", self.seated, heard, EPOCH_S)
        await trio.sleep(QUIET_S)
        wrong = await self.where(self.seated, lambda one: one["state"] != "open" or one["needed"] != self.q, self.early)
        got = ", ".join(wrong) or f"{enough} of {self.q} groups, open"
        self.told("too-few-for-the-larger-quorum", not wrong, "it passes nothing", got)

    async def loosening_waits(self) -> None:
        before = await self.number()
        self.loose = await self.propose(self.seated[0], "parameters", "--delay", "loosen=1s")
        await self.vote(self.loose, "yes", self.seated[: self.q])

        async def waits(member: str) -> bool:
            return bool((await self.site.proposal(member, self.loose)).get("state") == "incident")

        await self.site.at_all("what loosens waits for the incident", self.seated, waits, EPOCH_S)
        await self.decide("parameters", "--delay", f"change={SLOW_S:g}s")
        number = await self.number()
        # its delay is the longer one of the new epoch, and runs anew
        await self.site.at_all("what loosens waits on", self.seated, waits, EPOCH_S)
        self.say("a tightening proposal made an epoch while the alarm runs; a loosening one passed and waits")
        self.told("tightening-did-not-wait", number == before + 1, "an epoch during the alarm", f"epoch {number}")
        self.told("loosening-waits", await self.number() == number, "passed, due, and not ordered", "waits at all")

    async def incident_ends(self) -> None:
        before, id_ = await self.number(), (await self.site.alert(self.seated[0], INCIDENT))["id"]
        other = (await self.site.alert(self.seated[0], JOINED))["id"]
        ended_ms = now_ms()
        for one in (id_, other):
            await self.site.all_at(self.seated[: self.q], "alert", "release", one, "--person", "anna")
        await self.in_epoch(before + 1, self.seated)
        told = await self.site.ask(self.seated[0], "/network")
        took_ms = told["epoch"]["activates_ms"] - ended_ms
        ok = took_ms > 0 and told["epoch"]["loosen_delay_ms"] == 1_000
        self.say("the incident is released by a quorum; what loosens is ordered")
        self.told("loosening-after-the-incident", ok, "an epoch after the release", f"{took_ms / 1000:.1f} s after it")

    async def split_vote(self) -> None:
        before, half = await self.number(), (len(self.seated) + 1) // 2
        id_ = await self.propose(self.seated[0], "parameters", "--seat", "term=400d", closes="3s")
        await self.vote(id_, "yes", self.seated[:half])
        await self.vote(id_, "no", self.seated[half:])

        async def ended(member: str) -> bool:
            return bool((await self.site.proposal(member, id_)).get("state") == "failed")

        await self.site.at_all("the split vote has ended", self.seated, ended, EPOCH_S)
        number = await self.number()
        self.say(f"a vote of {half} to {len(self.seated) - half} closes short of a quorum")
        self.told("split-vote-ends", number == before, "failed everywhere, no epoch", f"failed at all, epoch {number}")

    async def removed(self) -> None:
        leaver = self.cast.leaver
        before = await self.number()
        voters = [one for one in self.seated if one != leaver][: self.q]
        id_ = await self.propose(voters[0], "remove", leaver)
        await self.vote(id_, "yes", voters)
        self.seated = tuple(one for one in self.seated if one != leaver)
        await self.in_epoch(before + 1, self.seated)
        await self.site.hears(self.seated, len(self.seated))
        await self.site.down(leaver)
        await self.site.up(leaver, "defiant")
        await self.site.at_all("it runs on", (leaver,), self._answers, EPOCH_S)
        await self.raise_(REMOVED, (leaver, *self.seated[: self.q - 1]))
        wrong = await self.uncertified(REMOVED, self.seated)
        for one in self.seated:
            told = await self.site.alert(one, REMOVED)
            wrong += [one] if leaver in json.dumps(told) else []
        await self.site.down(leaver, signal.SIGKILL)
        self.say(f"{leaver} is removed; its node speaks on, and nobody hears it")
        self.told("removed-counts-nowhere", not wrong, "no word of it at any node", ", ".join(wrong) or "none")
        short = await self.where(self.seated, lambda one: one["state"] != "open" or leaver in one["yes"], self.early)
        told = await self.site.proposal(self.seated[0], self.early)
        got = ", ".join(short) or f"{len(told['yes'])} of {told['needed']} groups, open"
        self.told("ballots-of-who-left-count-no-more", not short, "it passes nothing", got)

    async def _answers(self, member: str) -> bool:
        return await self.site.ask(member, "/status") is not None

    async def stolen(self) -> None:
        site, robbed = self.site, self.cast.robbed
        honest = [one for one in self.seated if one != robbed]
        await site.down(robbed)
        kept = site.folder / "kept"
        shutil.copytree(site.home(robbed), kept, ignore=shutil.ignore_patterns("*.sock"))
        await site.up(robbed, "defiant")
        await site.at_all("the thief is up", (robbed,), self._answers, EPOCH_S)
        await self.raise_(STOLEN, (robbed,))

        async def believed(member: str) -> bool:
            return robbed in json.dumps(await site.alert(member, STOLEN))

        await site.at_all("the thief's word", honest, believed, EPOCH_S)
        self.say(f"{robbed}'s attestation key is stolen, and the thief's words count")
        out, key = site.cold / "revoked.cbor", site.cold / "fresh.key"
        cold = ("--governance-key", site.key(robbed), "--charter", site.cold / "charter.toml")
        await site.run("key", "revoke", robbed, *cold, "--key-out", key, "--out", out)
        began = time.monotonic()
        await site.at(honest[0], "key", "publish", out)

        async def dropped(member: str) -> bool:
            return not await believed(member)

        await site.at_all("the revocation", honest, dropped, EPOCH_S)
        self.timings_ms["published_to_revoked_everywhere"] = round((time.monotonic() - began) * 1000, 1)
        await self.raise_(REVOKED, honest[: self.q - 1])
        await self.site.tocsin(
            "alert", "raise", SUBJECT, REVOKED, "ISOLATE", "--person", "thief", "--config", site.config(robbed)
        )
        wrong = await self.uncertified(REVOKED, honest)
        wrong += [one for one in honest if robbed in json.dumps(await site.alert(one, REVOKED))]
        self.say(f"its owner revokes it with the governance key alone, by the node of {honest[0]}")
        self.told("stolen-key-counts-nowhere", not wrong, "nothing said under it", ", ".join(wrong) or "nothing")
        await site.down(robbed, signal.SIGKILL)
        shutil.rmtree(site.home(robbed))
        kept.rename(site.home(robbed))
        await site.at(robbed, "key", "rotate", "--sealed", out, "--key", key)
        await self.restart(robbed)
        await self.raise_(REVOKED, (robbed,))
        signers = await self.certified(REVOKED, self.seated)
        self.told("owner-counts-again", robbed in signers, "a certificate with its word", ", ".join(sorted(signers)))

    async def restart(self, member: str) -> None:
        await self.site.up(member)
        await self.site.hears(self.seated, len(self.seated))

    async def partition(self) -> None:
        site, before = self.site, await self.number()
        voters = self.seated[: self.q]
        id_ = await self.propose(voters[0], "parameters", "--lease", "isolate=2h")
        await self.vote(id_, "yes", voters)

        async def passed(member: str) -> bool:
            return (await site.proposal(member, id_)).get("passed_ms") is not None

        await site.at_all("passed", self.seated, passed, SLOW_S)
        in_time = [one for one in self.seated if (await site.epoch(one))[0] == before]
        site.cut()
        self.say("the wires between two halves are cut after a vote has passed, before it is ordered")
        await trio.sleep(SLOW_S + 2 * QUIET_S)
        ordered = [one for one in self.seated if (await site.epoch(one))[0] != before]
        ready = [one for one in self.seated if (await site.proposal(one, id_)).get("state") == "ready"]
        ok = not ordered and len(in_time) == len(ready) == len(self.seated)
        got = f"ordered at {', '.join(ordered) or 'none'}, due at {len(ready)} of {len(self.seated)}"
        self.told("no-epoch-in-a-partition", ok, "due at all, ordered at none", got)
        site.heal()
        began = time.monotonic()
        await self.in_epoch(before + 1, self.seated, 60.0)
        self.timings_ms["healed_to_epoch_everywhere"] = round((time.monotonic() - began) * 1000, 1)
        hashes = {await site.epoch(one) for one in self.seated}
        self.say("the wires are whole again, and both halves are in the same next epoch")
        self.told("a-heal-makes-one-epoch", len(hashes) == 1, "one hash at all members", f"{len(hashes)} hashes")
        await site.hears(self.seated, len(self.seated))

    async def equivocator(self) -> None:
        site, forker = self.site, self.cast.forker
        before = (await site.ask(self.seated[0], "/network"))["epoch"]
        honest = [one for one in self.seated if one != forker]
        began = time.monotonic()
        cue = site.home(forker) / "cue"
        # whole or not there: the forker reads it as soon as it sees it
        cue.with_suffix(".new").write_text(f"{SUBJECT} {FORKED}", "utf-8")
        cue.with_suffix(".new").rename(cue)
        await self.in_epoch(before["number"] + 1, honest)
        self.timings_ms["forked_to_suspended_everywhere"] = round((time.monotonic() - began) * 1000, 1)
        told = await site.ask(honest[0], "/network")
        out = [seat["name"] for seat in told["members"] if seat["suspended"]]
        self.say(f"{forker} signs two payloads under one number and is suspended by the proof, without ballots")
        self.told("equivocator-suspended", out == [forker], f"{forker} alone", ", ".join(out) or "nobody")
        fell = [one for one in ("n", "f", "q", "thresholds") if told["epoch"][one] != before[one]]
        self.told("no-threshold-fell", not fell, "n, f, Q and thresholds as before", ", ".join(fell) or "as before")
        await self.raise_(FORKED, honest[: self.q - 1])
        early = await self.uncertified(FORKED, honest)
        await self.raise_(FORKED, honest[self.q - 1 : self.q])
        signers = await self.certified(FORKED, honest)
        ok = not early and forker not in signers
        got = f"{self.q - 1} groups and {forker}: none; {len(signers)} others: a certificate"
        self.told("suspended-weighs-nothing", ok, "a quorum of others is needed", got if ok else ", ".join(early))

    async def play(self) -> None:
        await self.founded()
        await self.early_ballots()
        await self.incident()
        await self.joins()
        await self.larger_quorum()
        await self.loosening_waits()
        await self.incident_ends()
        await self.split_vote()
        await self.removed()
        await self.stolen()
        await self.partition()
        await self.equivocator()
        await self.chain()
