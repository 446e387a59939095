"""Alarms of the own API as files for others' tools, below a ceiling: no decisions, no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.intel import misp, stix
from adapters.intel.model import Alarm, Author, alarm_of, below
from protocol.messages import Tlp

Json = dict[str, Any]


def shared(alerts: Iterable[Json], actions: Iterable[Mapping[str, Any]], ceiling: Tlp) -> tuple[list[Alarm], int, int]:
    """What may leave; how many alarms are held back whole, and how many single words of those that leave."""
    held, leaving, whole, words = list(actions), [], 0, 0
    for alert in alerts:
        if not alert["opinions"]:  # a certificate alone says no word that has a marking
            whole += 1
            continue
        alarm = alarm_of(alert, held)
        cut = below(alarm, ceiling)
        if cut is None:
            whole += 1
        else:
            leaving.append(cut)
            words += len(alarm.words) - len(cut.words)
    return leaving, whole, words


def as_format(format_: str, alarms: list[Alarm], author: Author, now_ms: int) -> Json:
    if format_ == "misp":
        return misp.events(alarms, author, now_ms)
    return stix.bundle(stix.objects(alarms, author, now_ms))
