"""A venue that lies, hangs, dies, talks rubbish or is somebody else: no effect twice, nothing hangs or traces back."""

from __future__ import annotations

import datetime
import ipaddress
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.venue.document import target
from tests.integration.venue.scene import Node, Site, pull

pytestmark = pytest.mark.network
ODD = ("rubbish", "nan", "deep", "huge", "gzip", "redirect", "broken", "cut", "no http", "other", "never busy")


def hasty(node: Node, try_s: float = 0.4, whole_s: float = 1.2) -> None:
    for lever in node.built.levers.values():
        door = lever._door  # type: ignore[attr-defined]
        door._try_s, door._whole_s = try_s, whole_s


def test_a_venue_that_says_yes_and_does_nothing_is_found_out_by_what_it_shows(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("margin"), node.order("margin")
        site.mood("always lie")
        assert (await lever.apply(await lever.plan(given))).ok and site.effects() == 0
        shown = await lever.read_back(given)
        assert not shown.ok and shown.retryable and shown.answered and "shows 1000" in shown.says
        site.calm()
        assert (await lever.apply(await lever.plan(given))).ok and (await lever.read_back(given)).ok

    site.tell(story)


def test_a_lift_that_is_taken_and_not_done_is_found_out(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("margin"), node.order("margin")
        await pull(lever, given)
        site.mood("always lie")
        undone = await lever.undo(given)
        assert not undone.ok and undone.retryable and "shows 5000, not 1000" in undone.says
        site.calm()
        assert (await lever.undo(given)).ok and site.books("select margin_bps from pairs") == [(1000,)]

    site.tell(story)


@pytest.mark.parametrize("when", ["die before", "die after"])
def test_killed_in_the_middle_of_a_request_and_started_again_it_has_one_effect(site: Site, when: str):
    async def story(node: Node) -> None:
        hasty(node)
        lever, given = node.lever("margin"), node.order("margin")
        plan = await lever.plan(given)
        door, ask = lever._door, lever._door.ask
        asked = []

        async def dies(request, *, repeats):  # type: ignore[no-untyped-def]
            """As the change is on its way, and not before."""
            asked.append(request.method)
            if request.method == "POST":
                site.mood(when)
            return await ask(request, repeats=repeats)

        door.ask = dies  # type: ignore[method-assign]
        broken = await lever.apply(plan)
        door.ask = ask  # type: ignore[method-assign]
        assert asked[-1] == "POST" and not broken.ok and broken.retryable and not broken.answered
        site.died()
        assert site.effects() == (1 if when == "die after" else 0)
        site.stop()
        site.start()
        again = await lever.apply(await lever.plan(given))
        assert again.ok and (await lever.read_back(given)).ok and site.effects() == 1
        assert (await lever.undo(given)).ok and site.books("select margin_bps from pairs") == [(1000,)]

    site.tell(story)


@pytest.mark.parametrize("mood", ODD)
def test_an_answer_that_is_none_is_told_and_nothing_is_sent_after_it(site: Site, mood: str):
    async def story(node: Node) -> None:
        hasty(node, 0.3, 0.35)
        site.mood(f"always {mood}")
        lever, given = node.lever("halt"), node.order("halt")
        plan = await lever.plan(given)
        assert "not read yet" in plan.says
        for found in (
            await lever.simulate(plan),
            await lever.apply(plan),
            await lever.read_back(given),
            await lever.undo(given),
        ):
            assert not found.ok and not found.answered
            assert "127.0.0.1" in found.says or "getPair" in found.says
        site.calm()
        hasty(node, 2, 4)
        assert site.effects() == 0 and (await lever.apply(await lever.plan(given))).ok

    site.tell(story)


@pytest.mark.parametrize("mood", ["hang", "drip"])
def test_a_venue_that_never_ends_its_answer_is_left(site: Site, mood: str):
    async def story(node: Node) -> None:
        hasty(node)
        site.mood(f"always {mood}")
        began = time.monotonic()
        found = await node.lever("halt").read_back(node.order("halt"))
        assert not found.ok and found.retryable and "no answer within" in found.says and time.monotonic() - began < 3

    site.tell(story)


@pytest.mark.parametrize(
    ("mood", "says"),
    [
        ("redirect", "redirects (HTTP 307), which is not followed"),
        ("huge", "an answer above 1048576 bytes"),
        ("gzip", "a packed answer"),
        ("rubbish", "an answer that is no JSON"),
        ("broken", "HTTP 500"),
        ("other", "getPair shows no value at /market/status"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(site: Site, mood: str, says: str):
    async def story(node: Node) -> None:
        site.mood(f"always {mood}")
        found = await node.lever("halt").read_back(node.order("halt"))
        assert says in found.says and found.retryable is (mood != "other")

    site.tell(story)


def test_who_is_asked_to_wait_waits_and_goes_on(site: Site):
    async def story(node: Node) -> None:
        site.mood("busy")
        began = time.monotonic()
        found = await node.lever("halt").read_back(node.order("halt"))
        assert found.answered and time.monotonic() - began >= 1

    site.tell(story)


def test_a_venue_cannot_put_us_to_sleep(site: Site):
    async def story(node: Node) -> None:
        hasty(node)
        site.mood("always very busy")
        began = time.monotonic()
        found = await node.lever("halt").read_back(node.order("halt"))
        assert not found.ok and found.retryable and "HTTP 429" in found.says and time.monotonic() - began < 1

    site.tell(story)


def test_a_venue_that_is_down_is_said_and_nothing_was_sent(site: Site):
    async def story(node: Node) -> None:
        hasty(node)
        site.stop()
        found = await node.lever("halt").apply(await node.lever("halt").plan(node.order("halt")))
        assert not found.ok and found.retryable and "cannot connect" in found.says

    site.tell(story)


def test_a_right_that_is_taken_away_is_named(site: Site):
    async def story(node: Node) -> None:
        site.mood("always no right")
        found = await node.lever("halt").read_back(node.order("halt"))
        assert not found.ok and not found.retryable and "refuses this key for getPair (HTTP 403)" in found.says

    site.tell(story)


# --- TLS


def certificate(folder: Path, name: str) -> bytes:
    """Writes certificate and key for 127.0.0.1 to FOLDER/name.pem; the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(made + private)
    return made


def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path):
    own = certificate(tmp_path, "venue")
    other = certificate(tmp_path, "other")
    site = Site(tmp_path, certificate=tmp_path / "venue.pem")
    site.start()

    async def refused(node: Node) -> None:
        hasty(node, 2, 4)
        found = await node.lever("margin").apply(await node.lever("margin").plan(node.order("margin")))
        assert not found.ok and "its certificate is not trusted" in found.says and "nothing was sent" in found.says

    async def taken(node: Node) -> None:
        await pull(node.lever("margin"), node.order("margin"))

    pinned = target(site.url, site.scheme, 'ca_file = "ca.pem"\n')
    try:
        site.tell(refused)
        site.tell(refused, pinned, files={"ca.pem": other})
        assert site.effects() == 0
        site.tell(taken, pinned, files={"ca.pem": own})
        assert site.effects() == 1
    finally:
        site.stop()


def test_a_venue_that_speaks_no_tls_is_said(site: Site):
    async def story(node: Node) -> None:
        hasty(node)
        found = await node.lever("halt").read_back(node.order("halt"))
        assert not found.ok and "speaks no TLS" in found.says

    site.tell(story, target(site.url.replace("http://", "https://"), site.scheme))
