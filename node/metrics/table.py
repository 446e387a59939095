"""Every family that a node exposes. Names, units and labels are stable: dashboards and alerts stand on them."""

from __future__ import annotations

from node.metrics.text import Family


def _gauge(name: str, help_: str, *labels: str) -> Family:
    return Family(f"tocsin_{name}", "gauge", labels, help_)


def _counter(name: str, help_: str, *labels: str) -> Family:
    return Family(f"tocsin_{name}_total", "counter", labels, help_)


def _histogram(name: str, help_: str, *labels: str) -> Family:
    return Family(f"tocsin_{name}_seconds", "histogram", labels, help_)


FAMILIES = (
    # the process
    _gauge("build_info", "Always 1; which tocsin, on which Python.", "version", "python"),
    _gauge("uptime_seconds", "Since this process began."),
    _gauge("resident_memory_bytes", "Memory that this process holds."),
    _gauge("ready", "1 where /v1/ready says yes."),
    _gauge("loop_silent_seconds", "Since the loop last took a tick; idle it takes one at least every 0.6 s."),
    _counter("ticks_late", "Ticks that were left out because the one before still waited."),
    _gauge("inbox_events", "Events that wait for the loop; 1024 is full."),
    # who is heard
    _gauge("quorum_groups_heard", "Groups that this node hears, its own among them."),
    _gauge("quorum_groups_needed", "Groups that make a quorum in the epoch in force."),
    _gauge("quorum_margin_groups", "Groups heard beyond the quorum; below 0 the node is blind."),
    _gauge("epoch_number", "Of the epoch in force."),
    _gauge("peers_connected", "Connections that are up.", "role"),
    _gauge("member_up", "1 where this node is connected with the member.", "member"),
    _gauge("member_last_word_age_seconds", "Since a member's last word was issued, by our clock.", "member"),
    _gauge("member_clock_ahead_seconds", "A member's clock minus ours, by its Heartbeat.", "member"),
    _gauge("member_queue_frames", "Frames that wait to be sent to a member.", "member"),
    _gauge("clock_offset_seconds", "Our clock minus the median of the members'; absent while too few are heard."),
    # what is said
    _gauge("signing", "1 where this node may sign."),
    _gauge("key_left_seconds", "Until the KeySet of this node ends; then it signs nothing."),
    _counter("entries_accepted", "Entries made durable since the start.", "own"),
    _counter("entries_refused", "Frames and entries refused since the start, by the protocol's codes.", "code"),
    _counter("wire_refusals", "What the transport refused of peers since the start.", "code"),
    _counter("strangers_refused", "Connections of nobody's that were turned away.", "where"),
    _gauge("equivocations_proven", "Keys that are proven to have signed two things under one number."),
    _gauge("alerts", "Subjects and threats on which somebody's word is held."),
    _gauge("certificates_held", "Certificates that run, by level.", "level"),
    _gauge("claims_waiting", "Claims of others that wait to be run again here."),
    # what is done
    _gauge("actions", "Own actions in the journal, by phase.", "phase"),
    _gauge("lever_standing", "Own restrictions of a lever that may stand on its target.", "lever"),
    _gauge("lever_lease_left_seconds", "Until the last restriction of a lever ends.", "lever"),
    _histogram("lever_step", "How long steps of levers took.", "lever", "step"),
    _counter("lever_step_failures", "Steps of levers that failed.", "lever", "step"),
    _gauge("lever_tested_age_seconds", "Since `tocsin lever test` last found that it would move.", "lever"),
    # what is seen
    _gauge("exposure_age_seconds", "Since an exposure was last read; a reading that failed is none.", "exposure"),
    _gauge("connection_up", "1 where a chain's connection answered well when last asked.", "connection"),
    _gauge("sensor_well", "1 where a sensor says that it is well.", "sensor"),
    _gauge("canary_well", "1 where the canary found a part of the own way to answer; 0 after two looks.", "part"),
    _gauge("canary_age_seconds", "Since the canary last looked to the end; absent before its first look."),
    _counter("notices", "Notices of a sink since the start.", "sink", "what"),
    _counter("trace_spans", "Spans of traces since the start; none where [tracing] is off.", "what"),
    # what is kept
    _histogram("store_commit", "From handing a commit over until it was durable, mark and store."),
    _gauge("store_bytes", "Of the store and its log on the disk."),
    _gauge("disk_free_bytes", "Free for this node where its data lies."),
)

BY_NAME = {one.name: one for one in FAMILIES}
