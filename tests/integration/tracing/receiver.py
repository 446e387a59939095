"""A collector as a process of its own: `python -m … PORT FOLDER`. Of each request the body is FOLDER/NUMBER.spans, path
and headers are FOLDER/NUMBER.headers. What it does stands in FOLDER/does: take, hang, refuse, elsewhere, endless."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.network.site import environment, wait_for


class Answers(BaseHTTPRequestHandler):
    folder: Path

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        plan = self.folder / "does"
        does = plan.read_text() if plan.exists() else "take"
        at = time.time_ns()
        (self.folder / f"{at}.headers").write_text(json.dumps({"path": self.path, **self.headers}))
        (self.folder / f"{at}.part").write_bytes(body)
        (self.folder / f"{at}.part").rename(self.folder / f"{at}.spans")
        if does == "hang":
            time.sleep(60)
        self.send_response({"refuse": 503, "elsewhere": 307}.get(does, 200))
        self.send_header("location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
        if does == "endless":
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(b"\xff" * 65_536)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


class Collecting:
    """What a collector has heard so far."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{port}/v1/traces"

    def does(self, what: str) -> None:
        (self.folder / "does").write_text(what)

    def headers(self) -> list[dict[str, str]]:
        return [json.loads(one.read_text()) for one in sorted(self.folder.glob("*.headers"))]

    def spans(self) -> list[tuple[str, Any]]:
        """(member, span) of all requests, in the order in which they came."""
        found = []
        for path in sorted(self.folder.glob("*.spans")):
            for resource in ExportTraceServiceRequest.FromString(path.read_bytes()).resource_spans:
                named = {one.key: one.value.string_value for one in resource.resource.attributes}
                found += [(named["tocsin.member"], one) for scope in resource.scope_spans for one in scope.spans]
        return found


@contextmanager
def collecting(folder: Path, port: int) -> Iterator[Collecting]:
    folder.mkdir()
    command = [sys.executable, "-m", __name__, str(port), str(folder)]
    process = subprocess.Popen(command, env=environment())
    try:
        wait_for("the collector listens", (folder / "up").exists)
        yield Collecting(folder, port)
    finally:
        process.kill()
        process.wait()


def main(port: str, folder: str) -> None:
    Answers.folder = Path(folder)
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Answers)
    (Answers.folder / "up").touch()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
