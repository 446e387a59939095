"""`[sink.NAME] kind = "notify"`."""

from __future__ import annotations

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.notify.carrier import Carrier, CarrierFault, carrier
from adapters.notify.pager import Times
from adapters.notify.sink import Notify
from adapters.section import Section
from protocol.messages import Tlp

CEILINGS = {"AMBER": Tlp.AMBER, "AMBER+STRICT": Tlp.AMBER_STRICT, "RED": Tlp.RED}
"""What a node says of itself is its owner's own: AMBER at least."""
GATHER_MS, GATHER_MS_MAX = 2_000, 4_000
WINDOW_MS, DAY_MS = 5 * 60_000, 24 * 3_600_000


def sink(name: str, keys: Section, shop: Shop) -> Instances:
    file = keys.text("url_file")
    tlp = keys.text("tlp", needed=False, allowed=f"one of {', '.join(CEILINGS)}")
    gather_ms = keys.whole("gather_ms", GATHER_MS, 0, GATHER_MS_MAX)
    window_ms = keys.duration("window", DAY_MS, needed=False)
    after_ms = keys.duration("after", DAY_MS, needed=False)
    if tlp is not None and tlp not in CEILINGS:
        keys.fault("tlp", f"{tlp[:60]!r} must be one of {', '.join(CEILINGS)}")
    made = _carrier(file, keys, shop) if file is not None else None
    if made is None or shop.faults:
        return Instances()
    times = Times(gather_ms / 1000, (window_ms or WINDOW_MS) / 1000, (after_ms or 0) / 1000)
    return Instances(sinks=(Notify(name, made.carry, times, CEILINGS[tlp or "AMBER"], shop.log, shop.acknowledged),))


def _carrier(file: str, keys: Section, shop: Shop) -> Carrier | None:
    try:
        return carrier(shop.outside(file))
    except (CarrierFault, ValueError) as error:
        keys.fault("url_file", f"{file[:120]!r}: {error}")
        return None
