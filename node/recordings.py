"""The recorded incidents that come with this package: what `tocsin vote show` counts again."""

from __future__ import annotations

import functools
import importlib.resources

from governance.packs import RECORDING_BYTES_MAX, Recording, parse_recording

SUFFIX = ".opinions.json"


@functools.cache
def recordings() -> tuple[Recording, ...]:
    """By name. ProtocolError where one is spoilt: then this installation is."""
    folder = importlib.resources.files("deploy") / "scenarios"
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(SUFFIX))
    return tuple(parse_recording((folder / name).read_text("utf-8")[:RECORDING_BYTES_MAX]) for name in names)
