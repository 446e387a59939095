"""js-libp2p's gossipsub on the same ground: one node process a member, everything as it comes, each message verified.

Run as `python -m tests.bench.js_mesh JOB-JSON`; prints one JSON line: the times, or `{"reason": why there are none}`.

Installed on demand beside this file by `npm ci` from a lock file with hashes; nothing of it is needed for anything
else. Its peers are let warm up first, which ours are not: JavaScript is compiled while it runs.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.ground import Ground, Road, ground
from tests.bench.members import names_of
from tests.bench.round import schedule, spans

HERE = Path(__file__).parent / "js"
NODE_LEAST = 20
PAYLOAD_BYTES = 380
"""An attestation of ours; gossipsub's own signature, key and topic come on top."""
WARM_UP = 2
SLOWER = 2.0
INSTALL_S = 180
END_S = 5


class NoGossipsub(Exception):
    """Why there is nothing to compare with, in one line."""


def prepare() -> None:
    """Installed where it was not. NoGossipsub where Node is missing or too old, or npm cannot install."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        raise NoGossipsub("node is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if not version.startswith("v") or int(version[1:].partition(".")[0]) < NODE_LEAST:
        raise NoGossipsub(f"node is {version or 'of no known version'}, {NODE_LEAST} or later is needed")
    if (HERE / "node_modules" / ".package-lock.json").exists():
        return
    if npm is None:
        raise NoGossipsub("npm is not installed")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        raise NoGossipsub(f"npm ci took more than {INSTALL_S} s") from None
    if done.returncode != 0:
        raise NoGossipsub(f"npm ci failed: {' '.join(done.stderr.split())[-200:]}")


@dataclass
class Job:
    """`mode`: answer or storm; `count` rounds of it."""

    mode: str
    members: int
    count: int
    road: dict[str, Any] = field(default_factory=dict)


class _Peer:
    def __init__(self, stands: Ground, name: str, quorum: int) -> None:
        number = stands.names.index(name)
        host, port = stands.listen[name]
        earlier = [stands.dial[(name, other)] for other in stands.names[:number]]
        command = ["node", "--import", "./polyfill.mjs", "peer.mjs"]
        with stands.inside(name):
            self.process = subprocess.Popen(
                command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        self.say(
            {
                "number": number,
                "members": len(stands.names),
                "quorum": quorum,
                "listen": f"/ip4/{host}/tcp/{port}",
                "dial": [f"/ip4/{there}/tcp/{at}" for there, at in earlier],
                "payload": PAYLOAD_BYTES,
            }
        )

    def say(self, what: Any) -> None:
        if self.process.stdin is not None:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()

    def hear(self) -> Any:
        line = self.process.stdout.readline() if self.process.stdout is not None else ""
        if not line:
            raise NoGossipsub("a js peer ended; what it said stands above")
        return json.loads(line)

    def end(self) -> None:
        with suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def play(mode: str, members: int, count: int, road: Road) -> dict[str, list[float]]:
    """{quorum: ms a round until Q are on everybody, all: until all are}, of the rounds that got there. NoGossipsub."""
    prepare()
    names: Sequence[str] = names_of(members)
    quorum = members - math.floor((members - 1) / 3)
    peers: list[_Peer] = []
    with ground(names, road) as stands:
        try:
            for name in names:
                peers.append(_Peer(stands, name, quorum))
            for peer in peers:
                peer.hear()
            for rounds in (WARM_UP, count):
                plan = schedule(mode, range(members), rounds, road, SLOWER)
                for peer in peers:
                    peer.say(plan)
                told = [peer.hear() for peer in peers]
        finally:
            for peer in peers:
                peer.end()
    found = {kind: spans(told, f"{kind}_ms", count) for kind in ("quorum", "all")}
    if not found["quorum"]:
        raise NoGossipsub(f"gossipsub delivered none of {count} rounds to everybody in time")
    return found


def run(job: Job) -> dict[str, Any]:
    try:
        return play(job.mode, job.members, job.count, Road(**job.road))
    except NoGossipsub as error:
        return {"reason": str(error)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(Job(**json.loads(sys.argv[1])))) + "\n")
