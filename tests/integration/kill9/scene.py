"""The stage: an embedded chain with one pool per kill, the node's files, and what is asked after each life."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from adapters.evm.abi import abi_of
from adapters.evm.artifacts import artifact
from adapters.evm.client import Account, ChainClient, Connection
from adapters.evm.sending import Sender
from governance.card import Card
from governance.charter import Parameters, found, signed, write
from node import keys
from node.config_identity import peer_id_of
from node.control import Control, ControlError, NodeUnreachable
from node.keys import Purpose
from node.store import Store
from node.testnet.chain_process import ChainProcess, start_chain
from protocol.crypto import Signer, sha256
from protocol.envelope import parse_entry
from protocol.ids import GroupName, MemberName, NetworkId, PublicKey, SourceId
from protocol.membership import COUNTED, LEASE_MS_MOST, Source
from protocol.messages import KeySet
from tests.integration.kill9.child import CHAIN, GO, LEFT, POOL, SOURCE, Life, subject
from tests.integration.kill9.forks import Process, Server

E18 = 10**18
OWNER = Account(b"\x01" * 32)
GUARDIAN_KEYS = tuple(bytes([4 + number]) * 32 for number in range(16))
GUARDIANS = tuple(map(Account, GUARDIAN_KEYS))
FUNDED = {"0x" + one.address.hex(): 10**24 for one in (OWNER, *GUARDIANS)}
LEASE_S = 1_800
SERVING_S = 2.0
NAMES = [MemberName(f"m{i}") for i in range(4)]


@dataclass
class Action:
    """What the node's own journal says, and what the chain's log says."""

    told: dict[str, Any]
    restricted: int
    lifted: int
    until_s: int

    @property
    def phase(self) -> str:
        return str(self.told["phase"])


@dataclass
class Scene:
    """One node's. `number`: whose scene, where several share a chain; each then has a guardian's account of its own.
    `lent`: the fork server or the chain is somebody else's to close."""

    folder: Path
    forks: Server
    chain: ChainProcess | None = None
    number: int = 0
    lent: tuple[object, ...] = ()
    pools: list[bytes] = field(default_factory=list)
    token: bytes = b""
    loan: bytes = b""
    network: NetworkId | None = None
    process: Process | None = None
    seen: tuple[int, ...] = ()
    slowest_s: float = 0.0

    # -- one life

    def begin(self, next_: int, point: str, deed: str = "kill") -> None:
        """A fresh process; returns when its control socket answers."""
        began = time.monotonic()
        self.launch(next_, point, deed)
        self._late_pool()
        self.wait(lambda: bool(self.control(lambda c: c.status())), 20, "no answer on the control socket")
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def launch(self, next_: int, point: str, deed: str) -> None:
        # killed from outside before it saw the word: the word was not for the next
        (self.folder / GO).unlink(missing_ok=True)
        self.process = self.forks.start(Life(str(self.folder), self.seen, next_, point, deed))

    def _late_pool(self) -> None:
        """A transaction that the dead node had signed and handed over reaches a block only now."""
        pool = self.folder / POOL
        if pool.exists():
            self.rpc("eth_sendRawTransaction", "0x" + pool.read_bytes().hex())
            pool.unlink()

    def go(self) -> None:
        (self.folder / GO).touch()

    def died(self, within_s: float) -> bool:
        """Whether SIGKILL met it by then; it does not end of anything else."""
        code = self.process.join(within_s) if self.process else None
        assert code in (None, -signal.SIGKILL), f"the node ended by itself with {code}: {self.said()}"
        return code is not None

    def kill(self) -> None:
        if self.process is not None and self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.join(5)

    def stop(self) -> None:
        self.control(lambda c: c.stop())
        assert self.process is not None and self.process.join(10) == 0, self.said()

    def close(self) -> None:
        self.kill()
        if self.forks not in self.lent:
            self.forks.close()
        if self.chain is not None and self.chain not in self.lent:
            self.chain.stop()

    def said(self) -> str:
        logs = [self.folder / "node.log", self.folder / "stderr.log"]
        return "\n".join(log.read_text()[-1500:] for log in logs if log.exists())

    # -- what is asked

    def control(self, ask: Callable[[Control], Any]) -> Any:
        with suppress(NodeUnreachable, ControlError), Control(self.folder / "data" / "c.sock", 5) as control:
            return ask(control)
        return None

    def signing(self) -> bool:
        status = self.control(lambda c: c.status())
        return bool(status and status["signing"]["may"])

    def told(self, number: int) -> dict[str, Any] | None:
        found = [one for one in self.control(lambda c: c.actions()) or () if one["subject"] == str(subject(number))]
        assert len(found) <= 1, found
        return found[0] if found else None

    def wait(self, holds: Callable[[], bool], most_s: float, what: str) -> None:
        until = time.monotonic() + most_s
        while not holds():
            assert time.monotonic() < until, f"{what}: {self.said()}"
            assert self.process is None or self.process.is_alive(), f"it died ({self.process.exitcode}): {self.said()}"
            time.sleep(0.02)

    def rpc(self, method: str, *params: Any) -> Any:
        assert self.chain is not None
        asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.chain.url, asked, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer).get("result")

    def action(self, number: int) -> Action:
        told = self.told(number)
        assert told is not None
        key = "0x" + told["key"]
        abi, pool = abi_of("Lending"), "0x" + self.pools[number].hex()

        def logs(event: str) -> int:
            topics = ["0x" + abi.event(event).topic.hex(), None, None, key]
            asked = {"address": pool, "topics": topics, "fromBlock": "0x0", "toBlock": "latest"}
            return len(self.rpc("eth_getLogs", asked))

        data = abi.function("ltv_zero_until").encode((self.token, False))
        until = int(self.rpc("eth_call", {"to": pool, "data": "0x" + data.hex()}, "latest"), 16)
        return Action(told, logs("Restricted"), logs("Lifted"), until)

    # -- afterwards

    def signed_once(self) -> int:
        """How many own entries there are; fails where one number went out with two contents, or where a word that went
        out is not in the store (an acknowledged vote that was lost)."""
        assert self.network is not None
        by_seq: dict[int, set[bytes]] = {}
        for line in (self.folder / LEFT).read_text().splitlines():
            raw = bytes.fromhex(line)
            by_seq.setdefault(parse_entry(raw, self.network).entry.seq, set()).add(raw)
        twice = {seq: raws for seq, raws in by_seq.items() if len(raws) > 1}
        assert not twice, f"signed twice: {sorted(twice)}"
        store = Store.open(self.folder / "data" / "store.sqlite")
        held = store.entries("m0", keys.FIRST_KEY_VERSION, 0, 4_096, 1 << 30)
        store.close()
        assert [parse_entry(raw, self.network).entry.seq for raw in held] == list(range(len(held)))
        lost = [seq for seq, raws in by_seq.items() if seq >= len(held) or raws != {held[seq]}]
        assert not lost, f"went out and is not in the store: {lost}"
        return len(held)


def build(folder: Path, pools: int, *, lease_s: int = LEASE_S, forks: Server | None = None) -> Scene:
    """Everything before the first life."""
    (folder / "data").mkdir(parents=True, mode=0o700)
    scene = Scene(folder, forks or Server(folder), start_chain("embedded", 1, FUNDED), lent=(forks,))
    try:
        furnish(scene, pools, lease_s)
    except BaseException:
        scene.close()
        raise
    return scene


def beside(other: Scene, folder: Path, number: int, pools: int, *, lease_s: int = LEASE_S) -> Scene:
    """Another node's scene on the chain and the fork server of `other`, to be closed before it."""
    (folder / "data").mkdir(parents=True, mode=0o700)
    scene = Scene(folder, other.forks, other.chain, number, (other.forks, other.chain))
    scene.token, scene.loan = other.token, other.loan
    furnish(scene, pools, lease_s)
    return scene


def bare(folder: Path, forks: Server) -> Scene:
    """A node without a chain and without levers."""
    (folder / "data").mkdir(parents=True, mode=0o700, exist_ok=True)
    scene = Scene(folder, forks, lent=(forks,))
    furnish(scene, 0)
    return scene


def furnish(scene: Scene, pools: int, lease_s: int = LEASE_S) -> None:
    """Contracts and files; without a chain, files that name none that answers."""
    url = "http://127.0.0.1:9"
    if scene.chain is not None:
        url = scene.chain.url
        trio.run(_deploy, scene, pools)
    scene.network = write_files(
        scene.folder, url, scene.pools, scene.token, guardian=GUARDIAN_KEYS[scene.number], lease_s=lease_s
    )


async def _deploy(scene: Scene, pools: int) -> None:
    assert scene.chain is not None
    client = ChainClient((Connection(SOURCE, CHAIN, scene.chain.url),))
    try:
        owner = Sender(client, CHAIN, OWNER)
        if not scene.token:
            scene.token = await owner.deploy(artifact("Token"), ("rs", "RS"))
            scene.loan = await owner.deploy(artifact("Token"), ("weth", "WETH"))
        for _ in range(pools):
            args = (scene.loan, OWNER.address, GUARDIANS[scene.number].address)
            pool = await owner.deploy(artifact("Lending"), args)
            await owner.transact(pool, abi_of("Lending"), "add_collateral", (scene.token, E18, 9_000))
            scene.pools.append(pool)
    finally:
        await client.aclose()


def secret(name: str, purpose: Purpose) -> keys.Secret:
    return keys.derive(purpose, sha256(f"kill9 {name} {purpose.value}".encode()))


def write_files(
    folder: Path,
    url: str,
    pools: Sequence[bytes],
    token: bytes,
    port: int = 4001,
    *,
    guardian: bytes = GUARDIAN_KEYS[0],
    lease_s: int = LEASE_S,
) -> NetworkId:
    """Member m0's directory of a network of four; the network's id. `lease_s`: of its levers; below LEASE_S also the
    longest of an opinion."""
    network = write_member(folder, guardian, lease_s)
    (folder / "policy.toml").write_text(_policy(len(pools), lease_s))
    (folder / "node.toml").write_text(_node(url, pools, token, port))
    return network


def write_member(folder: Path, guardian: bytes, lease_s: int = LEASE_S) -> NetworkId:
    """Its keys and the charter, with `guardian` as the key of its levers."""
    data, now_ms = folder / "data", time.time_ns() // 1_000_000
    keys.make_directory(data)
    for purpose in (Purpose.ATTESTATION, Purpose.TRANSPORT):
        keys.write_key(data, purpose, secret("m0", purpose))
    keys.write_key(data, Purpose.LEVER, keys.Secret(guardian))
    cards = [
        Card(
            name=name,
            group=GroupName(f"g-{name}"),
            governance=Signer(secret(name, Purpose.GOVERNANCE).reveal()).public,
            attestation=Signer(secret(name, Purpose.ATTESTATION).reveal()).public,
            peer_id=peer_id_of(secret(name, Purpose.TRANSPORT).reveal()),
            addresses=("/ip4/127.0.0.1/tcp/4001",),
        )
        for name in NAMES
    ]
    sources = tuple(Source(SourceId(f"{name}.eip155-1"), name, CHAIN) for name in NAMES)
    lease_ms = {level: LEASE_MS_MOST[level] if lease_s == LEASE_S else lease_s * 1000 for level in COUNTED}
    charter = found(cards, Parameters(name="kill9", created_ms=now_ms, lease_ms=lease_ms, sources=sources))
    for card in cards:
        keyset = KeySet(
            card.name, keys.FIRST_KEY_VERSION, PublicKey(card.attestation), None, (card.peer_id,), now_ms + 86_400_000
        )
        charter = signed(charter, card.name, Signer(secret(card.name, Purpose.GOVERNANCE).reveal()), keyset)
    (folder / "charter.toml").write_text(write(charter))
    return charter.network


def _policy(pools: int, lease_s: int) -> str:
    numbers = range(pools)
    lines = ["policy = 1", 'mode = "act"', *(f'asset.a{i} = ["{subject(i)}"]' for i in numbers), "[exposure]"]
    lines += [
        f'p{i} = {{ asset = "a{i}", read = "lending.reserve", max_age = "5m", '
        'ways_out = ["supply", "borrow", "withdraw"] }'
        for i in numbers
    ]
    lines += ["[lever]"] + [
        f'l{i} = {{ on = "p{i}", call = "lending.ltv_zero", closes = ["borrow"], expires_by = "target", '
        'max = "12h", cooldown = "2h" }'
        for i in numbers
    ]
    lines += ["[rule]"] + [
        f'r{i} = {{ asset = "a{i}", level = "none", own = "verified", do = ["l{i}"], for = "{lease_s}s" }}'
        for i in numbers
    ]
    return "\n".join([*lines, 'other = { asset = "any", level = "any", own = "any", do = [], page = true }', ""])


def _node(url: str, pools: Sequence[bytes], token: bytes, port: int) -> str:
    text = (
        f'node = 1\nmember = "m0"\nlisten = "/ip4/127.0.0.1/tcp/{port}"\npolicy = "policy.toml"\n'
        'control = "c.sock"\nlog = "node.log"\n'
        f'[[connection]]\nid = "{SOURCE}"\nchain = "{CHAIN}"\nurl = "{url}"\n'
    )
    for number, pool in enumerate(pools):
        text += (
            f'[target.p{number}]\nkind = "evm.lending"\nchain = "{CHAIN}"\ncontract = "0x{pool.hex()}"\n'
            f'asset = "0x{token.hex()}"\nkey_file = "keys/lever.key"\nusd_per_loan_unit = 1.0\n'
        )
    return text
