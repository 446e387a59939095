"""A small HTTP/1.1 server for JSON-RPC on loopback: POST /, keep-alive, bounded in every direction."""

import functools
from collections.abc import Callable

import h11
import trio

MAX_BODY = 1 << 20
MAX_CONNECTIONS = 256
IDLE_S = 120.0
REQUEST_S = 20.0
CHUNK = 1 << 16
# A page in a browser can reach loopback through a name of its own; it cannot choose this header.
HOSTS = (b"127.0.0.1", b"localhost")

Answer = Callable[[bytes], bytes | None]


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def serve_http(listeners: list[trio.SocketListener], answer: Answer) -> None:
    """Serve until cancelled. `answer` is called inline: it must be short, as calls into the chain are."""
    slots = trio.CapacityLimiter(MAX_CONNECTIONS)
    await trio.serve_listeners(functools.partial(_connection, answer, slots), listeners)


async def _connection(answer: Answer, slots: trio.CapacityLimiter, stream: trio.SocketStream) -> None:
    try:
        slots.acquire_nowait()
    except trio.WouldBlock:
        await stream.aclose()
        return
    try:
        stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        await _talk(answer, stream)
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, h11.RemoteProtocolError):
        pass  # the other side is gone or does not speak HTTP; it has no more to hear
    finally:
        slots.release()
        with trio.move_on_after(1) as scope:
            scope.shield = True
            await stream.aclose()


async def _talk(answer: Answer, stream: trio.SocketStream) -> None:
    http = h11.Connection(h11.SERVER)
    while True:
        try:
            body = await _request(http, stream)
        except _Refused as refused:
            await stream.send_all(_response(http, refused.status, str(refused).encode() + b"\n", close=True))
            return
        if body is None:
            return
        found = answer(body)
        # an answer to notifications alone is empty
        await stream.send_all(_response(http, 204 if found is None else 200, found or b""))
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            return
        http.start_next_cycle()


async def _request(http: h11.Connection, stream: trio.SocketStream) -> bytes | None:
    """The next request's body; None when the other side closed."""
    body = bytearray()
    deadline = IDLE_S
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            with trio.fail_after(deadline):
                if http.they_are_waiting_for_100_continue:
                    await stream.send_all(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                http.receive_data(await stream.receive_some(CHUNK))
        elif isinstance(event, h11.Request):
            _check(event)
            deadline = REQUEST_S
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise _Refused(413, f"the body is larger than {MAX_BODY} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        else:
            return None


def _check(request: h11.Request) -> None:
    headers = dict(request.headers)
    if headers.get(b"host", b"").rsplit(b":", 1)[0] not in HOSTS:
        raise _Refused(403, "this chain answers on loopback only")
    if request.method != b"POST" or request.target != b"/":
        raise _Refused(405, "JSON-RPC: POST /")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > MAX_BODY:
        raise _Refused(413, f"the body is larger than {MAX_BODY} bytes")


def _response(http: h11.Connection, status: int, body: bytes, close: bool = False) -> bytes:
    headers = [("content-type", "application/json" if status == 200 else "text/plain")]
    if status != 204:
        headers.append(("content-length", str(len(body))))
    if close:
        headers.append(("connection", "close"))
    sent = http.send(h11.Response(status_code=status, headers=headers)) or b""
    if body:
        sent += http.send(h11.Data(data=body)) or b""
    return sent + (http.send(h11.EndOfMessage()) or b"")
