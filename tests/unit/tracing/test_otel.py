"""What stands in a request: read back with OpenTelemetry's own messages."""

from __future__ import annotations

import sys

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from node.tracing import otel
from node.tracing.settings import TracingFault
from node.tracing.spans import ROOT, Span

TRACE, LINKED = bytes(range(1, 17)), bytes(range(101, 117))
SPANS = (
    Span("alarm", TRACE, b"rootroot", ROOT, 10, 90, {"tocsin.level": "HALT"}, "escalated", (LINKED,)),
    Span("entry", TRACE, b"childone", b"rootroot", 20, 30, {"tocsin.claims": ("aa", "bb"), "tocsin.own": True}),
)


def decoded() -> ExportTraceServiceRequest:
    raw = otel.Encoder({"service.name": "tocsin", "tocsin.member": "lender-a"}).encoded(SPANS)
    return ExportTraceServiceRequest.FromString(raw)


def test_ids_times_parents_and_attributes_are_those_of_the_spans() -> None:
    (resource,) = decoded().resource_spans
    assert {one.key: one.value.string_value for one in resource.resource.attributes} == {
        "service.name": "tocsin",
        "tocsin.member": "lender-a",
    }
    root, entry = resource.scope_spans[0].spans
    assert (root.trace_id, root.span_id, root.parent_span_id) == (TRACE, b"rootroot", b"")
    assert (entry.trace_id, entry.span_id, entry.parent_span_id) == (TRACE, b"childone", b"rootroot")
    assert (entry.start_time_unix_nano, entry.end_time_unix_nano) == (20, 30)
    told = {one.key: one.value for one in entry.attributes}
    assert [one.string_value for one in told["tocsin.claims"].array_value.values] == ["aa", "bb"]
    assert told["tocsin.own"].bool_value is True


def test_what_failed_is_an_error_and_another_name_of_the_alarm_a_link() -> None:
    root, entry = decoded().resource_spans[0].scope_spans[0].spans
    assert (root.status.code, root.status.message) == (Status.STATUS_CODE_ERROR, "escalated")
    assert entry.status.code == Status.STATUS_CODE_UNSET
    assert [one.trace_id for one in root.links] == [LINKED]


def test_the_environment_adds_nothing_to_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "secret=5ecre7")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
    assert b"5ecre7" not in decoded().SerializeToString() and b"another" not in decoded().SerializeToString()


def test_what_a_collector_turned_down_is_read_and_nonsense_is_nothing() -> None:
    said = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=3))
    assert otel.refused(said.SerializeToString()) == 3
    assert otel.refused(b"") == otel.refused(b"<html>") == otel.refused(b"\xff" * 100) == 0
    minus = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=-3))
    assert otel.refused(minus.SerializeToString()) == 0


def test_without_the_extra_the_fault_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingFault, match=r"pip install 'tocsin\[otel\]'"):
        otel.check()
