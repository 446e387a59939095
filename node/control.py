"""The client of a node's control socket: HTTP and JSON under /v1 over a Unix socket of mode 0600.

Everything a command says to a running node goes through here. What comes back is JSON of our own node; its texts may
quote other members, so whoever prints them cleans them first.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from node.api_exercise import HEADER

ANSWER_BYTES_MAX = 16 * 1024 * 1024
TIMEOUT_S = 10.0
LONG_POLL_S_MAX = 60.0


class ControlError(Exception):
    """The node answered no: `code` is stable, `what` and `do` are for people, `status` is HTTP's."""

    def __init__(self, code: str, what: str, do: str, status: int) -> None:
        super().__init__(f"{what}; {do}" if do else what)
        self.code = code
        self.what = what
        self.do = do
        self.status = status


class NodeUnreachable(Exception):
    """Nobody answers on the socket, or what answers is no node. `broke`: it was asked and went before it answered."""

    def __init__(self, socket: Path, why: str, *, broke: bool = False) -> None:
        super().__init__(f"{socket}: {why}")
        self.socket = socket
        self.why = why
        self.broke = broke


def answer_of(socket: Path, status: int, body: bytes) -> Any:
    """What a node said; that it is not ready is an answer too. ControlError where it said no, NodeUnreachable where it
    was no node."""
    try:
        value = json.loads(body) if body else None
    except (ValueError, RecursionError):
        raise NodeUnreachable(socket, "what answers there is no tocsin node") from None
    if status < 400 or (status == 503 and type(value) is dict and "ready" in value):
        return value
    error = value.get("error") if type(value) is dict else None
    if type(error) is not dict:
        error = {"code": f"http-{status}", "what": f"the node answered {status}"}
    words = [str(error.get(key, "")) for key in ("code", "what", "do")]
    raise ControlError(words[0], words[1], words[2], status)


class Control:
    """A context manager. Every method raises ControlError or NodeUnreachable and nothing else."""

    def __init__(self, socket: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.socket = socket
        self.exercise = False
        """Whether the node said that it is of a drill network; known with its first answer."""
        transport = httpx.HTTPTransport(uds=str(socket))
        # trust_env: a proxy named in the environment has no business with a local socket
        self._http = httpx.Client(transport=transport, base_url="http://node/v1", timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Control:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._http.close()

    def _call(self, method: str, path: str, timeout_s: float | None = None, **options: Any) -> Any:
        if timeout_s is not None:
            options["timeout"] = timeout_s
        try:
            with self._http.stream(method, path, **options) as response:
                self.exercise = HEADER in response.headers
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        raise NodeUnreachable(self.socket, f"answered over {ANSWER_BYTES_MAX} bytes")
        except httpx.TimeoutException:
            raise NodeUnreachable(self.socket, "did not answer in time") from None
        except httpx.ConnectError:
            why = "nobody listens there" if self.socket.exists() else "there is no such socket"
            raise NodeUnreachable(self.socket, why) from None
        except (httpx.HTTPError, OSError) as error:
            why = f"the connection broke ({type(error).__name__})"
            raise NodeUnreachable(self.socket, why, broke=True) from None
        return answer_of(self.socket, response.status_code, bytes(body))

    def _get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, params=query) if query else self._call("GET", path)

    def _post(self, path: str, body: dict[str, Any], timeout_s: float | None = None) -> Any:
        return self._call("POST", path, timeout_s, json={key: one for key, one in body.items() if one is not None})

    def status(self) -> dict[str, Any]:
        return dict(self._get("/status"))

    def alerts(self) -> list[dict[str, Any]]:
        return list(self._get("/alerts"))

    def alert(self, alert_id: str) -> dict[str, Any]:
        return dict(self._get(f"/alerts/{quote(alert_id, safe='')}"))

    def raise_alert(
        self,
        subject: str,
        threat: str,
        level: str,
        person: str,
        lease_s: int | None = None,
        incident: str | None = None,
    ) -> dict[str, Any]:
        body = {"subject": subject, "threat": threat, "level": level, "person": person}
        return dict(self._post("/alerts", {**body, "lease_s": lease_s, "incident": incident}) or {})

    def withdraw(self, alert_id: str, person: str) -> dict[str, Any]:
        return dict(self._post(f"/alerts/{quote(alert_id, safe='')}/withdraw", {"person": person}) or {})

    def acknowledge(self, alert_id: str, person: str) -> dict[str, Any]:
        return dict(self._post(f"/alerts/{quote(alert_id, safe='')}/acknowledge", {"person": person}) or {})

    def rerun(self, alert_id: str, person: str) -> dict[str, Any]:
        """Answers at once; what comes out is told with the alert."""
        return dict(self._post(f"/alerts/{quote(alert_id, safe='')}/rerun", {"person": person}) or {})

    def release(
        self, alert_id: str, person: str, through_ms: int | None = None, take_back: bool = False
    ) -> dict[str, Any]:
        """`done` false: it waits for a second person."""
        body = {"person": person, "through_ms": through_ms, "take_back": take_back or None}
        return dict(self._post(f"/alerts/{quote(alert_id, safe='')}/release", body) or {})

    def exposures(self) -> list[dict[str, Any]]:
        return list(self._get("/exposures"))

    def actions(self) -> list[dict[str, Any]]:
        return list(self._get("/actions"))

    def action(self, key: str) -> dict[str, Any]:
        return dict(self._get(f"/actions/{quote(key, safe='')}"))

    def decide(self, key: str, verb: str, person: str, take_back: bool = False) -> dict[str, Any]:
        """`verb`: approve, refuse or lift. `done` false: it waits for a second person."""
        body = {"person": person, "take_back": take_back or None}
        return dict(self._post(f"/actions/{quote(key, safe='')}/{verb}", body) or {})

    def extend(self, key: str, by_s: int, person: str) -> dict[str, Any]:
        return dict(self._post(f"/actions/{quote(key, safe='')}/extend", {"person": person, "by_s": by_s}) or {})

    def explain(self, any_id: str) -> dict[str, Any]:
        return dict(self._get(f"/explain/{quote(any_id, safe='')}"))

    def certificate(self, digest: str) -> bytes:
        """The whole certificate with its KeySets."""
        return bytes.fromhex(self._get(f"/certificates/{quote(digest, safe='')}")["hex"])

    def events(self, after: int, wait_s: float = 0.0) -> dict[str, Any]:
        """`{"events": […], "next": N}`; waits at the node for up to `wait_s` for the first."""
        wait_s = min(max(wait_s, 0.0), LONG_POLL_S_MAX)
        query = {"after": after, "wait_s": wait_s}
        return dict(self._call("GET", "/events", TIMEOUT_S + wait_s, params=query))

    def feeds(self, links: bool = True) -> list[dict[str, Any]]:
        return list(self._get("/feeds", links=str(links).lower()))

    def network(self) -> dict[str, Any]:
        return dict(self._get("/network"))

    def export(self) -> dict[str, Any]:
        """Charter, epoch certificates, fresh Heartbeats and KeySets, hexadecimal."""
        return dict(self._call("GET", "/network/export", 60.0))

    def proposals(self) -> list[dict[str, Any]]:
        return list(self._get("/proposals"))

    def proposal(self, proposal_id: str) -> dict[str, Any]:
        return dict(self._get(f"/proposals/{quote(proposal_id, safe='')}"))

    def backup(self, path: Path) -> dict[str, Any]:
        return dict(self._post("/backup", {"path": str(path)}, timeout_s=300.0) or {})

    def publish(self, sealed: bytes, person: str = "operator") -> dict[str, Any]:
        """Has the node say what a governance key sealed, in its own feed."""
        return dict(self._post("/statements", {"sealed": sealed.hex(), "person": person}) or {})

    def keys(self) -> dict[str, Any]:
        """Every KeySet held, by member."""
        return dict(self._get("/keys"))

    def take_key(self, sealed: bytes, person: str = "operator") -> dict[str, Any]:
        """Has the node go on under the fresh key of its own that this KeySet delegates."""
        return dict(self._post("/keys", {"sealed": sealed.hex(), "person": person}) or {})

    def stop(self) -> dict[str, Any]:
        return dict(self._post("/stop", {}) or {})
