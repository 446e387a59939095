"""Where processes stand and how far apart: the same ground for our nodes, for the floor and for js-libp2p.

Without loss everybody is on loopback, with a delay proxy between each ordered pair where there is a delay. With loss
each has a network namespace of its own and the wire between them takes the time; where this machine has no tun, delay
proxies stand beside those who dial, and a loss is repaired at the speed of the bridge behind them.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

import trio

from node.testnet.proxy import Route, run_proxy
from tests.bench.namespaces import Bridge, NoNamespaces, bridge
from tests.bench.wire import wire

PORT = 4001
"""Where members listen that have an address of their own."""
FIRST_ROUTE_PORT = 5001
END_S = 3
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Road:
    """One way: delay in ms, jitter in percent of it, loss in percent of packets; `twice`: said on two connections."""

    delay_ms: float = 0.0
    jitter_percent: float = 0.0
    loss_percent: float = 0.0
    twice: bool = False


@dataclass
class Ground:
    """`listen`: where each stands; `dial`: (from, to) → where the one reaches the other. (host, port) both."""

    names: Sequence[str]
    listen: dict[str, tuple[str, int]]
    dial: dict[tuple[str, str], tuple[str, int]]
    namespaces: Bridge | None = None
    proxies: list[subprocess.Popen[str]] = field(default_factory=list)

    def inside(self, name: str) -> AbstractContextManager[None]:
        """Processes that are started meanwhile are this one's."""
        return self.namespaces.inside(name) if self.namespaces else nullcontext()

    def namespace(self, name: str) -> str:
        """For `namespaces.enter` in a forked child; "" where there is none."""
        return self.namespaces.path(name) if self.namespaces else ""


def end_with_parent() -> None:
    """For a child just forked: whoever started it may be killed, and nobody else would end it then."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody has now; all are held until the last is found."""
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in found]


@contextmanager
def ground(names: Sequence[str], road: Road) -> Iterator[Ground]:
    """Stands until left. NoNamespaces where loss is asked for and this machine allows none."""
    with ExitStack() as stack:
        pairs = [(one, other) for one in names for other in names if one != other]
        if road.loss_percent:
            made, left = _apart(stack, names, road)
            made.drop(road.loss_percent)
            listen = {name: (made.addresses[name], PORT) for name in names}
            ports = [FIRST_ROUTE_PORT + names.index(other) for _, other in pairs]
        else:
            made, left = None, road
            listen = dict(zip(names, (("127.0.0.1", port) for port in free_ports(len(names)))))
            ports = free_ports(len(pairs))
        dial = {(one, other): listen[other] for one, other in pairs}
        stands = Ground(names, listen, dial, made)
        stack.callback(_end, stands.proxies)
        if left.delay_ms or left.twice:
            _stretch(stands, left, dict(zip(pairs, ports)))
        yield stands


def _apart(stack: ExitStack, names: Sequence[str], road: Road) -> tuple[Bridge, Road]:
    """The namespaces, and what of the road is left to proxies."""
    if road.delay_ms:
        try:
            made = stack.enter_context(wire(names, road.delay_ms, road.delay_ms * road.jitter_percent / 100))
            return made, replace(road, delay_ms=0.0, jitter_percent=0.0)
        except NoNamespaces:
            pass  # it may be the tun alone that is missing
    return stack.enter_context(bridge(names)), road


def _stretch(stands: Ground, road: Road, ports: dict[tuple[str, str], int]) -> None:
    routes: dict[str, list[Route]] = {}
    for (one, other), port in ports.items():
        host, target = stands.listen[other]
        jitter_ms = road.delay_ms * road.jitter_percent / 100
        route = Route("127.0.0.1", port, host, target, road.delay_ms, jitter_ms, road.twice)
        routes.setdefault(one if stands.namespaces else "", []).append(route)
        stands.dial[(one, other)] = ("127.0.0.1", port)
    for name, mine in routes.items():
        with stands.inside(name) if name else nullcontext():
            pipe = subprocess.PIPE
            stands.proxies.append(
                subprocess.Popen([sys.executable, "-m", __name__], stdin=pipe, stdout=pipe, text=True)
            )
        told = stands.proxies[-1]
        if told.stdin is not None:
            told.stdin.write(json.dumps([dataclasses.astuple(route) for route in mine]) + "\n")
            told.stdin.flush()
    for proxy in stands.proxies:
        if proxy.stdout is None or proxy.stdout.readline().strip() != "ready":
            raise RuntimeError("a delay proxy did not start; its error stands above")


def _end(processes: list[subprocess.Popen[str]]) -> None:
    """By the end of their input, as when this process itself is gone."""
    for one in processes:
        if one.stdin is not None:
            one.stdin.close()
    for one in processes:
        try:
            one.wait(END_S)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


async def _serve(routes: list[Route]) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(run_proxy, routes)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_serve, [Route(*fields) for fields in json.loads(sys.stdin.readline())])
