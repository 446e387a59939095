"""The console under a certificate: the same door, and nobody reads along."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.certificate import self_signed
from tests.integration.shell.console import House

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, ssl.SSLContext]]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = self_signed(folder)
    with House(folder, f'cert = "{cert}"\nkey = "{key}"') as one:
        one.url = one.url.replace("http:", "https:")
        yield one, ssl.create_default_context(cafile=cert)


def test_who_trusts_the_certificate_is_let_in_with_a_token(house: tuple[House, ssl.SSLContext]) -> None:
    one, trusts = house
    assert one.ask("GET", "/v1/status", verify=trusts).status_code == 200
    assert one.bare("GET", "/v1/status", verify=trusts).status_code == 401


def test_who_does_not_sends_no_token(house: tuple[House, ssl.SSLContext]) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        house[0].ask("GET", "/v1/status")


def test_without_a_certificate_nothing_is_answered(house: tuple[House, ssl.SSLContext]) -> None:
    with socket.create_connection(("127.0.0.1", house[0].port), 5) as wire:
        wire.settimeout(15)
        wire.sendall(b"GET /v1/status HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert b"HTTP/1.1" not in wire.recv(4096)


def test_older_versions_of_the_protocol_are_refused(house: tuple[House, ssl.SSLContext]) -> None:
    one, trusts = house
    old = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(trusts.get_ca_certs(binary_form=True)[0]))
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError):
        one.ask("GET", "/v1/status", verify=old)


def test_the_page_and_its_events_come_the_same_way(house: tuple[House, ssl.SSLContext]) -> None:
    one, trusts = house
    assert "<html" in httpx.get(one.url, verify=trusts, trust_env=False).text
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {one.tokens['viewer']}"}
    with httpx.stream("GET", f"{one.url}/v1/events", headers=headers, verify=trusts, timeout=10) as answer:
        assert next(answer.iter_lines()).startswith("id: ")
