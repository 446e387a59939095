"""Somebody who takes notices, as a process of its own: `python -m … PORT FOLDER [CERT KEY]`. What it hears is a line of
JSON each in FOLDER/heard; how it answers stands in FOLDER/answers, one status a line, the last again and again."""

from __future__ import annotations

import json
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Answers(BaseHTTPRequestHandler):
    folder: Path

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with (self.folder / "heard").open("a") as out:
            heard = {
                "path": self.path,
                "headers": {k.lower(): v for k, v in self.headers.items()},
                "body": body.decode(),
            }
            out.write(json.dumps(heard) + "\n")
        plan = self.folder / "answers"
        answers = plan.read_text().split() if plan.exists() else ["204"]
        if len(answers) > 1:
            plan.write_text("\n".join(answers[1:]))
        if answers[0] == "hang":
            time.sleep(30)
        self.send_response(int(answers[0]))
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


def main(port: str, folder: str, *tls: str) -> None:
    Answers.folder = Path(folder)
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Answers)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
