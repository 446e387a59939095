"""A transaction on its way, and the file that keeps those at relays: no provider could tell the node's next life of
them, and of two that wait there it would not know which nonce is whose."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from adapters.evm.errors import ChainDown, NotSent

FILE_BYTES_MAX = 16 * 1024 * 1024


@dataclass
class Waiting:
    """Under the hash that it was first sent with. Times are trio's, in seconds."""

    tx: bytes
    nonce: int
    unpriced: dict[str, Any]
    fees: dict[str, int]
    raw: bytes
    """As it is signed now."""
    began_s: float
    since_s: float
    """Since when it waits at this price."""
    hashes: list[bytes] = field(default_factory=list)
    """Of all its prices, `tx` among them: any may be the one that is mined."""
    relayed: bool = False
    """A relay was given it: it may be on its way though no provider knows it."""
    public: bool = False
    """Of a relayed one: the connections have it too."""
    handed_s: float = 0.0
    """When a relay was last given it."""
    tried_s: float = float("-inf")
    """When the connections were last given it."""
    over: bool = False
    """The chain is past its nonce, or nobody waits for it any more."""

    def says_the_same(self, to: bytes | None, data: bytes) -> bool:
        return bool(self.unpriced.get("to") == to and self.unpriced["data"] == data)


class Memory:
    """Of one account on one chain, beside the node's other files; `path` None: nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, trio.Lock()

    async def save(self, waiting: Callable[[], Sequence[Waiting]]) -> None:
        """Before a relay is given anything. NotSent."""
        if self._path is None:
            return
        try:
            async with self._lock:
                text = json.dumps([_plain(one, trio.current_time(), time.time()) for one in waiting()])
                await trio.to_thread.run_sync(_write, self._path, text)
        except OSError as error:
            raise NotSent(f"{self._path} cannot be written, so no relay is given anything: {error.strerror}") from None

    async def load(self) -> list[Waiting]:
        """ChainDown where it cannot be read: something may wait that nobody knows."""
        if self._path is None:
            return []
        try:
            raw = await trio.to_thread.run_sync(_read, self._path)
            return [_parsed(one, trio.current_time(), time.time()) for one in json.loads(raw)]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as broken:
            cure = "see whether a relay still has a transaction of the account, then remove that file"
            raise ChainDown(f"{self._path} cannot be read ({type(broken).__name__}): {cure}") from None


def _plain(one: Waiting, now_s: float, wall_s: float) -> dict[str, Any]:
    def wall_ms(at_s: float) -> int:
        return round((wall_s - now_s + at_s) * 1000)

    unpriced = {name: f"0x{value.hex()}" if type(value) is bytes else value for name, value in one.unpriced.items()}
    return {
        "nonce": one.nonce,
        "unpriced": unpriced,
        "fees": one.fees,
        "raw": one.raw.hex(),
        "hashes": [hash_.hex() for hash_ in one.hashes],
        "public": one.public,
        "began_ms": wall_ms(one.began_s),
        "handed_ms": wall_ms(one.handed_s),
    }


def _parsed(told: dict[str, Any], now_s: float, wall_s: float) -> Waiting:
    def at_s(wall_ms: int) -> float:
        # a clock that was put back must not make it younger than now
        return now_s - max(0.0, wall_s - int(wall_ms) / 1000)

    unpriced = {
        name: bytes.fromhex(value[2:]) if type(value) is str else int(value) for name, value in told["unpriced"].items()
    }
    fees = {str(name): int(wei) for name, wei in told["fees"].items()}
    hashes = [bytes.fromhex(hash_) for hash_ in told["hashes"]]
    one = Waiting(
        hashes[0] if hashes else b"", int(told["nonce"]), unpriced, fees, bytes.fromhex(told["raw"]),
        at_s(told["began_ms"]), now_s, hashes, True, bool(told["public"]), at_s(told["handed_ms"]),
    )  # fmt: skip
    if not hashes or unpriced["nonce"] != one.nonce or type(unpriced["data"]) is not bytes:
        raise ValueError("no transaction")
    return one


def _read(path: Path) -> bytes:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError("too long")
    return raw


def _write(path: Path, text: str) -> None:
    """Whole or not at all, durable, 0600: who reads it can run ahead of what it holds."""
    part = path.with_name(f".{path.name}.part")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(file, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(file)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
