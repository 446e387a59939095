"""What people and observers see of a real network: certificates up to a ceiling, who is silent, who was refused."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from governance.card import parse_card
from governance.charter import Charter, parse
from node.control import Control
from node.transport.api import Channel, PeerAddress
from node.transport.guard import peer_id_of
from protocol.frames import (
    CertificateFrame,
    Frame,
    Hello,
    Shown,
    WantBlobs,
    WantCertificates,
    WantEntries,
    pack_frame,
    parse_frame,
)
from protocol.ids import Digest, MemberName
from protocol.messages import Level, threat_from_word
from protocol.quorum import certificate_id, check_certificate, parse_certificate
from protocol.subjects import from_text
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import free_ports, wait_for
from tests.integration.staying.crowd import THREAT, names_of, subject
from tests.integration.transport.support import Peer, peer, seed, story

pytestmark = pytest.mark.network
ALL = names_of(4)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedSite]:
    """Four members up and meshed; m0 lists two observers, m3 listens nowhere though the charter gives an address of it,
    and m1 knows m0 by a name among addresses that lead nowhere."""
    one = ForkedSite(tmp_path_factory.mktemp("watched"))
    one.found(ALL, *(word for name in ALL for word in ("--source", f"{name}-desk={name}=desk")))
    with one.config("m0").open("a") as file:
        for name, ceiling in (("eye", "GREEN"), ("narrow", "CLEAR")):
            file.write(f'\n[[observer]]\nname = "{name}"\npeer_id = "{peer_id_of(seed(name))}"\ntlp = "{ceiling}"\n')
    config = one.config("m3")
    config.write_text(config.read_text().replace(f'"/ip4/127.0.0.1/tcp/{one.ports["m3"]}"', '"none"', 1))
    with one.config("m1").open("a") as file:
        dead, alive = free_ports(1)[0], one.ports["m0"]
        addrs = f'["/ip4/127.0.0.1/tcp/{dead}", "/dns4/localhost/tcp/{alive}", "/dns4/no.invalid/tcp/{alive}"]'
        file.write(f'\n[[peer]]\nmember = "m0"\naddrs = {addrs}\n')
    one.up(*ALL)
    try:
        for name in ALL:
            wait_for(f"{name} answers", lambda name=name: one.status(name))
        one.meshed(*ALL, hears=4)
        yield one
    finally:
        one.close()


def charter_of(site: ForkedSite) -> Charter:
    return parse((site.folder / "charter.toml").read_text())


def address_of(site: ForkedSite, member: str) -> PeerAddress:
    card = parse_card((site.folder / member / "card.toml").read_text())
    return PeerAddress(card.peer_id, (f"/ip4/127.0.0.1/tcp/{site.ports[member]}",))


@asynccontextmanager
async def watching(site: ForkedSite, name: str, member: str = "m0") -> AsyncIterator[tuple[Peer, str]]:
    """An observer that is connected, and the peer id of its member."""
    at = address_of(site, member)
    async with peer(name, None, allowed=(at,)) as one:
        await one.until(lambda: one.is_up(at.peer_id))
        yield one, at.peer_id


def told(one: Peer) -> list[Frame]:
    return [parse_frame(raw) for channel in (Channel.ENTRIES, Channel.SYNC) for raw in one.frames(channel)]


def certificates(one: Peer, site: ForkedSite, what: str) -> list[Level]:
    """Checked with nothing but the charter's text."""
    charter = charter_of(site)
    known = {(sealed.keyset.member, sealed.keyset.version): sealed for sealed in charter.keysets}
    found = []
    for frame in told(one):
        if isinstance(frame, CertificateFrame):
            checked = check_certificate(
                parse_certificate(frame.raw), frame.raw, charter.epoch0(), lambda *of: known.get(of)
            )
            if str(checked.certificate.subject) == what:
                found.append(checked.certificate.level)
    return found


def raise_at(site: ForkedSite, what: str, *members: str) -> None:
    for member in members:
        with Control(site.folder / member / "data" / "control.sock") as control:
            control.raise_alert(what, THREAT, "ISOLATE", "test", 60)


def test_an_observer_gets_each_certificate_and_verifies_it_with_the_charter_alone(site: ForkedSite) -> None:
    async def body() -> None:
        async with watching(site, "eye") as (eye, member):
            await trio.to_thread.run_sync(raise_at, site, subject(1), "m0", "m1", "m2")
            await eye.until(lambda: Level.ISOLATE in certificates(eye, site, subject(1)))
            assert {type(frame) for frame in told(eye)} <= {Hello, CertificateFrame, Shown}
            assert member == address_of(site, "m0").peer_id

    story(body)


def test_what_is_above_the_ceiling_never_leaves(site: ForkedSite) -> None:
    """A person's word is GREEN: whoever may read CLEAR only is told of nothing, and is not answered either."""

    async def body() -> None:
        async with watching(site, "eye") as (eye, member), watching(site, "narrow") as (narrow, _):
            await trio.to_thread.run_sync(raise_at, site, subject(2), "m0", "m1", "m2")
            await eye.until(lambda: Level.ISOLATE in certificates(eye, site, subject(2)))
            topic = (from_text(subject(2)), int(threat_from_word(THREAT) or 0))
            want = WantCertificates((certificate_id(charter_of(site).epoch0().hash, topic, Level.ISOLATE),))
            for one in (eye, narrow):
                assert one.transport.send(member, Channel.SYNC, pack_frame(want))
            await eye.until(lambda: certificates(eye, site, subject(2)).count(Level.ISOLATE) == 2)
            await trio.sleep(0.5)
            assert {type(frame) for frame in told(narrow)} == {Hello}

    story(body)


def test_an_observer_is_listed_and_what_it_may_not_ask_is_refused_and_counted(site: ForkedSite) -> None:
    async def body() -> None:
        async with watching(site, "eye") as (eye, member):
            for frame in (WantEntries(MemberName("m1"), 0, 0, 9), WantBlobs((Digest(bytes(32)),))):
                assert eye.transport.send(member, Channel.SYNC, pack_frame(frame))
            await trio.to_thread.run_sync(refused, site, eye.id)
            ran = await trio.to_thread.run_sync(site.at, "m0", "status")
            assert "eye (observer)" in ran.out

    story(body)


def refused(site: ForkedSite, peer_id: str) -> None:
    def row() -> bool:
        status = site.status("m0")
        assert status is not None
        return any(one["peer"] == peer_id and one["count"] >= 2 for one in status["refusals"])

    wait_for("m0 counts what the observer may not ask", row)


def test_who_is_on_nobodys_list_is_not_let_in(site: ForkedSite) -> None:
    async def body() -> None:
        at = address_of(site, "m1")
        async with peer("eye", None, allowed=(at,)) as eye:
            await trio.sleep(1.5)
            assert (eye.is_up(at.peer_id), eye.seen) == (False, [])

    story(body)


def test_the_list_is_read_anew_on_a_signal_and_holds_for_live_connections(site: ForkedSite) -> None:
    """Listed: let in. Struck off: cut. A file with a fault changes nothing."""
    config, node = site.config("m1"), site.children["m1"]
    before = config.read_text()
    listed = before + f'\n[[observer]]\nname = "late"\npeer_id = "{peer_id_of(seed("late"))}"\n'

    def says(text: str) -> None:
        config.write_text(text)
        os.kill(node.pid, signal.SIGHUP)

    async def body() -> None:
        at = address_of(site, "m1")
        async with peer("late", None, allowed=(at,)) as late:
            says(listed)
            await late.until(lambda: late.is_up(at.peer_id))
            says(listed.replace("GREEN", "RED") + "[nonsense]\n")
            await trio.sleep(1)
            assert (late.is_up(at.peer_id), late.downs(at.peer_id)) == (True, 0)
            says(before)
            await late.until(lambda: late.downs(at.peer_id) == 1)

    story(body)
    assert "the observers of before stay" in (site.folder / "m1" / "node.log").read_text()


def test_a_member_that_listens_nowhere_and_one_behind_a_name_are_members_like_the_others(site: ForkedSite) -> None:
    statuses = {name: site.status(name) or {} for name in ALL}
    assert statuses["m3"]["listening"] == []
    assert {name: status["quorum"]["hears"] for name, status in statuses.items()} == dict.fromkeys(ALL, 4)


def test_peers_clocks_and_words_stand_in_the_status(site: ForkedSite) -> None:
    def whole() -> bool:
        status = site.status("m0")
        assert status is not None
        members = [one for one in status["peers"] if one["member"]]
        return len(members) == 3 and all(
            one["up"] and one["last_word_ms"] and abs(one["clock_ahead_ms"] or 10**6) < 5_000 for one in members
        )

    wait_for("m0 has heard each clock", whole)


def test_a_blind_node_says_who_is_silent_since_when(site: ForkedSite) -> None:
    """Last of this file: two of four are ended."""
    for member in ("m2", "m3"):
        site.end(member)
    ended_ms = time.time() * 1000

    def blind() -> bool:
        status = site.status("m0")
        assert status is not None
        quorum = status["quorum"]
        return quorum["blind"] and set(quorum["silent_since_ms"]) == {"m2", "m3"}

    wait_for("m0 is blind", blind)
    status = site.status("m0")
    assert status is not None
    says = status["quorum"]["says"]
    assert says.startswith("blind: hears 2 of 4, needs 3; m2")
    assert "silent since" in says and "; dialling: m2 (" in says
    assert all(abs(at - ended_ms) < 60_000 for at in status["quorum"]["silent_since_ms"].values())
    log = Path(site.folder / "m0" / "node.log")
    wait_for("the log says so too", lambda: "blind: hears 2 of 4, needs 3; " in log.read_text())
    assert "BLIND" in site.at("m0", "status").out
