"""What the node says of its API in OpenAPI 3.1, held against what it does: every operation, by Schemathesis.

`OPENAPI_EXAMPLES=500` tries that many requests of each operation, half of them wrong on purpose; the suite does five.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from node.api import make_app
from tests.integration.shell.process import Process, free_port
from tests.integration.shell.stage import written

pytestmark = [
    pytest.mark.network,
    # a body that is no JSON is meant
    pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning"),
]
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "5"))
APART = {("POST", "/v1/stop"), ("POST", "/v1/backup")}
"""Would end the node, and write where the path says: each has tests of its own."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
DESCRIBED = make_app(SimpleNamespace()).openapi()  # type: ignore[arg-type]
OPERATIONS = sorted(
    (method.upper(), path) for path, methods in DESCRIBED["paths"].items() for method in methods
)  # fmt: skip


class Api:
    """A node, and its own description of itself."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "data" / "c.sock"
        self.node = Process(written(folder, port=free_port())).up()
        self.http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://node", timeout=15
        )
        self.said: dict[str, Any] = self.http.get("/v1/openapi.json").json()
        # who can open the control socket is the owner, and needs no token
        self.schema = schemathesis.openapi.from_dict(
            {name: one for name, one in self.said.items() if name != "security"}
        )

    def asked(self, case: Any) -> httpx.Response:
        asked = case.as_transport_kwargs(base_url="http://node")
        # nothing here takes any
        asked.pop("cookies", None)
        return self.http.request(**asked)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = Api(tmp_path_factory.mktemp("openapi"))
    yield api
    api.http.close()
    api.node.term()
    assert api.node.ends() == 0, api.node.said


def test_it_describes_itself_in_openapi_3_1_and_soundly(api: Api) -> None:
    assert api.said["openapi"].startswith("3.1.")
    api.schema.validate()
    assert api.said == DESCRIBED


@pytest.mark.parametrize(("method", "path"), [one for one in OPERATIONS if one not in APART])
def test_an_operation_answers_as_described_whatever_it_is_asked(api: Api, method: str, path: str) -> None:
    operation = api.schema[path][method]
    checks = CHECKS if path == "/v1/events" else [*CHECKS, negative_data_rejection]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)))
    def holds(case: Any) -> None:
        # a long poll would wait for as long as it says
        case.query.pop("wait_s", None)
        case.validate_response(api.asked(case), checks=checks)

    holds()


@pytest.mark.parametrize(
    "sent",
    [
        bytes(range(256)) * 64,
        b"GET /v1/status HTTP/9.9\r\n\r\n",
        b"GET /v1/" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /v1/alerts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/alerts HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 100,
    ],
    ids=["bytes", "version", "long", "length", "chunk", "http2"],
)
def test_what_is_no_http_costs_a_connection_and_nothing_else(api: Api, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5)
        one.connect(str(api.socket))
        # an answer, or a reset: either ends it
        with suppress(ConnectionResetError, BrokenPipeError):
            one.sendall(sent)
            one.shutdown(socket.SHUT_WR)
            while one.recv(65_536):
                pass
    assert api.http.get("/v1/me").status_code == 200


def test_what_the_framework_refuses_has_the_form_of_all_refusals(api: Api) -> None:
    for method, path, status in (("GET", "/v1/nothing", 404), ("PUT", "/v1/alerts", 405)):
        answer = api.http.request(method, path)
        assert (answer.status_code, set(answer.json()["error"])) == (status, {"code", "what", "do"})
    headers = {"content-type": "application/json"}
    answer = api.http.post("/v1/alerts", content=b"\xff{", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-request")
