"""Where peers are: names, both families, several addresses of which some are dead, none, and another tomorrow."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import trio

from node.transport import dialling
from node.transport.api import PeerAddress
from tests.integration.transport.support import Peer, peer, story


def ordered(a: Peer, b: Peer) -> tuple[Peer, Peer]:
    """(leader, follower)"""
    leader, follower = sorted((a, b), key=lambda one: one.id)
    return leader, follower


def port_of(one: Peer) -> int:
    return int(one.transport.listening[0].split("/")[4])


async def meets(dialler: Peer, other: Peer, *addresses: str) -> None:
    """Only `dialler` knows addresses."""
    other.transport.allow({dialler.id: PeerAddress(dialler.id, ())})
    dialler.transport.allow({other.id: PeerAddress(other.id, addresses)})
    await dialler.until(lambda: dialler.is_up(other.id))
    await other.until(lambda: other.is_up(dialler.id))


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@needs_ipv6
def test_peers_meet_over_ipv6() -> None:
    async def body() -> None:
        async with peer("a", "/ip6/::1/tcp/0") as a, peer("b", "/ip6/::1/tcp/0") as b:
            assert all("/ip6/::1/tcp/" in one.transport.listening[0] for one in (a, b))
            await meets(a, b, b.transport.listening[0])

    story(body)


@pytest.mark.parametrize("form", ["/dns4/localhost/tcp/{}", "/dns/localhost/tcp/{}", "/dns4/localhost/tcp/{}/p2p/{}"])
def test_a_name_is_looked_up_by_the_systems_own_resolver(form: str) -> None:
    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            await meets(a, b, form.format(port_of(b), b.id))

    story(body)


@needs_ipv6
def test_a_name_of_the_sixth_family_leads_to_an_address_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every hosts file names ::1, so the resolver's answer is given here."""
    asked = []

    async def answer(host: str, port: int, family: int, kind: int) -> list[tuple[object, ...]]:
        asked.append((host, family))
        return [(socket.AF_INET6, kind, 6, "", ("::1", port, 0, 0))]

    monkeypatch.setattr(dialling.trio.socket, "getaddrinfo", answer)

    async def body() -> None:
        async with peer("a") as a, peer("b", "/ip6/::1/tcp/0") as b:
            await meets(a, b, f"/dns6/six.example/tcp/{port_of(b)}")

    story(body)
    assert asked[0] == ("six.example", socket.AF_INET6)


def test_a_name_that_leads_elsewhere_now_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked up for each dial: who moves changes its name and nobody's configuration."""
    where: dict[str, int] = {}
    resolve = trio.socket.getaddrinfo

    async def answer(host: str, port: int, family: int, kind: int) -> object:
        return await resolve("127.0.0.1", where[host], family, kind)

    monkeypatch.setattr(dialling.trio.socket, "getaddrinfo", answer)

    async def body() -> None:
        async with peer("a") as a:
            where["b.example"] = closed_port()
            async with peer("b", allowed=(PeerAddress(a.id, ()),)) as b:
                a.transport.allow({b.id: PeerAddress(b.id, ("/dns4/b.example/tcp/4001",))})
                await trio.sleep(0.3)
                where["b.example"] = port_of(b)
                await a.until(lambda: a.is_up(b.id))

    story(body)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("who", [0, 1], ids=["leader-dials", "follower-dials"])
def test_of_several_addresses_any_one_that_works_is_enough(place: int, who: int) -> None:
    """One is closed, one answers nothing at all, one belongs to somebody else: none of them holds up the fourth."""

    async def body() -> None:
        silent = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with peer("a") as a, peer("b") as b, peer("c") as c, silent[0]:
            dialler, other = ordered(a, b) if who == 0 else ordered(a, b)[::-1]
            mute = silent[0].socket.getsockname()[1]
            addresses = [f"/ip4/127.0.0.1/tcp/{port}" for port in (closed_port(), mute, port_of(c))]
            addresses.insert(place, other.transport.listening[0])
            await meets(dialler, other, *addresses)

    story(body)


@pytest.mark.parametrize("pick", [min, max], ids=["hidden-leads", "hidden-follows"])
def test_a_peer_that_listens_nowhere_meets_all_that_it_dials(pick: Callable[..., str]) -> None:
    """Behind NAT: the others hold an address for it that leads nowhere, whichever of the two would dial first."""

    async def body() -> None:
        async with peer("a", None) as a, peer("b", None) as b, peer("c") as c:
            hidden = next(one for one in (a, b) if one.id == pick(a.id, b.id))
            assert hidden.transport.listening == ()
            c.transport.allow({hidden.id: PeerAddress(hidden.id, (f"/ip4/127.0.0.1/tcp/{closed_port()}",))})
            hidden.transport.allow({c.id: c.address})
            await hidden.until(lambda: hidden.is_up(c.id))
            await c.until(lambda: c.is_up(hidden.id))

    story(body)


@pytest.mark.parametrize("who", [0, 1], ids=["the-leader-moves", "the-follower-moves"])
def test_a_peer_restarted_at_another_address_dials_out_and_is_taken_for_itself(who: int) -> None:
    """The other end still dials the old address; nobody tells it of the new one."""

    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            names = {a.id: "a", b.id: "b"}
            moving = ordered(a, b)[who].id
        async with peer("b" if names[moving] == "a" else "a") as stays:
            async with peer(names[moving]) as before:
                stays.transport.allow({before.id: before.address})
                before.transport.allow({stays.id: stays.address})
                await stays.until(lambda: stays.is_up(moving))
                old = before.transport.listening[0]
            await stays.until(lambda: stays.downs(moving) == 1)
            async with peer(names[moving], allowed=(stays.address,)) as again:
                assert (again.id, again.transport.listening[0] == old) == (moving, False)
                await stays.until(lambda: stays.ups(moving) == 2)
                await again.until(lambda: again.is_up(stays.id))

    story(body)


def test_a_peer_that_comes_back_where_nothing_answered_is_met_without_its_dialling() -> None:
    """A dial that hangs must not keep the next one waiting: after a partition that is most of the time lost."""

    async def body() -> None:
        async with peer("a") as a, peer("b") as b:
            silent = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
            port = silent.socket.getsockname()[1]
            b.transport.allow({a.id: PeerAddress(a.id, ())})
            a.transport.allow({b.id: PeerAddress(b.id, (f"/ip4/127.0.0.1/tcp/{port}",))})
            await trio.sleep(1)
            await silent.aclose()
            listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(relay, listeners[0], port_of(b))
                await a.until(lambda: a.is_up(b.id))
                nursery.cancel_scope.cancel()

    story(body)


async def relay(listener: trio.SocketListener, port: int) -> None:
    async def one(near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream("127.0.0.1", port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(copy, near, far)
            nursery.start_soon(copy, far, near)

    async def copy(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        try:
            async for data in source:
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async with listener:
        await trio.serve_listeners(one, [listener])
