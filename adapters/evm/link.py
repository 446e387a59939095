"""One endpoint of a chain: web3 over a trio provider of ours. The only importer of web3 among the adapters.

web3's own async provider and its batching and receipt waiting need asyncio, so the provider, batches and waiting are
ours; encoding, signing and sending are web3's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import trio
from web3 import AsyncWeb3
from web3.exceptions import Web3Exception, Web3RPCError
from web3.providers.async_base import AsyncJSONBaseProvider

from adapters.evm.errors import ChainDown, ChainError, NotReached, NotSeen, WrongChain
from adapters.evm.wire import Ask, ask_block, number, revert_of
from protocol.ids import SourceId

TIMEOUT_S = 3.0
RETRY_S = 0.5
"""How long a refused connection is tried again within one question: a provider that restarts is back by then."""
REST_S = 2.0
"""A connection that failed is left out that long while another one answers, else each read would wait for it."""
REST_WRONG_S = 30.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True)
class Connection:
    """One operator's view of one chain; `source_id` is its row of the epoch's source register."""

    source_id: SourceId
    chain: str
    """CAIP-2, `eip155:<id>`."""
    url: str = field(repr=False)
    """Providers put their keys in it: never shown; errors name the source and the host."""

    @property
    def chain_id(self) -> int:
        return int(self.chain.removeprefix("eip155:"))

    @property
    def where(self) -> str:
        return f"{self.source_id} ({urlsplit(self.url).hostname}, {self.chain})"


class TrioProvider(AsyncJSONBaseProvider):  # type: ignore[misc]
    """web3's provider contract over httpx on trio: bounded in time and bytes, keep-alive, batches."""

    def __init__(self, http: httpx.AsyncClient, url: str, timeout_s: float) -> None:
        super().__init__()
        self._http, self._url, self._timeout_s = http, url, timeout_s

    async def make_request(self, method: str, params: Any) -> Any:
        return await self.post(self.encode_rpc_request(method, params))

    async def make_batch_request(self, requests: list[tuple[str, Any]]) -> Any:
        return await self.post(self.encode_batch_rpc_request(requests))

    async def post(self, body: bytes) -> Any:
        """The decoded JSON answer. ChainDown says what went wrong; a refused connection is tried again for a while."""
        give_up_s = trio.current_time() + min(RETRY_S, self._timeout_s)
        pause_s = 0.02
        while True:
            try:
                with trio.fail_after(self._timeout_s):
                    return json.loads(await self._body(body))
            except trio.TooSlowError:
                raise ChainDown(f"no answer within {self._timeout_s:g} s") from None
            except (ValueError, RecursionError):
                raise ChainDown("the answer is not JSON") from None
            except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as broken:
                if trio.current_time() + pause_s > give_up_s:
                    kind = NotReached if isinstance(broken, httpx.ConnectError) else ChainDown
                    raise kind(f"cannot connect ({type(broken).__name__})") from None
            except httpx.HTTPError as broken:
                raise ChainDown(f"HTTP failed ({type(broken).__name__})") from None
            await trio.sleep(pause_s)
            pause_s *= 2

    async def _body(self, body: bytes) -> bytes:
        found = bytearray()
        headers = {"content-type": "application/json"}
        async with self._http.stream("POST", self._url, content=body, headers=headers) as answer:
            if answer.status_code != 200:
                raise ChainDown(f"HTTP status {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                found += chunk
                if len(found) > ANSWER_BYTES_MAX:
                    raise ChainDown(f"an answer above {ANSWER_BYTES_MAX} bytes")
        return bytes(found)


class Link:
    """One connection with what is known of it: whether it serves the chain that it should, and whether it rests."""

    def __init__(self, connection: Connection, http: httpx.AsyncClient, timeout_s: float) -> None:
        self.connection = connection
        self._provider = TrioProvider(http, connection.url, timeout_s)
        self.w3 = AsyncWeb3(self._provider, middleware=[])
        self._checked = False
        self._batches = True
        self._ids = 0
        self.fault = ""
        self._down_since = 0.0
        self.rests_until = 0.0

    async def probe(self) -> str:
        """Asks for the head now: "" where it answers as the chain that it should be, else what is wrong."""
        try:
            await self.ask([ask_block()])
        except ChainError:
            return self.health()
        return ""

    def health(self) -> str:
        since_s = trio.current_time() - self._down_since
        return f"{self.connection.where}: {self.fault}, for {since_s:.0f} s" if self.fault else ""

    async def ask(self, asks: Sequence[Ask[Any]]) -> tuple[Any, ...]:
        """Parsed answers in order. A ChainError names the connection, and it rests for a while."""
        try:
            questions = [(ask.method, ask.params) for ask in asks]
            # decided once: another question may finish its check while this one is on its way
            checks = not self._checked
            if checks:
                questions.insert(0, ("eth_chainId", ()))
            answers = await self._rpc(questions)
            if checks:
                self._check(answers.pop(0))
            found = tuple(_parsed(ask, answer) for ask, answer in zip(asks, answers))
        except ChainError as broken:
            raise self._failed(broken) from None
        self.fault = ""
        return found

    def _check(self, answer: dict[str, Any]) -> None:
        got = _parsed(Ask("eth_chainId", (), number), answer)
        if got != self.connection.chain_id:
            raise WrongChain(f"it serves chain {got}; give the address of a provider of {self.connection.chain}")
        self._checked = True

    def _failed(self, broken: ChainError) -> ChainError:
        if isinstance(broken, NotSeen):
            return NotSeen(f"{self.connection.where}: {broken}")
        self._checked = False
        now_s = trio.current_time()
        self._down_since = self._down_since if self.fault else now_s
        self.fault = str(broken)
        self.rests_until = now_s + (REST_WRONG_S if isinstance(broken, WrongChain) else REST_S)
        return type(broken)(f"{self.connection.where}: {broken}")

    async def _rpc(self, questions: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
        first = self._ids
        self._ids += len(questions)
        calls = [
            {"jsonrpc": "2.0", "id": first + i, "method": method, "params": params}
            for i, (method, params) in enumerate(questions)
        ]
        if len(calls) == 1 or not self._batches:
            return [_answer(await self._provider.post(json.dumps(call).encode())) for call in calls]
        answer = await self._provider.post(json.dumps(calls).encode())
        if type(answer) is not list:
            # a provider without batches says so with one error object; from now on it is asked one by one
            self._batches = False
            return [_answer(await self._provider.post(json.dumps(call).encode())) for call in calls]
        by_id = {one.get("id"): one for one in answer if type(one) is dict and type(one.get("id")) is int}
        if not all(call["id"] in by_id for call in calls):
            raise ChainDown("a batch came back with answers missing")
        return [_answer(by_id[call["id"]]) for call in calls]

    async def submit(self, raw: bytes) -> str:
        """ "" where the provider took the transaction or had it already, else what it said."""
        try:
            if not self._checked:
                await self.ask(())
            await self.w3.eth.send_raw_transaction(raw)
        except Web3RPCError as refused:
            said = (refused.rpc_response or {}).get("error", {}) if isinstance(refused.rpc_response, dict) else {}
            text = str(said.get("message", "") if isinstance(said, dict) else "")[:200] or "refused without a reason"
            # geth's and anvil's words for a transaction that they have already
            return "" if "already known" in text.lower() or "already imported" in text.lower() else text
        except (ChainError, Web3Exception, ValueError) as broken:
            return str(broken)[:200]
        return ""


def _answer(raw: Any) -> dict[str, Any]:
    if type(raw) is not dict or ("result" not in raw and "error" not in raw):
        raise ChainDown("an answer that is no JSON-RPC answer")
    return raw


def _parsed(ask: Ask[Any], answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    if error is not None:
        refused = revert_of(error)
        if refused is None:
            text = str(error.get("message") if type(error) is dict else error)[:160]
            if "not found" in text.lower():
                raise NotSeen(f"{ask.method}: {text}")
            raise ChainDown(f"{ask.method}: {text}")
        raw: Any = refused
    else:
        raw = answer["result"]
    try:
        return ask.parse(raw)
    except (ValueError, TypeError, AttributeError) as wrong:
        raise ChainDown(f"{ask.method}: an answer of the wrong shape ({str(wrong)[:80]})") from None
