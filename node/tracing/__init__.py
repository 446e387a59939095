"""OpenTelemetry traces of an alarm, from its first byte to the effect (TRACING.md). Off where node.toml has no
`[tracing]`. `spans`, `alarm` and `story` are pure: facts with their times in, finished spans out."""
