"""JSON-RPC providers that misbehave, as real HTTP servers on loopback."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

from adapters.evm.client import ChainClient, Connection
from protocol.ids import SourceId

CHAIN = "eip155:1"


def word(number: int) -> str:
    return "0x" + number.to_bytes(32, "big").hex()


@dataclass
class Fake:
    """Answers by method: a value, or a function of the params. `raw` replaces the whole body of every answer."""

    chain_id: int = 1
    head: int = 100
    time_s: int = 1_700_000_000
    block_s: int = 1
    answers: dict[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0
    raw: bytes | None = None
    status: int = 200
    batches: bool = True
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def one(self, request: dict[str, Any]) -> dict[str, Any]:
        method, params = request["method"], request.get("params", [])
        self.asked.append((method, params))
        answer = self.answers.get(method, self._default(method, params))
        value = answer(params) if isinstance(answer, Callable) else answer
        kind = "error" if isinstance(value, dict) and "code" in value else "result"
        return {"jsonrpc": "2.0", "id": request["id"], kind: value}

    def _default(self, method: str, params: Any) -> Any:
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_getBlockByNumber":
            number = self.head if params[0] == "latest" else int(params[0], 16)
            return self.block(number) if number <= self.head else None
        return {"code": -32601, "message": f"no {method}"}

    def block(self, number: int) -> dict[str, Any]:
        time_s = self.time_s + (number - 100) * self.block_s
        return {"number": hex(number), "timestamp": hex(time_s), "hash": word(number), "baseFeePerGas": "0x7"}

    def body(self, request: Any) -> bytes:
        if self.raw is not None:
            return self.raw
        if isinstance(request, list):
            if not self.batches:
                return b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}'
            return json.dumps([self.one(one) for one in request]).encode()
        return json.dumps(self.one(request)).encode()

    async def serve(self, stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            seen = b""
            while chunk := await stream.receive_some():
                seen += chunk
                while b"\r\n\r\n" in seen:
                    head, _, rest = seen.partition(b"\r\n\r\n")
                    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                    if len(rest) < length:
                        break
                    seen = rest[length:]
                    await trio.sleep(self.delay_s)
                    body = self.body(json.loads(rest[:length]))
                    top = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\n\r\n"
                    await stream.send_all(top.encode() + body)


@contextlib.asynccontextmanager
async def client_of(*fakes: Fake | str, timeout_s: float = 0.5, chain: str = CHAIN) -> AsyncIterator[ChainClient]:
    """A client with one connection per fake ("p0", "p1", …); a text is an address as it stands."""
    async with trio.open_nursery() as nursery:
        made = []
        for index, fake in enumerate(fakes):
            url = fake
            if isinstance(fake, Fake):
                listeners = await nursery.start(partial(trio.serve_tcp, fake.serve, 0, host="127.0.0.1"))
                url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            made.append(Connection(SourceId(f"p{index}"), chain, url))
        client = ChainClient(tuple(made), timeout_s)
        try:
            yield client
        finally:
            await client.aclose()
            nursery.cancel_scope.cancel()


async def dead_url() -> str:
    """An address of loopback where nobody listens."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    return f"http://127.0.0.1:{port}"
