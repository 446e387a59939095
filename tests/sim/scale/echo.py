"""Several peers in one process: `python -m tests.sim.scale.echo ALLOWED_ID MULTIADDR COUNT`.

Prints their ids; each answers a frame that begins with `e` with the same frame, and swallows the rest.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack

import trio

from node.transport.api import Channel, PeerAddress, ReceivedFrame
from tests.integration.transport.support import QUICK, TOPIC, seed


async def main(allowed_id: str, address: str, count: str) -> None:
    from node.transport.host import Libp2pTransport

    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        ids = []
        for i in range(int(count)):
            allowed = {allowed_id: PeerAddress(allowed_id, (address,))}
            one = Libp2pTransport(seed(f"scale-{i}"), "/ip4/127.0.0.1/tcp/0", allowed, TOPIC, timing=QUICK)

            async def run(one: Libp2pTransport = one, task_status: trio.TaskStatus = trio.TASK_STATUS_IGNORED) -> None:
                await one.run(task_status=task_status)

            await nursery.start(run)
            nursery.start_soon(answer, one, allowed_id)
            ids.append(one.peer_id)
        print(*ids, flush=True)
        await trio.sleep(120)
        nursery.cancel_scope.cancel()


async def answer(one: object, to: str) -> None:
    async for event in one.events:  # type: ignore[attr-defined]
        if isinstance(event, ReceivedFrame) and event.channel is Channel.ENTRIES and event.frame[:1] == b"e":
            one.send(to, Channel.ENTRIES, event.frame)  # type: ignore[attr-defined]


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:4])
