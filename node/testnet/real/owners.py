"""A Safe's owners in a story: each reads a proposal from its file and signs it, by a key that no node has.

They sign one after another, so that it can be seen that too few of them move nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from adapters.evm.evm_key import EvmKey
from adapters.evm.safe_files import FileFault, parse_proposal, sign_proposal
from node.testnet.real.safe_council import INBOX, owner_keys
from node.testnet.scenario import Role
from node.testnet.world import World

KIND = "safe"
LOOK_S = 0.2
APART_S = 1.0
"""From one owner's signature to the next one's."""


@dataclass(frozen=True)
class Signed:
    """One owner's signature on one proposal. `number`: of the owners who signed it, this is the first, second…"""

    safe: str
    does: str
    key: str
    number: int
    needed: int
    at_ms: int


class Owners:
    """Those of one Safe, who watch the directory in which its node puts what is to be signed."""

    def __init__(self, world: World, role: Role, data: Path, say: Callable[[str], None]) -> None:
        self.safe = next(one for one in world.scenario.things.values() if _is_of(role, one.name, one.kind))
        self.needed = int(self.safe.params["needed"])
        keys = owner_keys(world.scenario, world.seed, world.arm, self.safe)
        self._keys = [EvmKey(key) for key in keys[: self.needed]]
        self._inbox, self._say, self._done = data / INBOX, say, set[str]()
        self.signed: list[Signed] = []

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            for path in sorted(self._inbox.glob("*.proposal.json")):
                if path.name not in self._done:
                    self._done.add(path.name)
                    await self._sign(path)
            await trio.sleep(LOOK_S)

    async def _sign(self, path: Path) -> None:
        try:
            one = parse_proposal(await trio.Path(path).read_text("utf-8"))
        except (OSError, FileFault) as broken:
            self._say(f"an owner of {self.safe.name} does not sign {path.name}: {broken}")
            return
        for number, key in enumerate(self._keys, 1):
            if number > 1:
                await trio.sleep(APART_S)
            name = f"{one.does}-{one.tx.nonce}-{one.key.hex()[:16]}-{number}.json"
            part = trio.Path(self._inbox / f".{name}")  # whoever reads the directory never sees half a file
            await part.write_text(sign_proposal(one, key), "utf-8")
            await part.rename(self._inbox / name)
            now_ms = time.time_ns() // 1_000_000
            self.signed.append(Signed(self.safe.name, one.does, one.key.hex(), number, self.needed, now_ms))
            self._say(f"✎ {self.safe.name}: {number} of {self.needed} owners needed have signed to {one.does}")


def _is_of(role: Role, name: str, kind: str) -> bool:
    return kind == KIND and any(one.startswith(f"{name}.") for one in role.levers)


def has_owners(world: World, role: Role) -> bool:
    return any(_is_of(role, one.name, one.kind) for one in world.scenario.things.values())
