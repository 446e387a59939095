"""A network of real processes whose every link is a wire of the switchboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from node.control import Control
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import free_ports, wait_for
from tests.integration.staying.links import Switchboard, routes_of

T = TypeVar("T")
THREAT = "unbacked-supply"
COUNTED = ("ISOLATE", "HALT")


def names_of(n: int) -> tuple[str, ...]:
    return tuple(f"m{number}" for number in range(n))


def subject(number: int) -> str:
    return f"eip155:1/erc20:0x{number:040x}"


class Crowd:
    """`all`, `q`: who there is, how many groups a certificate above GUARD needs."""

    def __init__(self, site: ForkedSite, board: Switchboard, controls: dict[str, Control], pool: ThreadPoolExecutor):
        self.site, self.board, self.controls, self._pool = site, board, controls, pool
        self.all = tuple(sorted(controls))
        self.q = len(self.all) - (len(self.all) - 1) // 3
        self._next = dict.fromkeys(self.all, 0)
        self.certified: dict[str, dict[tuple[str, str], list[str]]] = {name: {} for name in self.all}
        """member → (subject, level) → signers, of every certificate above GUARD that it ever accepted."""

    def each(self, deed: Callable[[str, Control], T], names: Iterable[str] = ()) -> dict[str, T]:
        """At all of them side by side."""
        wanted = tuple(names) or self.all
        return dict(zip(wanted, self._pool.map(lambda name: deed(name, self.controls[name]), wanted), strict=True))

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

    def hears(self) -> dict[str, int]:
        return {name: told["quorum"]["hears"] for name, told in self.statuses().items()}

    def statuses(self) -> dict[str, dict[str, Any]]:
        return self.each(lambda name, control: control.status())


@contextmanager
def crowd(folder: Path, n: int, before_up: Callable[[ForkedSite], None] = lambda site: None) -> Iterator[Crowd]:
    """n members up and meshed through the switchboard."""
    site, names = ForkedSite(folder), names_of(n)
    # a service, not a chain: each member is its own witness, so that a person's word has a source
    site.found(names, *(word for name in names for word in ("--source", f"{name}-desk={name}=desk")))
    routes = routes_of(site.ports, free_ports(n * (n - 1)))
    for name in names:
        with site.config(name).open("a") as file:
            for route in (one for one in routes if one.dialler == name):
                file.write(f'\n[[peer]]\nmember = "{route.listener}"\naddrs = ["/ip4/127.0.0.1/tcp/{route.port}"]\n')
    before_up(site)
    with ExitStack() as stack:
        stack.callback(site.close)
        site.up(*names)
        for name in names:
            wait_for(f"{name} answers", lambda name=name: site.status(name))
        board = stack.enter_context(Switchboard(routes))
        sockets = {name: site.folder / name / "data" / "control.sock" for name in names}
        controls = {name: stack.enter_context(Control(path, timeout_s=30)) for name, path in sockets.items()}
        pool = stack.enter_context(ThreadPoolExecutor(n))
        one = Crowd(site, board, controls, pool)
        wait_for("all hear all and may sign", lambda: ready(one), 60)
        yield one


def ready(one: Crowd) -> bool:
    told = one.statuses().values()
    return all(status["quorum"]["hears"] == len(one.all) and status["signing"]["may"] for status in told)


def until(what: str, missing: Callable[[], str], within_s: float, every_s: float = 0.05) -> float:
    """Milliseconds until nothing was missing."""
    began = time.monotonic()
    while lacks := missing():
        if time.monotonic() - began > within_s:
            raise AssertionError(f"not within {within_s:g} s: {what}: {lacks}")
        time.sleep(every_s)
    return (time.monotonic() - began) * 1000
