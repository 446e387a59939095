"""Charter parameters as words of a command line: `ID=OPERATOR=CHAIN` and kin, every fault at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from governance.charter import CharterFaults, FileFault, Parameters
from governance.durations import parse_duration
from governance.faults import nearest
from protocol.errors import ProtocolError
from protocol.ids import SourceId
from protocol.membership import COUNTED, DEFAULT_FORMULAS, LEASE_MS_MOST, Bridge, OracleFeed, Source
from protocol.messages import Level
from protocol.subjects import Kind, from_text

T = TypeVar("T")
_DELAYS = {"change": "change_delay_ms", "loosen": "loosen_delay_ms"}
_SEATS = {"term": "seat_term_ms", "silence": "silence_ms"}
_LEVELS = {level.name.lower(): level for level in COUNTED}


def parameters_of(
    name: str,
    *,
    created_ms: int,
    sources: Iterable[str],
    bridges: Iterable[str],
    oracles: Iterable[str],
    leases: Iterable[str],
    thresholds: Iterable[str],
    delays: Iterable[str] = (),
    seats: Iterable[str] = (),
) -> Parameters:
    """CharterFaults with every word that cannot be read."""
    faults: list[FileFault] = []
    times: dict[str, Any] = dict(_read("--delay", "change=3d", delays, _duration(_DELAYS), faults))
    times |= dict(_read("--seat", "silence=3d", seats, _duration(_SEATS), faults))
    parameters = Parameters(
        name=name,
        created_ms=created_ms,
        formulas={**DEFAULT_FORMULAS, **dict(_read("--threshold", "isolate=Q", thresholds, _threshold, faults))},
        lease_ms={
            **{level: LEASE_MS_MOST[level] for level in COUNTED},
            **dict(_read("--lease", "isolate=6h", leases, _lease, faults)),
        },
        sources=tuple(_read("--source", "a-home=a=eip155:1", sources, _source, faults)),
        **times,
        bridges=tuple(_read("--bridge", "ASSET=HOME=ESCROW=FAR=TWIN", bridges, _bridge, faults)),
        oracles=tuple(_read("--oracle", "SUBJECT=CHAIN=FEED=REFERENCE,…", oracles, _oracle, faults)),
    )
    if not 1 <= len(name) <= 64 or not name.isprintable():
        faults.append(FileFault("is empty, too long or unprintable", "--name", "use 1 to 64 printable characters"))
    if faults:
        raise CharterFaults(faults)
    return parameters


def _read(
    option: str, example: str, words: Iterable[str], read: Callable[[list[str]], T], faults: list[FileFault]
) -> list[T]:
    found = []
    for word in words:
        try:
            found.append(read([part.strip() for part in word.split("=")]))
        except ProtocolError as error:
            faults.append(FileFault(error.detail, f"{option} {word}", f"write it like {option} {example}"))
        except ValueError as error:
            faults.append(FileFault(str(error), f"{option} {word}", f"write it like {option} {example}"))
    return found


def _parts(parts: list[str], count: int) -> list[str]:
    if len(parts) != count or not all(parts):
        raise ValueError(f"has {len(parts)} parts between =, not {count}")
    return parts


def _level(word: str) -> Level:
    if word.lower() not in _LEVELS:
        raise ValueError(f"{word!r} is no level; {nearest(word.lower(), _LEVELS)}")
    return _LEVELS[word.lower()]


def _threshold(parts: list[str]) -> tuple[Level, str]:
    level, formula = _parts(parts, 2)
    return _level(level), formula


def _lease(parts: list[str]) -> tuple[Level, int]:
    level, duration = _parts(parts, 2)
    return _level(level), parse_duration(duration)


def _duration(fields: Mapping[str, str]) -> Callable[[list[str]], tuple[str, int]]:
    def read(parts: list[str]) -> tuple[str, int]:
        name, duration = _parts(parts, 2)
        if name not in fields:
            raise ValueError(f"{name!r} is none of {', '.join(fields)}")
        return fields[name], parse_duration(duration)

    return read


def _chain(word: str) -> str:
    subject = from_text(word)
    if subject.kind is not Kind.CHAIN:
        raise ValueError(f"{word!r} is no chain")
    return word


def _address(word: str) -> bytes:
    raw = bytes.fromhex(word.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"{word!r} is no address of 20 bytes")
    return raw


def _source(parts: list[str]) -> Source:
    source, operator, scope = _parts(parts, 3)
    return Source(SourceId(source), operator, scope)


def _bridge(parts: list[str]) -> Bridge:
    asset, home, escrow, far, twin = _parts(parts, 5)
    return Bridge(from_text(asset), _chain(home), _address(escrow), _chain(far), _address(twin))


def _oracle(parts: list[str]) -> OracleFeed:
    subject, chain, feed, references = _parts(parts, 4)
    listed = tuple(_address(one) for one in references.split(","))
    return OracleFeed(from_text(subject), _chain(chain), _address(feed), listed)
