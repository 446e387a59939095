"""Real nodes and a real receiver of OTLP: one alarm of four members, its spans from three of them, two under one name
in one collector and the third at one that hangs. One story over one network; the tests run in the order they stand in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from node.control import Control
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import NAMES, SUBJECT, free_ports, wait_for
from tests.integration.network.test_day_one import DRY
from tests.integration.tracing.receiver import Collecting, collecting

pytestmark = pytest.mark.network
SECRET = "5ecre7-70ken"
THREE = NAMES[1:]


@dataclass
class Traced(ForkedSite):
    """All but the issuer are traced; what venue tells is never taken."""

    at_peace: Collecting = field(init=False)
    hanging: Collecting = field(init=False)

    def trace(self, member: str, collector: Collecting) -> None:
        (self.folder / member / "policy.toml").write_text(DRY)
        secret = self.folder / member / "data" / "headers"
        secret.write_text(f"authorization: Bearer {SECRET}\n")
        secret.chmod(0o600)
        path = self.config(member)
        lines = ('[target.dry]\nkind = "log"', f'[tracing]\nendpoint = "{collector.url}"\nheaders_file = "headers"')
        path.write_text("\n".join((path.read_text(), *lines, "")))

    def of(self, member: str) -> list[Any]:
        return [span for name, span in self.at_peace.spans() if name == member]

    def control(self, member: str) -> Control:
        return Control(self.folder / member / "data" / "control.sock")

    def effective(self, member: str) -> list[dict[str, Any]]:
        with self.control(member) as control:
            return [one for one in control.actions() if one["phase"] == "effective"]

    def metrics(self, member: str) -> str:
        transport = httpx.HTTPTransport(uds=str(self.folder / member / "data" / "control.sock"))
        with httpx.Client(transport=transport, base_url="http://node") as client:
            return client.get("/v1/metrics").text


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    site = Traced(tmp_path_factory.mktemp("traces"))
    ports = free_ports(2)
    with ExitStack() as stack:
        site.at_peace = stack.enter_context(collecting(site.folder / "heard", ports[0]))
        site.hanging = stack.enter_context(collecting(site.folder / "hanging", ports[1]))
        site.hanging.does("hang")
        stack.callback(site.close)
        site.found()
        for member, collector in zip(THREE, (site.at_peace, site.at_peace, site.hanging)):
            site.trace(member, collector)
        site.up(*NAMES)
        site.meshed(*NAMES, hears=4)
        yield site


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_the_spans_of_one_alarm_come_from_two_members_under_one_name(site: Traced) -> None:
    for name in NAMES[:3]:
        with site.control(name) as control:
            control.raise_alert(SUBJECT, "bridge-forgery", "ISOLATE", "anna", 600, "heist")
    for name in THREE:
        wait_for(f"the lever of {name} stands", lambda one=name: site.effective(one), 5)
    wait_for("both tell", lambda: all(site.of(one) for one in THREE[:2]), 10)
    spans = [span for _, span in site.at_peace.spans()]
    assert len({one.trace_id for one in spans}) == 1
    assert len({one.span_id for one in spans}) == len(spans)
    assert {one["authorization"] for one in site.at_peace.headers()} == {f"Bearer {SECRET}"}


@pytest.mark.parametrize("member", THREE[:2])
def test_they_reach_from_the_first_byte_to_the_effect_each_within_its_parent(site: Traced, member: str) -> None:
    spans = site.of(member)
    by_id = {one.span_id: one for one in spans}
    (root,) = (one for one in spans if not one.parent_span_id)
    assert root.name == "alarm" and attributes(root)["tocsin.effect_ms"] > 0
    for one in spans:
        above = by_id.get(one.parent_span_id, root)
        assert above.start_time_unix_nano <= one.start_time_unix_nano
        assert one.start_time_unix_nano <= one.end_time_unix_nano <= above.end_time_unix_nano
    named = sorted({one.name for one in spans})
    steps = ["lever apply", "lever plan", "lever read_back", "lever simulate"]
    assert named == ["action", "alarm", "certificate", "decision", "entry", *steps]
    (action,) = (one for one in spans if one.name == "action")
    assert {by_id[one.parent_span_id].name for one in spans if one.name in steps} == {"action"}
    # the ids are those that commands and log lines have
    assert attributes(action)["tocsin.action"] == site.effective(member)[0]["key"]
    assert attributes(root)["tocsin.alert"] == site.alerts(member)[0]["id"]
    assert {attributes(one)["tocsin.incident"] for one in spans if one.name == "entry"} == {"heist"}


def test_what_went_to_the_collector_is_counted_and_is_told_among_the_readers(site: Traced) -> None:
    def counted() -> bool:
        return f'tocsin_trace_spans_total{{what="sent"}} {len(site.of("lender-a"))}' in site.metrics("lender-a")

    wait_for("the spans are counted", counted, 5)
    rows = json.loads(site.at("lender-a", "insiders", "-o", "json").out)
    assert ("tracing", "traced") in {(one["who"], one["kind"]) for one in rows}


def test_a_collector_that_hangs_delays_no_lever_and_no_stop(site: Traced) -> None:
    wait_for("it has a request and sits on it", lambda: site.hanging.headers(), 10)
    (stood,) = site.effective("venue")
    assert stood["phase"] == "effective"
    began_s = time.monotonic()
    ended = site.end("venue")
    assert ended.code == 0 and time.monotonic() - began_s < 4
    assert SECRET not in ended.err
