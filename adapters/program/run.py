"""One run of a program: one line in, one line out, within bounds of time, memory and noise. No shell is involved."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from adapters.program import launch
from adapters.program.trusted import fault_of, folder_fault
from adapters.program.words import LINE_BYTES_MAX, ProgramFault, plain

ERROR_BYTES_MAX = 65_536
ERROR_CHARS_TOLD = 200
KILLED_S = 2.0
"""For the pipes of a group that was killed: who left the group could hold them for ever."""
PATH = "/usr/bin:/bin"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    step_s: float
    """Wall clock of one run."""
    cpu_s: int
    memory_mib: int
    """Of address space, of each process."""
    file_mib: int
    processes: int
    """Of this user in all, as the system counts; root is not bound by it."""

    def rlimits(self) -> dict[str, int]:
        return {
            "RLIMIT_CPU": self.cpu_s,
            "RLIMIT_AS": self.memory_mib * MIB,
            "RLIMIT_FSIZE": self.file_mib * MIB,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_NOFILE": 256,
            "RLIMIT_CORE": 0,
        }


@dataclass(frozen=True)
class Program:
    command: tuple[str, ...]
    folder: Path
    names: tuple[str, ...]
    """Of the environment's variables that it is given."""
    limits: Limits

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        own = {"PATH": PATH, "LANG": "C.UTF-8"}
        return own | {name: given[name] for name in self.names if name in given}


@dataclass
class _Heard:
    raw: bytearray
    most: int
    full: bool = False

    async def listen(self, stream: trio.abc.ReceiveStream, scope: trio.CancelScope) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for chunk in stream:
                self.raw += chunk[: self.most + 1 - len(self.raw)]
                if len(self.raw) > self.most:
                    self.full = True
                    scope.cancel()
                    return


async def run(program: Program, line: bytes) -> bytes:
    """What it wrote. ProgramFault where it did not end in time, well and within bounds. Its group is then gone."""
    fault = await trio.to_thread.run_sync(_untrusted, program)
    if fault:
        raise ProgramFault(f"is not run: {fault}")
    process = await _start(program)
    out, err = _Heard(bytearray(), LINE_BYTES_MAX), _Heard(bytearray(), ERROR_BYTES_MAX)
    with trio.move_on_after(program.limits.step_s) as scope:
        try:
            await _talk(process, line, out, err, scope)
        finally:
            await _end(process)
    return _heard(program, process, out, err, scope.cancelled_caught)


def _untrusted(program: Program) -> str:
    return fault_of(program.command) or folder_fault(program.folder)


async def _start(program: Program) -> Any:
    # -I and -S: nothing of the node's environment reaches the launcher, and it starts in 10 ms
    launcher = [sys.executable, "-I", "-S", str(Path(launch.__file__)), json.dumps(program.limits.rlimits())]
    open_process: Any = trio.lowlevel.open_process
    try:
        return await open_process(
            [*launcher, *program.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=program.folder,
            env=program.environment(os.environ),
            start_new_session=True,
        )
    except OSError as broken:
        raise ProgramFault(f"cannot be started: {broken.strerror}") from None


async def _talk(process: Any, line: bytes, out: _Heard, err: _Heard, scope: trio.CancelScope) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_write, process.stdin, line)
        nursery.start_soon(out.listen, process.stdout, scope)
        nursery.start_soon(err.listen, process.stderr, scope)
        await process.wait()
        _kill(process)  # what it left behind holds its pipes
        nursery.cancel_scope.deadline = trio.current_time() + KILLED_S


async def _write(stream: trio.abc.SendStream, line: bytes) -> None:
    """A program that does not read is judged by what it says."""
    with contextlib.suppress(trio.BrokenResourceError):
        async with stream:
            await stream.send_all(line)


def _kill(process: Any) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(process: Any) -> None:
    _kill(process)
    with trio.CancelScope(shield=True):
        await process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            await stream.aclose()


def _heard(program: Program, process: Any, out: _Heard, err: _Heard, cancelled: bool) -> bytes:
    if out.full:
        raise ProgramFault(f"said more than {LINE_BYTES_MAX} bytes")
    if err.full:
        raise ProgramFault(f"wrote more than {ERROR_BYTES_MAX} bytes of errors")
    if cancelled:
        raise ProgramFault(f"gave no answer within {program.limits.step_s:g} s, and was ended")
    code = process.returncode
    if code:
        how = f"was ended by {_signal(-code)}" if code < 0 else f"ended with {code}"
        said = plain(bytes(err.raw).decode("utf-8", "replace"), ERROR_CHARS_TOLD)
        raise ProgramFault(f"{how}{': ' if said else ''}{said}")
    return bytes(out.raw)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
