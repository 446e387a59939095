"""Every process of a run: forked by the zygote, known by name, ended by pid."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from node.testnet.chain_process import ChainProcess
from node.testnet.runfile import RunFile

FORK_S = 10.0
END_S = 3.0


class Processes:
    """The supervisor's side of the zygote's two pipes."""

    def __init__(self, zygote: int, asks: int, answers: int, run_dir: Path) -> None:
        self.zygote = zygote
        self._asks, self._answers = asks, answers
        self._dir = run_dir
        self._run_file = RunFile(run_dir)
        self._run_file.add(zygote)
        self.pids: dict[str, int] = {}
        self.codes: dict[str, int] = {}
        self._adopted: list[ChainProcess] = []
        self._adopted_pids: dict[str, int] = {}
        self._forked: dict[str, trio.Event] = {}
        self._ended: dict[int, trio.Event] = {}

    async def listen(self) -> None:
        """What the zygote says, until it ends."""
        async with trio.lowlevel.FdStream(os.dup(self._answers)) as stream:
            buffer = b""
            async for chunk in stream:
                buffer += chunk
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    self._heard(json.loads(line))

    def _heard(self, told: dict[str, Any]) -> None:
        if "forked" in told:
            self.pids[told["forked"]] = told["pid"]
            self._ended[told["pid"]] = trio.Event()
            self._run_file.add(told["pid"])
            self._forked[told["forked"]].set()
        else:
            pid = told["ended"]
            names = [name for name, one in self.pids.items() if one == pid]
            for name in names:
                self.codes[name] = told["code"]
            self._run_file.remove(pid)
            if pid in self._ended:
                self._ended[pid].set()

    async def start(self, name: str, kind: str, **job: Any) -> int:
        self._forked[name] = trio.Event()
        self.codes.pop(name, None)
        message = {"id": name, "kind": kind, "stderr": str(self._dir / f"{name}.err"), **job}
        os.write(self._asks, json.dumps(message).encode() + b"\n")
        with trio.fail_after(FORK_S):
            await self._forked[name].wait()
        return self.pids[name]

    def adopt(self, name: str, process: ChainProcess) -> None:
        """A chain that is a program of its own: it does not end with us unless we end it."""
        self._adopted.append(process)
        self._run_file.add(process.pid)
        self._adopted_pids[name] = process.pid

    def signal(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pids[name], number)

    def alive(self, name: str) -> bool:
        return name in self.pids and name not in self.codes

    async def wait(self, name: str, within_s: float) -> bool:
        with trio.move_on_after(within_s):
            await self._ended[self.pids[name]].wait()
            return True
        return False

    def stderr(self, name: str) -> str:
        path = self._dir / f"{name}.err"
        return path.read_text("utf-8", errors="replace").strip() if path.exists() else ""

    async def end_all(self) -> None:
        """SIGTERM, a moment, SIGKILL; then the zygote, whose end takes along whatever is left."""
        running = [name for name in self.pids if self.alive(name)]
        for name in running:
            self.signal(name, signal.SIGTERM)
        with trio.move_on_after(END_S):
            for name in running:
                await self._ended[self.pids[name]].wait()
        for name in running:
            if self.alive(name):
                self.signal(name, signal.SIGKILL)
        for process in self._adopted:
            await trio.to_thread.run_sync(process.stop)
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._asks)
        with suppress(ChildProcessError, ProcessLookupError):
            os.waitpid(self.zygote, 0)


def pss_mb(pids: list[int]) -> float:
    """Proportional set size: shared pages count once however many share them. 0 where /proc does not say."""
    total_kb = 0
    for pid in pids:
        with suppress(OSError, IndexError, ValueError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines():
                if line.startswith("Pss:"):
                    total_kb += int(line.split()[1])
                    break
    return total_kb / 1024
