"""A network of real processes whose links can be cut, each direction for itself: by a proxy, or by the kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from node.control import Control
from tests.bench.namespaces import Bridge, bridge, enter
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import free_ports, wait_for
from tests.integration.staying.links import Switchboard, Way, routes_of

T = TypeVar("T")
THREAT = "unbacked-supply"
COUNTED = ("ISOLATE", "HALT")


def names_of(n: int) -> tuple[str, ...]:
    return tuple(f"m{number}" for number in range(n))


def subject(number: int) -> str:
    return f"eip155:1/erc20:0x{number:040x}"


class Wires(Protocol):
    """What can be done to the ways between members, each direction for itself."""

    def cut(self, *ways: Way) -> None: ...

    def refuse(self, *ways: Way) -> None: ...

    def heal(self) -> None: ...


class Packets:
    """The wires of members in namespaces: packets are dropped on arrival."""

    def __init__(self, hub: Bridge) -> None:
        self._hub = hub

    def cut(self, *ways: Way) -> None:
        for name in self._hub.addresses:
            self._hub.deafen(name, [sender for sender, receiver in ways if receiver == name])

    def refuse(self, *ways: Way) -> None:
        """Nobody resets a connection here: packets vanish all the same."""
        self.cut(*ways)

    def heal(self) -> None:
        self._hub.heal()


class Crowd:
    """`all`, `q`: who there is, how many groups a certificate above GUARD needs."""

    def __init__(self, site: ForkedSite, wires: Wires, names: tuple[str, ...], pool: ThreadPoolExecutor):
        self.site, self.wires, self._pool = site, wires, pool
        self.all = tuple(sorted(names))
        self.q = len(self.all) - (len(self.all) - 1) // 3
        self._next = dict.fromkeys(self.all, 0)
        self.certified: dict[str, dict[tuple[str, str], list[str]]] = {name: {} for name in self.all}
        """member → (subject, level) → signers, of every certificate above GUARD that it ever accepted."""

    def each(self, deed: Callable[[str, Control], T], names: Iterable[str] = ()) -> dict[str, T]:
        """At all of them side by side."""
        wanted = tuple(names) or self.all

        def one(name: str) -> T:
            # a connection of its own: one that idled may be closed just as it is used again
            with Control(self.site.folder / name / "data" / "control.sock", timeout_s=30) as control:
                return deed(name, control)

        return dict(zip(wanted, self._pool.map(one, wanted), strict=True))

    def say(self, words: dict[str, list[tuple[str, str]]], lease_s: int = 30) -> None:
        """member → (subject, level) that its operator raises, in order. The lease is short, since an author's words are
        kept until then and a minute more, and of more than 64 the highest stay."""

        def one(name: str, control: Control) -> None:
            for what, level in words[name]:
                control.raise_alert(what, THREAT, level, "test", lease_s)

        self.each(one, words)

    def listen(self) -> None:
        """Takes over what each has accepted since."""

        def one(name: str, control: Control) -> None:
            while True:
                told = control.events(self._next[name])
                for event in told["events"]:
                    if event["kind"] == "certificate" and event["level"] in COUNTED:
                        self.certified[name][event["subject"], event["level"]] = event["signers"]
                if told["next"] == self._next[name]:
                    return
                self._next[name] = told["next"]

        self.each(one)

    def tops(self) -> dict[str, int]:
        """author → the last seq that anybody knows."""
        found: dict[str, int] = {}
        for feeds in self.each(lambda name, control: control.feeds(links=False)).values():
            for feed in feeds:
                found[feed["author"]] = max(feed["seq"], found.get(feed["author"], -1))
        return found

    def lacking(self, tops: dict[str, int]) -> list[str]:
        """Who has a gap below these."""

        def one(name: str, control: Control) -> bool:
            whole = {feed["author"]: feed["whole"] for feed in control.feeds(links=False)}
            return any(whole.get(author, -1) < top for author, top in tops.items())

        return [name for name, lacks in self.each(one).items() if lacks]

    def cpu_s(self) -> float:
        """What all members' processes have used."""
        fields = [
            Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split() for one in self.site.children.values()
        ]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")

    def hears(self) -> dict[str, int]:
        return {name: told["quorum"]["hears"] for name, told in self.statuses().items()}

    def statuses(self) -> dict[str, dict[str, Any]]:
        return self.each(lambda name, control: control.status())


@contextmanager
def crowd(folder: Path, n: int) -> Iterator[Crowd]:
    """n members up and meshed through the switchboard."""
    site, names = founded(folder, n)
    routes = routes_of(site.ports, free_ports(n * (n - 1)))
    for name in names:
        tell_peers(site, name, {one.listener: ("127.0.0.1", one.port) for one in routes if one.dialler == name})
    with ExitStack() as stack:
        stack.callback(site.close)
        site.up(*names)
        for name in names:
            wait_for(f"{name} answers", lambda name=name: site.status(name))
        # its thread begins after the forks
        yield meshed(stack, site, names, stack.enter_context(Switchboard(routes)))


@contextmanager
def crowd_on_bridge(folder: Path, n: int) -> Iterator[Crowd]:
    """The same in network namespaces, where the kernel drops the packets. Raises NoNamespaces."""
    site, names = founded(folder, n)
    with ExitStack() as stack:
        hub = stack.enter_context(bridge(names))
        for name in names:
            config = site.config(name)
            config.write_text(config.read_text().replace("/ip4/127.0.0.1/", "/ip4/0.0.0.0/", 1))
            tell_peers(site, name, {one: (hub.addresses[one], site.ports[one]) for one in names if one != name})
        stack.callback(site.close)
        for name in names:
            site.up_as(name, partial(enter, hub.path(name)))
        yield meshed(stack, site, names, Packets(hub))


def founded(folder: Path, n: int) -> tuple[ForkedSite, tuple[str, ...]]:
    site, names = ForkedSite(folder), names_of(n)
    # a service, not a chain: each member is its own witness, so that a person's word has a source
    site.found(names, *(word for name in names for word in ("--source", f"{name}-desk={name}=desk")))
    return site, names


def tell_peers(site: ForkedSite, name: str, where: dict[str, tuple[str, int]]) -> None:
    with site.config(name).open("a") as file:
        for other, (host, port) in where.items():
            file.write(f'\n[[peer]]\nmember = "{other}"\naddrs = ["/ip4/{host}/tcp/{port}"]\n')


def meshed(stack: ExitStack, site: ForkedSite, names: tuple[str, ...], wires: Wires) -> Crowd:
    for name in names:
        wait_for(f"{name} answers", lambda name=name: site.status(name))
    one = Crowd(site, wires, names, stack.enter_context(ThreadPoolExecutor(len(names))))
    wait_for("all hear all and may sign", lambda: ready(one), 60)
    return one


def ready(one: Crowd) -> bool:
    told = one.statuses().values()
    return all(status["quorum"]["hears"] == len(one.all) and status["signing"]["may"] for status in told)


def until(what: str, missing: Callable[[], str], within_s: float, every_s: float = 0.2) -> float:
    """Milliseconds until nothing was missing. Asking costs the nodes what they need for their work: seldom."""
    began = time.monotonic()
    while lacks := missing():
        if time.monotonic() - began > within_s:
            raise AssertionError(f"not within {within_s:g} s: {what}: {lacks}")
        time.sleep(every_s)
    return (time.monotonic() - began) * 1000
