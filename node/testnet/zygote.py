"""A process that imported everything once and forks on request.

It owns no event loop, thread, socket, random generator or log handler: a child starts as if it had been started
alone, minus the imports. Two pipes lead to it, one JSON line a request. When the supervisor goes away, however it
goes, the pipe ends and everything that was forked ends with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

Job = Callable[[dict[str, Any]], int]
LATE = (
    "adapters.evm.factory",
    "adapters.log_lever",
    "alembic.command",
    "alembic.config",
    "alembic.context",
    "alembic.op",
    "eth_hash.backends.pycryptodome",
    "httpcore",
    "libp2p.network.connection.swarm_connection",
    "mako.ext.pygmentplugin",
    "pydantic.v1",
    "sqlalchemy.ext.compiler",
)
"""What a node imports only when it needs it, and then seven children would each for itself: 0.4 s of CPU a child and
memory that none of them shares."""


def import_everything() -> dict[str, Job]:
    """What a child may become. Imported here, before the fork: libp2p, web3 and the HTTP server take seconds."""
    from node import app, cli
    from node.config import load
    from node.testnet import actors, forker, liar, proxy
    from node.testnet.chain import serve_chain

    for name in LATE:
        importlib.import_module(name)

    def member(job: dict[str, Any]) -> int:
        return app.run(load(Path(job["config"])))

    def lying_member(job: dict[str, Any]) -> int:
        return liar.run(load(Path(job["config"])), Path(job["lies"]))

    def chain(job: dict[str, Any]) -> int:
        accounts = {str(address): int(wei) for address, wei in job["accounts"].items()}
        serve_chain(job["chain_id"], job["port"], ready_fd=None, genesis_accounts=accounts)
        return 0

    def actor(job: dict[str, Any]) -> int:
        {"attacker": actors.run_attacker, "crowd": actors.run_crowd, "people": actors.run_people}[job["actor"]](
            job["spec"]
        )
        return 0

    def delays(job: dict[str, Any]) -> int:
        proxy.main(job["routes"])
        return 0

    def forking_member(job: dict[str, Any]) -> int:
        return forker.run(load(Path(job["config"])), Path(job["cue"]))

    def defiant_member(job: dict[str, Any]) -> int:
        return forker.run_defiant(load(Path(job["config"])))

    def command(job: dict[str, Any]) -> int:
        with open(job["out"], "ab", buffering=0) as file:
            os.dup2(file.fileno(), 1)
        code = cli.main(job["words"])
        sys.stdout.flush()
        return code

    members = {"member": member, "liar": lying_member, "forker": forking_member, "defiant": defiant_member}
    return {**members, "chain": chain, "actor": actor, "proxy": delays, "command": command}


def fork_zygote() -> tuple[int, int, int]:
    """(pid, write end of requests, read end of answers). Call before any loop or thread exists."""
    jobs = import_everything()
    if threading.active_count() != 1:
        raise RuntimeError(f"a thread runs before the fork: {[one.name for one in threading.enumerate()]}")
    gc.collect()
    # for good: a child that looked through the imported objects for garbage would make a copy of every page of them
    gc.freeze()
    asks_read, asks_write = os.pipe()
    answers_read, answers_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(asks_write)
        os.close(answers_read)
        _serve(jobs, asks_read, answers_write)
    os.close(asks_read)
    os.close(answers_write)
    return pid, asks_write, answers_read


def _serve(jobs: dict[str, Job], asks: int, answers: int) -> NoReturn:
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        # it lives as long as the supervisor's end of the pipe, and whoever stops the supervisor ends that
        signal.signal(number, signal.SIG_IGN)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: set[int] = set()
    buffer = b""
    try:
        while True:
            ready, _, _ = select.select([asks, wake_read], [], [])
            if wake_read in ready:
                os.read(wake_read, 4096)
                _reap(children, answers)
            if asks in ready:
                arrived = os.read(asks, 65_536)
                if not arrived:
                    break
                buffer += arrived
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    _fork(jobs, json.loads(line), children, answers, (asks, wake_read, wake_write))
    except OSError:
        pass  # the supervisor is gone: what follows is all there is left to do
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _tell(answers: int, message: dict[str, Any]) -> None:
    os.write(answers, json.dumps(message).encode() + b"\n")


def _reap(children: set[int], answers: int) -> None:
    while children:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        children.discard(pid)
        _tell(answers, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _fork(jobs: dict[str, Job], job: dict[str, Any], children: set[int], answers: int, close: tuple[int, ...]) -> None:
    pid = os.fork()
    if pid:
        children.add(pid)
        _tell(answers, {"forked": job["id"], "pid": pid})
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for descriptor in (*close, answers):
        os.close(descriptor)
    _become(jobs, job)


def _become(jobs: dict[str, Job], job: dict[str, Any]) -> NoReturn:
    """The child's whole life. Whatever it prints goes to its own file."""
    code = 1
    try:
        with open(job["stderr"], "ab", buffering=0) as file:
            os.dup2(file.fileno(), 2)
            os.dup2(file.fileno(), 1)
        code = jobs[job["kind"]](job)
    except BaseException as error:
        sys.stderr.write(f"{job['kind']} died: {type(error).__name__}: {error}\n")
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stderr.flush()
        os._exit(code)
