"""What the machine itself costs, measured in the same run: nobody's certificate can be faster than these."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from node import mark
from node.store import Batch, EntryRow, RecordRow, Store
from protocol.crypto import Signer, sha256, verify
from protocol.ids import PublicKey
from tests.bench.figures import percentiles

ROUNDS = 200
WORD = bytes(350)
"""An attestation has about this many bytes."""


def floors(folder: Path) -> dict[str, dict[str, float]]:
    """name → ms: commits and marks on the disk the nodes use, one signature, one round trip over loopback TCP."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        return {
            "store_commit_ms": _store(Path(place)),
            "mark_write_ms": _mark(Path(place)),
            "verify_ms": verification(),
            "loopback_round_trip_ms": _loopback(),
        }


def _timed(do: Callable[[int], object]) -> dict[str, float]:
    found = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        do(number)
        found.append((time.perf_counter() - began) * 1000)
    return percentiles(found)


def _store(place: Path) -> dict[str, float]:
    store = Store.open(place / "floor.db")
    store.bind_network(bytes(32), "floor")

    def commit(number: int) -> None:
        entry = EntryRow("floor", 1, number, sha256(number.to_bytes(4, "big")), WORD, True, number)
        store.commit(Batch((RecordRow(1, 1, WORD),), (entry,), (), ()))

    try:
        return _timed(commit)
    finally:
        store.close()


def _mark(place: Path) -> dict[str, float]:
    path = place / mark.NAME
    return _timed(lambda number: mark.write(path, mark.Mark(PublicKey(bytes(32)), 1, number, bytes(32), (WORD,))))


def verification() -> dict[str, float]:
    """One Ed25519 signature over as many bytes as an attestation has, ms."""
    signer = Signer(bytes(range(32)))
    signature = signer.sign(WORD)
    return _timed(lambda _: verify(signer.public, WORD, signature))


def _loopback() -> dict[str, float]:
    here = socket.create_server(("127.0.0.1", 0))
    there = socket.create_connection(here.getsockname())
    peer, _ = here.accept()
    for one in (there, peer):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def echo() -> None:
        while got := peer.recv(1024):
            peer.sendall(got)

    thread = threading.Thread(target=echo, daemon=True)
    thread.start()

    def round_trip(_: int) -> None:
        there.sendall(WORD)
        left = len(WORD)
        while left:
            left -= len(there.recv(1024))

    try:
        return _timed(round_trip)
    finally:
        there.close()
        thread.join(1)
        peer.close()
        here.close()
