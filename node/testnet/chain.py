"""The embedded chain as a process: `python -m node.testnet.chain --chain-id 1 --port 0 --accounts JSON`.

Once it listens it writes one JSON line, {"url", "chain_id", "pid"}, to `ready_fd` (or standard output).
"""

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Mapping

import trio

from node.testnet.chain_evm import EmbeddedChain
from node.testnet.chain_http import serve_http
from node.testnet.chain_rpc import Rpc


def serve_chain(
    chain_id: int,
    port: int,
    *,
    ready_fd: int | None,
    genesis_accounts: Mapping[str, int],
    block_interval_s: float = 1.0,
    parent_pid: int | None = None,
) -> None:
    """Serve one chain on 127.0.0.1 until killed; runs its own trio loop, so in a process of its own.

    `port` 0 takes a free one. `genesis_accounts` maps 0x addresses to wei; their keys stay with the callers.
    With `parent_pid` it ends by itself within a block interval of that parent's death. Raises ValueError for
    an account that is not 20 bytes of hex or a negative balance, OSError for a port in use.
    """
    accounts = {_address(text): _wei(wei) for text, wei in genesis_accounts.items()}
    chain = EmbeddedChain(chain_id, accounts)
    # web3, too, raises the limit when a zygote imports it; see chain_evm for what that does to a parser
    sys.setrecursionlimit(1000)
    # what was imported lives as long as the process: keep the collector off it (and its pages shared)
    gc.collect()
    gc.freeze()
    trio.run(_serve, chain, port, ready_fd, block_interval_s, parent_pid)


async def _serve(
    chain: EmbeddedChain, port: int, ready_fd: int | None, interval_s: float, parent_pid: int | None
) -> None:
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    bound = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_http, listeners, Rpc(chain).answer)
        ready = {"url": f"http://127.0.0.1:{bound}", "chain_id": chain.chain_id, "pid": os.getpid()}
        fd = sys.stdout.fileno() if ready_fd is None else ready_fd
        os.write(fd, json.dumps(ready).encode() + b"\n")
        if ready_fd is not None:
            os.close(ready_fd)
        await _tick(chain, interval_s, parent_pid)
        nursery.cancel_scope.cancel()


async def _tick(chain: EmbeddedChain, interval_s: float, parent_pid: int | None) -> None:
    """Empty blocks on the clock's own seconds, so that the head's time is the current second."""
    while parent_pid is None or os.getppid() == parent_pid:
        await trio.sleep(interval_s - time.time() % interval_s)
        chain.tick()


def _address(text: str) -> bytes:
    try:
        address = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        address = b""
    if len(address) != 20:
        raise ValueError(f"genesis account {text[:50]!r}: 0x and 40 hex digits expected")
    return address


def _wei(amount: int) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount < 2**255:
        raise ValueError(f"genesis balance {amount!r}: a number of wei, 0 or more, expected")
    return amount


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m node.testnet.chain", description="the embedded chain")
    parser.add_argument("--chain-id", type=int, required=True)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--accounts", default="{}", help='JSON: {"0x…": wei}')
    parser.add_argument("--block-interval", type=float, default=1.0, help="seconds between empty blocks")
    parser.add_argument("--parent", type=int, default=None, help="end when this parent process ends")
    parser.add_argument("--ready-fd", type=int, default=None, help="write the ready line here")
    given = parser.parse_args(arguments)
    try:
        accounts = json.loads(given.accounts)
        serve_chain(
            given.chain_id,
            given.port,
            ready_fd=given.ready_fd,
            genesis_accounts=accounts,
            block_interval_s=max(0.05, given.block_interval),
            parent_pid=given.parent,
        )
    except (ValueError, AttributeError) as wrong:
        sys.stderr.write(f"chain: --accounts: {wrong}\n")
        return 2
    except OSError as taken:
        sys.stderr.write(f"chain: port {given.port}: {taken}; choose another or 0\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
