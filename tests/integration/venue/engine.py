"""A small venue as a process of its own: pairs, orders, withdrawals, keys, kept in SQLite; each request is signed.

    python -m tests.integration.venue.engine FOLDER PORT SIGNATURE_SCHEME [CERTIFICATE_AND_KEY]

It checks signatures by itself, with code that shares nothing with the lever's: the standard library and PyNaCl's
verifying half. What it is told in `FOLDER/mood` it does to the next requests: lie, hang, talk rubbish, die."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import sqlite3
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECRET = b"a secret that the venue gave us"
SEED = bytes(range(32))
ADMIN, WIDE = "node-1", "node-wide"
RIGHTS = {ADMIN: ["trading:restrict", "account:read"], WIDE: ["trading:restrict", "withdrawals:create", "keys:create"]}
TABLES = """
create table if not exists pairs (name text primary key, status text, margin_bps int, reason text, until_ms int);
create table if not exists account (one int primary key, withdrawals text, keys text, w_reason text, k_reason text);
create table if not exists done (key text primary key, request text, answer text, at real);
create table if not exists nonces (nonce text primary key);
create table if not exists effects (what text);
insert or ignore into pairs values ('WETH-USD', 'trading', 1000, '', 0);
insert or ignore into account values (1, 'open', 'active', '', '');
"""


class Refused(Exception):
    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Books:
    """One file, one writer."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, threading.Lock()
        self.base = sqlite3.connect(folder / "books.sqlite", check_same_thread=False, isolation_level=None)
        self.base.executescript(TABLES)

    def pair(self, name: str) -> dict[str, Any]:
        row = self.base.execute("select * from pairs where name = ?", (name,)).fetchone()
        if row is None:
            raise Refused(404, "no such pair")
        status, until_ms = row[1], row[4]
        if status == "halted" and until_ms and until_ms <= time.time() * 1000:
            status, until_ms = "trading", 0
        return {"pair": row[0], "status": status, "margin_bps": row[2], "reason": row[3], "until_ms": until_ms}

    def account(self) -> dict[str, Any]:
        row = self.base.execute("select * from account").fetchone()
        withdrawals = {"state": row[1], "reason": row[3]}
        return {"withdrawals": withdrawals, "keys": {"state": row[2], "reason": row[4]}}

    def set_pair(self, name: str, **more: Any) -> None:
        self.pair(name)
        for field, value in more.items():
            self.base.execute(f"update pairs set {field} = ? where name = ?", (value, name))
        self.base.execute("insert into effects values (?)", (json.dumps({"pair": name} | more),))

    def set_account(self, what: str, state: str, reason: str) -> None:
        self.base.execute(f"update account set {what} = ?, {what[0]}_reason = ?", (state, reason))
        self.base.execute("insert into effects values (?)", (what,))

    def mood(self) -> str:
        """Taken once, unless it begins with "always"."""
        file = self.folder / "mood"
        text = file.read_text() if file.exists() else ""
        if text and not text.startswith("always"):
            file.unlink()
        return text.removeprefix("always ")


def check_hmac(headers: Any, method: str, path: str, body: bytes) -> str:
    key, stamp, nonce = headers["X-Api-Key"], headers["X-Timestamp"], headers["X-Nonce"]
    text = "\n".join((stamp, nonce, method, path, hashlib.sha256(body).hexdigest()))
    wanted = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, headers["X-Signature"]) or abs(int(stamp) - time.time() * 1000) > 30_000:
        raise Refused(401, "signature")
    fresh(nonce)
    return str(key)


def check_message(headers: Any, method: str, path: str, body: bytes) -> str:
    """RFC 9421: the covered components in the order that was said, whatever they are."""
    from nacl.signing import SigningKey, VerifyKey

    said = headers["Signature-Input"].removeprefix("sig1=")
    inside = said[1 : said.index(")")]
    covered = re.findall(r'"([^"]+)"', inside)
    if not {"@method", "@path", "@authority"} <= set(covered) or (body and "content-digest" not in covered):
        raise Refused(401, "too little is covered")
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if body and headers["Content-Digest"] != f"sha-256=:{digest}:":
        raise Refused(401, "digest")
    if headers.get("Idempotency-Key") and "idempotency-key" not in covered:
        raise Refused(401, "the key is not covered")
    plain, _, query = path.partition("?")
    derived = {"@method": method, "@path": plain, "@query": f"?{query}", "@authority": headers["Host"].lower()}
    lines = [f'"{one}": {derived[one] if one in derived else headers[one].strip()}' for one in covered]
    base = "\n".join([*lines, f'"@signature-params": {said}']).encode()
    public: VerifyKey = SigningKey(SEED).verify_key
    try:
        public.verify(base, base64.b64decode(headers["Signature"].removeprefix("sig1=:").removesuffix(":")))
    except Exception:
        raise Refused(401, "signature") from None
    created, expires = (int(re.findall(rf";{one}=(\d+)", said)[0]) for one in ("created", "expires"))
    if not created - 30 <= time.time() <= expires:
        raise Refused(401, "time")
    fresh(re.findall(r';nonce="([^"]+)"', said)[0])
    return str(re.findall(r';keyid="([^"]+)"', said)[0])


def fresh(nonce: str) -> None:
    try:
        BOOKS.base.execute("insert into nonces values (?)", (nonce,))
    except sqlite3.IntegrityError:
        raise Refused(401, "a nonce twice") from None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def setup(self) -> None:
        super().setup()
        self.wfile = self.connection.makefile("wb", buffering=-1)

    def do(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mood = BOOKS.mood()
        if mood and self.misbehaves(mood):
            return
        try:
            with BOOKS.lock:
                status, answer = self.answered(method, body, mood)
        except Refused as refused:
            status, answer = refused.status, {"error": str(refused)}
        except (KeyError, IndexError, TypeError, ValueError) as wrong:
            status, answer = 400, {"error": type(wrong).__name__}
        if mood == "die after":
            os.kill(os.getpid(), signal.SIGKILL)
        self.say(status, json.dumps(answer).encode())

    def misbehaves(self, mood: str) -> bool:
        """Whether that was all."""
        if mood == "die before":
            os.kill(os.getpid(), signal.SIGKILL)
        if mood == "hang":
            time.sleep(60)
        if mood == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(600):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.1)
        odd = {
            "rubbish": (200, b"<html>\xff\xfe not json", {}),
            "nan": (200, b'{"status": NaN}', {}),
            "deep": (200, b"[" * 100_000, {}),
            "huge": (200, b" " * 3_000_000, {}),
            "gzip": (200, b"\x1f\x8b", {"Content-Encoding": "gzip"}),
            "redirect": (307, b"", {"Location": "http://127.0.0.1:1/steal"}),
            "busy": (429, b"{}", {"Retry-After": "1"}),
            "very busy": (429, b"{}", {"Retry-After": "86400"}),
            "never busy": (429, b"{}", {"Retry-After": "soon"}),
            "broken": (500, b"{}", {}),
            "other": (200, b'{"state": 7}', {}),
        }
        if mood == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
            self.close_connection = True
            return True
        if mood == "no http":
            self.wfile.write(b"hello\r\n\r\n")
            self.close_connection = True
            return True
        if mood in odd:
            self.say(*odd[mood])
        return mood in odd

    def answered(self, method: str, body: bytes, mood: str) -> tuple[int, Any]:
        trader = self.headers.get("X-Trader")
        if trader:
            return self.traded(method, json.loads(body or b"{}"))
        who = CHECK(self.headers, method, self.path, body)
        if mood == "no right":
            raise Refused(403, "no right")
        if method == "GET":
            return self.read(who)
        if mood == "lie":
            return 200, {"ok": True}
        return self.once(method, body)

    def traded(self, method: str, what: dict[str, Any]) -> tuple[int, Any]:
        """Somebody's order, withdrawal or key, as the books allow it."""
        pair, account = BOOKS.pair("WETH-USD"), BOOKS.account()
        kind = self.path.rpartition("/")[2]
        if account["keys"]["state"] == "suspended":
            raise Refused(403, "keys are suspended")
        if kind == "withdrawals" and account["withdrawals"]["state"] != "open":
            raise Refused(409, "withdrawals are locked")
        if kind == "orders" and (
            pair["status"] == "halted" or (pair["status"] == "reduce_only" and not what["reduces"])
        ):
            raise Refused(409, pair["status"])
        if kind == "orders" and not what["reduces"] and what["margin_bps"] < pair["margin_bps"]:
            raise Refused(409, "margin")
        return 201, {"id": 1}

    def read(self, who: str) -> tuple[int, Any]:
        parts = self.path.split("/")
        if parts[2:] == ["account"]:
            return 200, BOOKS.account()
        if parts[2:] == ["key"]:
            return 200, {"rights": RIGHTS[who]}
        if parts[2] == "actions":
            row = BOOKS.base.execute("select answer from done where key = ?", (parts[3],)).fetchone()
            if row is None:
                raise Refused(404, "no such action")
            return 200, json.loads(row[0])
        return 200, {"market": BOOKS.pair(parts[3])}

    def once(self, method: str, body: bytes) -> tuple[int, Any]:
        """Under one Idempotency-Key one effect; another request under it is refused."""
        key, request = self.headers["Idempotency-Key"], f"{method} {self.path} {body.decode()}"
        row = BOOKS.base.execute("select request, answer from done where key = ?", (key,)).fetchone()
        if row is not None:
            if row[0] != request:
                raise Refused(422, "this key was used for something else")
            return 200, json.loads(row[1])
        BOOKS.base.execute("begin immediate")
        try:
            answer = self.act(method, json.loads(body or b"{}"))
            BOOKS.base.execute("insert into done values (?, ?, ?, ?)", (key, request, json.dumps(answer), time.time()))
            BOOKS.base.execute("commit")
        except BaseException:
            BOOKS.base.execute("rollback")
            raise
        return 200, answer

    def act(self, method: str, what: dict[str, Any]) -> Any:
        parts = self.path.split("/")
        if parts[2] == "pairs":
            name, deed = parts[3], parts[4]
            if deed == "margin":
                BOOKS.set_pair(name, margin_bps=what["margin_bps"], reason=what["reason"])
            else:
                status = {"halt": "halted", "reduce-only": "reduce_only", "resume": "trading"}[deed]
                until_ms = what.get("until_ms", 0)
                BOOKS.set_pair(name, status=status, until_ms=until_ms, reason=what["reason"])
            return BOOKS.pair(name)
        if parts[2] == "withdrawals":
            BOOKS.set_account("withdrawals", "locked" if parts[3] == "lock" else "open", what["reason"])
        else:
            BOOKS.set_account("keys", what["state"], what["reason"])
        return BOOKS.account()

    def say(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def do_GET(self) -> None:
        self.do("GET")

    def do_POST(self) -> None:
        self.do("POST")

    def do_PUT(self) -> None:
        self.do("PUT")


if __name__ == "__main__":
    BOOKS = Books(Path(sys.argv[1]))
    CHECK = check_hmac if sys.argv[3] == "hmac-sha256" else check_message
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
    server.daemon_threads = True
    if len(sys.argv) > 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()
