"""Preflight of a node that runs: what it says of itself, with what one does about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from node.check_types import Facts, Finding
from node.hearing import clock


def _clock(facts: Facts) -> Iterator[Finding]:
    if facts.status is None:
        yield Finding("clock", None, "the node does not run: its clock was not held against the members'", "")
        return
    skew_ms, most_ms = facts.status.get("skew_ms"), facts.config.clock.skew_max_ms
    if type(skew_ms) is not int:
        yield Finding("clock", None, "too few members were heard to say", "")
    elif abs(skew_ms) > most_ms:
        cure = "mend time synchronisation (chronyc tracking); the node signs nothing until then"
        yield Finding("clock", False, f"{skew_ms} ms from the members' median, {most_ms} allowed", cure)
    else:
        yield Finding("clock", True, f"{skew_ms} ms from the members' median")


def _signing(facts: Facts) -> Iterator[Finding]:
    signing = (facts.status or {}).get("signing") or {}
    if facts.status is not None and not signing.get("may"):
        yield Finding("signing", False, f"the node signs nothing: {signing.get('why')}", "")


def _peers(facts: Facts) -> Iterator[Finding]:
    quorum = (facts.status or {}).get("quorum") or {}
    silent = quorum.get("silent_since_ms") or {}
    peers = (facts.status or {}).get("peers") or []
    doing = {one.get("member"): one.get("dialling") for one in peers if one.get("dialling")}
    told = ", ".join(
        f"{name} since {clock(at_ms)}{f' ({doing[name]})' if name in doing else ''}"
        for name, at_ms in sorted(silent.items())
    )
    heard = f"hears {quorum.get('hears')} of {quorum.get('n')} groups, {quorum.get('needed')} needed"
    if quorum.get("blind"):
        cure = "open the port of `listen` in every firewall between, and mend [[peer]] addrs; ask the silent ones"
        yield Finding("peers", False, f"blind, {heard}: nothing above GUARD can form; silent: {told or 'nobody'}", cure)
    elif silent:
        yield Finding(
            "peers", None, f"{heard}; silent: {told}", "ask them; what is dialled and fails is in tocsin status"
        )
    elif quorum:
        yield Finding("peers", True, heard)


def _epoch(facts: Facts) -> Iterator[Finding]:
    epoch = (facts.status or {}).get("epoch") or {}
    elsewhere, number = epoch.get("elsewhere") or [], epoch.get("number")
    f = ((facts.status or {}).get("quorum") or {}).get("f") or 0
    if elsewhere:
        what = f"{', '.join(elsewhere)} live in an epoch that this node, in epoch {number}, does not know"
        cure = "it asks them by itself; where this stays, look in its log for what it refuses of them"
        # as many as cannot all be liars: then it is we who are behind
        yield Finding("epoch", False if len(elsewhere) > f else None, what, cure)


def _plugins(facts: Facts) -> Iterator[Finding]:
    status = facts.status or {}
    for one in status.get("sensors") or ():
        if one.get("says"):
            what = f"{one.get('name')} sees nothing now: {one['says']}"
            yield Finding("sensor", None, what, "mend what it names; the node goes on with the others")
    for one in status.get("escalated") or ():
        key = str(one.get("key", ""))[:12]
        what = f"{one.get('lever')} on {one.get('subject')} waits for a person: {one.get('says')}"
        yield Finding("action", None, what, f"tocsin explain {key}")


RUNNING_CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (_clock, _signing, _peers, _epoch, _plugins)
