"""A chain that is built once in this process and served from forks of it: each test gets a copy to spoil."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import trio

from node.testnet.chain_evm import EmbeddedChain
from node.testnet.chain_http import serve_http
from node.testnet.chain_rpc import Rpc


async def _serve(chain: EmbeddedChain, ready_fd: int, parent: int) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, listeners, Rpc(chain).answer)
        os.write(ready_fd, str(listeners[0].socket.getsockname()[1]).encode())
        os.close(ready_fd)
        while os.getppid() == parent:
            chain.tick()
            await trio.sleep(1)
        nursery.cancel_scope.cancel()


def _child(chain: EmbeddedChain, ready_fd: int, parent: int) -> None:
    """Never returns: what pytest would do at its end is not this process's to do."""
    with contextlib.suppress(BaseException):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        trio.run(_serve, chain, ready_fd, parent)
    os._exit(0)


@dataclass(frozen=True)
class Copy:
    url: str
    pid: int

    def cut(self) -> None:
        """It takes connections and answers nobody, until `mend`."""
        os.kill(self.pid, signal.SIGSTOP)

    def mend(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@contextlib.contextmanager
def copied(chain: EmbeddedChain) -> Iterator[Copy]:
    """A copy of the chain as it is now, in a process of its own; it ends with the block."""
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if not child:
        os.close(reader)
        _child(chain, writer, parent)
    os.close(writer)
    try:
        port = os.read(reader, 16).decode()
        yield Copy(f"http://127.0.0.1:{port}", child)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextlib.contextmanager
def served(chain: EmbeddedChain) -> Iterator[str]:
    """The address of a copy of the chain as it is now; the copy ends with the block."""
    with copied(chain) as copy:
        yield copy.url


def answering(chain: EmbeddedChain) -> Any:
    """How `People` reach a chain that is in their own process: body → body."""
    return Rpc(chain).answer
