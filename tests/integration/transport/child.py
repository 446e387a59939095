"""A peer in a process of its own: `python -m tests.integration.transport.child NAME ALLOWED_ID MULTIADDR`.

Prints its own multiaddr once it listens, and swallows what it receives until it is killed.
"""

from __future__ import annotations

import sys

import trio

from node.transport.api import PeerAddress
from tests.integration.transport.support import peer


async def main(name: str, allowed_id: str, address: str) -> None:
    async with peer(name, allowed=(PeerAddress(allowed_id, (address,)),)) as one:
        print(one.transport.listening[0], flush=True)
        await trio.sleep(60)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:4])
