"""The end of the story: the whole chain in a file, and another one that keys of long ago have signed."""

from __future__ import annotations

from governance.charter import parse
from node import keys
from node.testnet.governed_deeds import EPOCH_S, Deeds
from node.testnet.governed_forger import forge
from node.testnet.governed_site import Ran, now_ms


class Offline(Deeds):
    async def chain(self) -> None:
        site = self.site
        honest = [one for one in self.seated if one != self.cast.forker]
        out, trust = site.cold / "whole.cbor", (await site.epoch(honest[0]))[1]

        async def current(member: str) -> bool:
            path = site.cold / "current.cbor"
            path.unlink(missing_ok=True)
            await site.at(member, "network", "export", path)
            return (await site.tocsin("verify", path, "--from", trust)).code == 0

        await site.at_all("a chain that is whole and current", honest[:1], current, EPOCH_S)
        await site.at(honest[0], "network", "export", out)
        ran = await site.tocsin("verify", out, "--from", trust, "-o", "json")
        told = ran.json() if ran.code in (0, 1) and ran.out else {"epochs": []}
        said = [change["says"] for one in told["epochs"] for change in one["changes"]]
        got = f"{len(told['epochs'])} epochs, {len(said)} changes"
        self.told("chain-verifies", ran.code == 0, "exit 0, whole and current", got)
        never = [one for one in said if "silence_ms" in one or "seat_term_ms" in one]
        self.told("only-what-passed-was-made", not never, "no epoch of a failed vote", ", ".join(never) or got)
        hashes = {await site.epoch(one) for one in honest}
        self.told("one-chain-everywhere", len(hashes) == 1, "one head at all members", f"{len(hashes)} heads")
        await self._forged(trust)

    async def _forged(self, trust: str) -> None:
        site = self.site
        charter = parse((site.cold / "charter.toml").read_text("utf-8"))
        held = {}
        for seat in charter.members:
            data = site.home(seat.name) / "data" / "keys"
            retired = sorted(data.glob("attestation.key.retired*"))
            hot = (retired or [data / "attestation.key"])[0]
            cold = keys.load_signer(site.key(seat.name), keys.Purpose.GOVERNANCE)
            held[seat.name] = (cold, keys.load_signer(hot, keys.Purpose.ATTESTATION))
        raw, head = forge(charter, held, now_ms())
        path = site.cold / "forged.cbor"
        path.write_bytes(raw)
        alone = await site.tocsin("verify", path, "--from", head.hex())
        refused = await site.tocsin("verify", path, "--from", trust)
        stranger = site.folder / "stranger"
        await site.run("init", "stranger", "--dir", stranger)
        joined = await site.tocsin("join", path, "--dir", stranger, "--trust", trust)
        ok = alone.code == 0 and refused.code != 0 and joined.code != 0
        self.say("keys of long ago sign another history: every signature holds, and nobody takes it")
        self.told("forged-chain-is-refused", ok, "by verify and by join", _told(alone, refused, joined))


def _told(alone: Ran, refused: Ran, joined: Ran) -> str:
    return f"by itself: exit {alone.code}; verify: {refused.err.strip()[:120]}; join: {joined.err.strip()[:120]}"
