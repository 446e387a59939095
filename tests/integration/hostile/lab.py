"""A network of real nodes on loopback, without chains, and seats in it whose keys the attackers hold.

Everything is forked from the process that uses it; members are asked over their control sockets, and what they tell is
read from their logs, which costs them nothing.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from governance.card import Card
from governance.charter import Charter, Parameters, found, signed, write
from node import keys
from node.config_identity import peer_id_of
from node.control import Control, ControlError, NodeUnreachable
from protocol.crypto import Signer
from protocol.ids import GroupName, MemberName, PublicKey, SourceId
from protocol.limits import TRANSPORT_KEYS_MAX
from protocol.membership import COUNTED, Source
from protocol.messages import KeySet
from tests.integration.hostile import claims
from tests.integration.network.forked import Child, fork
from tests.integration.network.site import free_ports, wait_for

LEASE_S = 15.0
"""Alarms end soon, so that hundreds of them fit one run, no more than 64 of one author at a time; on a machine that is
busy otherwise a certificate takes seconds to form."""
DAY_MS = 86_400_000
LEAD_S = 0.4
SLACK_MS = 100
"""A sensor's clock and its node's are read one after the other."""


@dataclass(frozen=True)
class Seat:
    """One member. `hostile`: no node runs for it, its keys are the attackers'."""

    name: str
    port: int
    hostile: bool
    secrets: dict[keys.Purpose, bytes]

    @property
    def identities(self) -> list[bytes]:
        """Transport seeds; its KeySet names them all. A hostile seat has as many as a KeySet can hold."""
        first = self.secrets[keys.Purpose.TRANSPORT]
        more = range(1, TRANSPORT_KEYS_MAX) if self.hostile else ()
        return [first, *(hashlib.sha256(first + bytes([number])).digest() for number in more)]

    @property
    def peer_id(self) -> str:
        return peer_id_of(self.identities[0])

    @property
    def address(self) -> str:
        return f"/ip4/127.0.0.1/tcp/{self.port}"

    @property
    def source(self) -> SourceId:
        return SourceId(f"{self.name}.test")


@dataclass(frozen=True)
class Alarm:
    number: int
    at_ms: float

    @property
    def subject(self) -> str:
        return str(claims.subject(self.number))


@dataclass
class Told:
    """One member's log, as far as it was read."""

    path: Path
    read: int = 0
    happenings: list[dict[str, Any]] = field(default_factory=list)
    about: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """(kind, subject) → those of it: a flood tells of hundreds of thousands."""

    def catch_up(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.read)
            raw = file.read()
        whole = raw[: raw.rfind(b"\n") + 1]
        self.read += len(whole)
        for line in whole.splitlines():
            one = json.loads(line)
            self.happenings.append(one)
            if "subject" in one and "kind" in one:
                self.about.setdefault((one["kind"], one["subject"]), []).append(one)


def _secrets(name: str) -> dict[keys.Purpose, bytes]:
    purposes = (keys.Purpose.GOVERNANCE, keys.Purpose.ATTESTATION, keys.Purpose.TRANSPORT)
    return {one: keys.derive(one, hashlib.sha256(f"hostile {name}".encode()).digest()).reveal() for one in purposes}


class Lab:
    """`close` ends every process that it started."""

    def __init__(self, folder: Path, members: int, hostile: int = 1, cores: Sequence[int] | None = None) -> None:
        claims.plug_in()
        self.folder, self.cores = folder, cores
        ports = free_ports(members)
        self.seats = {
            name: Seat(name, port, number >= members - hostile, _secrets(name))
            for number, (name, port) in enumerate(zip((f"m{i}" for i in range(members)), ports))
        }
        self.honest = [one for one in self.seats.values() if not one.hostile]
        self.hostile = [one for one in self.seats.values() if one.hostile]
        self.charter = self._charter()
        self.nodes: dict[str, Child] = {}
        self.told = {one.name: Told(folder / one.name / "node.log") for one in self.honest}
        self._next = 0
        for seat in self.honest:
            self._write(seat)

    # --- files

    def _charter(self) -> Charter:
        now_ms = time.time_ns() // 1_000_000
        sources = tuple(Source(one.source, one.name, "test") for one in self.seats.values())
        lease_ms = {level: int(LEASE_S * 1000) for level in COUNTED}
        parameters = Parameters(name="hostile", created_ms=now_ms, lease_ms=lease_ms, sources=sources)
        cards = {
            one.name: Card(
                name=MemberName(one.name),
                group=GroupName(f"g-{one.name}"),
                governance=Signer(one.secrets[keys.Purpose.GOVERNANCE]).public,
                attestation=Signer(one.secrets[keys.Purpose.ATTESTATION]).public,
                peer_id=one.peer_id,
                addresses=(one.address,),
            )
            for one in self.seats.values()
        }
        charter = found(list(cards.values()), parameters)
        for one in self.seats.values():
            card = cards[one.name]
            peers = tuple(sorted(peer_id_of(identity) for identity in one.identities))
            keyset = KeySet(
                card.name, keys.FIRST_KEY_VERSION, PublicKey(card.attestation), None, peers, now_ms + DAY_MS
            )
            charter = signed(charter, card.name, Signer(one.secrets[keys.Purpose.GOVERNANCE]), keyset)
        return charter

    def _write(self, seat: Seat) -> None:
        folder = self.folder / seat.name
        data = folder / "data"
        data.mkdir(parents=True, mode=0o700)
        keys.make_directory(data)
        for purpose in (keys.Purpose.ATTESTATION, keys.Purpose.TRANSPORT):
            keys.write_key(data, purpose, keys.Secret(seat.secrets[purpose]))
        (folder / "charter.toml").write_text(write(self.charter), "utf-8")
        (folder / "policy.toml").write_text(_policy(seat is self.honest[0]), "utf-8")
        (folder / "node.toml").write_text(
            f'node = 1\nmember = "{seat.name}"\nlisten = "{seat.address}"\npolicy = "policy.toml"\n'
            'control = "c.sock"\nlog = "node.log"\n'
            f'[sensor.immediate]\nkind = "{claims.KIND}"\nplan = "{self._plan(seat.name)}"\n'
            f'source = "{seat.source}"\n',
            "utf-8",
        )

    def _plan(self, name: str) -> Path:
        return self.folder / name / "plan"

    # --- processes

    def up(self, *names: str) -> None:
        for name in names or [one.name for one in self.honest]:
            self.nodes[name] = fork(self.folder, _life(self.folder / name / "node.toml", self.cores))

    def meshed(self, within_s: float = 40) -> None:
        def whole(name: str) -> bool:
            self.standing()
            told = self.status(name)
            return bool(told) and told["quorum"]["hears"] >= len(self.honest) and bool(told["signing"]["may"])

        for name in self.nodes:
            wait_for(f"{name} hears every honest member and may sign", lambda one=name: whole(one), within_s)

    def standing(self) -> None:
        """Every node still runs."""
        for name, child in self.nodes.items():
            assert not child.ended(), f"{name} ended with {child.code}: {child.err.read_text()[-2000:]}"

    def close(self) -> None:
        for child in self.nodes.values():
            child.kill()
        self.nodes.clear()

    def freeze(self, name: str) -> None:
        os.kill(self.nodes[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        os.kill(self.nodes[name].pid, signal.SIGCONT)

    # --- asking

    @property
    def allowed(self) -> set[str]:
        """Peer ids that honest nodes let in."""
        return {peer_id_of(identity) for seat in self.seats.values() for identity in seat.identities}

    def status(self, name: str, timeout_s: float = 10.0) -> dict[str, Any]:
        """{} while nobody answers."""
        try:
            with Control(self.folder / name / "data" / "c.sock", timeout_s) as control:
                return control.status()
        except (NodeUnreachable, ControlError):
            return {}

    def catch_up(self) -> None:
        for told in self.told.values():
            told.catch_up()

    def about(self, name: str, kind: str, alarm: Alarm) -> list[dict[str, Any]]:
        """What a member told of an alarm, as far as its log was read."""
        told = self.told[name].about.get((kind, alarm.subject), ())
        return [one for one in told if one["at_ms"] >= alarm.at_ms - SLACK_MS]

    # --- alarms

    def alarms(self, count: int, every_s: float, lead_s: float = LEAD_S) -> list[Alarm]:
        """Plans them, round the members, and returns at once."""
        begin_ms = (time.time() + lead_s) * 1000
        planned = [Alarm(self._next + i, begin_ms + i * every_s * 1000) for i in range(count)]
        self._next += count
        lines: dict[str, str] = {}
        for alarm in planned:
            name = self.honest[alarm.number % len(self.honest)].name
            lines[name] = lines.get(name, "") + json.dumps([alarm.at_ms, alarm.number]) + "\n"
        for name, text in lines.items():
            with self._plan(name).open("a", encoding="utf-8") as file:
                file.write(text)
        return planned

    def certified(self, alarms: Iterable[Alarm]) -> list[Alarm]:
        """Those of which every honest member holds the certificate, as far as the logs were read."""
        return [alarm for alarm in alarms if all(self._holds(name, alarm) for name in self.nodes)]

    def _holds(self, name: str, alarm: Alarm) -> bool:
        return any(one["level"] == "ISOLATE" for one in self.about(name, "certificate", alarm))

    def said(self, name: str, alarm: Alarm) -> bool:
        """Whether a member has said its own word on it."""
        self.catch_up()
        return any(one["own"] for one in self.about(name, "attestation", alarm))

    def held(self, name: str, alarm: Alarm) -> bool:
        """Whether a member has an ISOLATE certificate of it."""
        self.catch_up()
        return self._holds(name, alarm)

    def until_certified(self, alarms: Sequence[Alarm], within_s: float) -> None:
        def all_held() -> bool:
            self.standing()
            self.catch_up()
            return len(self.certified(alarms)) == len(alarms)

        wait_for(f"{len(alarms)} alarms are certified everywhere", all_held, within_s)


def end_with_parent() -> None:
    """However whoever forked us ends, nothing of the laboratory stays behind (Linux; elsewhere `close` must do)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _policy(names_subjects: bool) -> str:
    text = 'policy = 1\nmode = "observe"\n'
    if names_subjects:
        # an asset each: the names of one asset are looked at together, and nobody has a hundred for one
        text += "[asset]\n" + "".join(f'test-{one} = ["{claims.subject(one)}"]\n' for one in range(claims.SUBJECTS))
        for one in range(claims.SUBJECTS):
            text += f'[exposure.test-{one}]\nasset = "test-{one}"\nread = "test.none"\nmax_age = "1m"\n'
            text += 'ways_out = ["none"]\n'
    return text + '[rule.other]\nasset = "any"\nlevel = "any"\nown = "any"\ndo = []\npage = true\n'


def _life(config: Path, cores: Sequence[int] | None) -> Any:
    def life() -> int:
        from node import app
        from node.config import load

        end_with_parent()
        if cores is not None:
            os.sched_setaffinity(0, cores)
        return app.run(load(config))

    return life
