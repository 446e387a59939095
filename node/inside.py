"""What of a node's answers is not for everybody: words above TLP:GREEN, and whatever names its owner's own levers and
exposures."""

from __future__ import annotations

from collections.abc import Iterable

from node import present
from node.api_stream import OWNER, Asker
from node.effects import Tell
from node.insiders import Insiders, Reader, Thing
from node.loop import now
from node.machine.action import Action
from node.machine.state import State
from node.serving import Scope
from node.watch import threat_word
from protocol.messages import Tlp
from protocol.release import Topic

OWN = Tlp.AMBER.name
"""What a node says of itself is its owner's own."""
EVENTS = Thing("events", "", "the stream of events: all that happened while it was read", OWN)
COPY = Thing("backup", "", "a copy of the whole store", Tlp.RED.name)
METRICS = Thing("metrics", "", "the metrics: levers, exposures and health", OWN)


def about(topic: Topic) -> str:
    return f"{threat_word(topic[1])} on {topic[0]}"


def alerts(state: State, topics: Iterable[Topic], kind: str = "alert") -> list[Thing]:
    """Those of them that are not for everybody: each as strict as the strictest word on it that is held here, and AMBER
    at least with a lever or an exposure of ours on it."""
    ours = {(one.subject, one.threat) for one in state.actions.values()}
    certified: dict[Topic, Tlp] = {}
    for held in state.certificates.values():
        topic = held.certificate.topic
        certified[topic] = max(held.tlp, certified.get(topic, Tlp.CLEAR))
    found: list[Thing] = []
    for topic in topics:
        least = Tlp.AMBER if topic in ours or topic[0] in state.setup.manifest else Tlp.CLEAR
        said = [one.body.tlp for one in state.opinions.get(topic, {}).values()]
        tlp = max(least, certified.get(topic, Tlp.CLEAR), *said)
        if tlp > Tlp.GREEN:
            found.append(Thing(kind, present.alert_id(topic), about(topic), tlp.name))
    return found


def actions(held: Iterable[Action]) -> list[Thing]:
    return [Thing("action", one.key.hex(), f"{one.lever} for {about((one.subject, one.threat))}", OWN) for one in held]


def named(state: State, ids: Iterable[str]) -> list[Thing]:
    """Of own actions, by their whole keys."""
    wanted = frozenset(ids)
    return actions(one for one in state.actions.values() if one.key.hex() in wanted) if wanted else []


def explained(state: State, id_: str) -> list[Thing]:
    """Of an alert what is done on it here is told as well, and of an action what is said on its alert."""
    found = [topic for topic in present.topics(state) if present.alert_id(topic) == id_]
    found += [(one.subject, one.threat) for one in state.actions.values() if one.key.hex() == id_]
    return alerts(state, found) + actions(one for one in state.actions.values() if (one.subject, one.threat) in found)


def exposures(state: State) -> list[Thing]:
    return [Thing("exposure", name, one.asset, OWN) for name, one in sorted(state.setup.policy.exposures.items())]


def scraper(scope: Scope, own_port: bool) -> Reader:
    """Who asks for metrics: on their own port an address and no more."""
    client = scope.get("client")
    return Reader(str(client[0]) if client else "nobody named", "unknown", "metrics") if own_port else reader_of(OWNER)


def note_told(insiders: Insiders, sink: str, effect: Tell) -> None:
    """A sink of the owner's was told: who reads there is not known here."""
    topic = effect.topic
    id_, says = ("", "news of this node itself") if topic is None else (present.alert_id(topic), about(topic))
    insiders.knew(Reader(sink, "sink", "sink"), [Thing("told", id_, says, effect.tlp.name)], now().wall_ms)


def note_traced(insiders: Insiders, state: State, topic: Topic) -> None:
    """Its spans go to the owner's collector: who reads there is not known here."""
    insiders.knew(Reader("tracing", "sink", "sink"), alerts(state, [topic], "traced"), now().wall_ms)


def reader_of(asker: Asker) -> Reader:
    """Over TCP the token's person; at the socket the account that owns it, whoever that is."""
    return Reader(asker.person, asker.role, "tcp") if asker.person else Reader("owner", asker.role, "socket")
