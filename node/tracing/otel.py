"""The only importer of OpenTelemetry: spans as OTLP's bytes, and what a collector says of them. Imported by whoever
has a `[tracing]` in node.toml; the extra may be absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from node.tracing.settings import TracingFault
from node.tracing.spans import ROOT, Attributes, Span

SCOPE = "tocsin"


def check() -> None:
    """TracingFault where the extra is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.common.trace_encoder
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError:
        raise TracingFault("[tracing] needs what is not installed", "pip install 'tocsin[otel]'") from None


class Encoder:
    """For one node: `resource` stands beside all of its spans."""

    def __init__(self, resource: Attributes) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        # not Resource.create, which asks the environment what to add
        self._resource = Resource(dict(resource))
        self._scope = InstrumentationScope(SCOPE)

    def encoded(self, spans: Sequence[Span]) -> bytes:
        """One request of OTLP/HTTP in protobuf."""
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        return bytes(encode_spans([self._readable(one) for one in spans]).SerializeToString())

    def _readable(self, span: Span) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Link
        from opentelemetry.trace.status import Status, StatusCode

        return ReadableSpan(
            span.name,
            context=_context(span.trace_id, span.span_id),
            parent=None if span.parent == ROOT else _context(span.trace_id, span.parent),
            resource=self._resource,
            attributes=dict(span.attributes),
            links=tuple(Link(_context(one, one[:8])) for one in span.links),
            status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.UNSET),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )


def _context(trace_id: bytes, span_id: bytes) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    sampled = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int.from_bytes(trace_id), int.from_bytes(span_id), is_remote=False, trace_flags=sampled)


def refused(body: bytes) -> int:
    """How many spans of a request a collector says that it did not take; 0 where it says nothing that can be read."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        said = ExportTraceServiceResponse.FromString(body)
    except Exception:  # the library's own errors; a collector may answer with anything
        return 0
    return max(int(said.partial_success.rejected_spans), 0)
