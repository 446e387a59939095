"""What it costs: bytes, the time to the first picture that means something, from an event to its pixel."""

from __future__ import annotations

import time

from node.pages import BYTES_MAX, console_files
from tests.browser.conftest import LOADED, Opens, tell
from tests.browser.network import Network
from tests.browser.test_many import SUBJECT

PAINT_MS, PIXEL_MS = 300, 50
TIMES = 7
EVENTS, A_SECOND = 60, 10

FIRST = """(() => {
  const done = () => requestAnimationFrame(() => setTimeout(() => (window.painted ??= performance.now())));
  new MutationObserver((_, watch) => {
    if (!document.querySelector('.card, .empty')) return;
    watch.disconnect();
    done();
  }).observe(document, { childList: true, subtree: true });
})()"""
PIXELS = """() => {
  window.late = [];
  new MutationObserver((changes) => {
    const told = changes.flatMap((one) => [...one.addedNodes]).filter((one) => one.dataset?.at);
    const at = told.filter((one) => one.textContent.includes('liquidity')).map((one) => Number(one.dataset.at));
    // a task after the frame runs once it is painted
    if (at.length) requestAnimationFrame(() => setTimeout(() => window.late.push(...at.map((ms) => Date.now() - ms))));
  }).observe(document.getElementById('feed'), { childList: true });
}"""


def middle(found: list[float]) -> float:
    return sorted(found)[len(found) // 2]


def test_the_console_is_at_most_a_megabyte() -> None:
    files = {path.rpartition("/")[2]: content for path, (content, _) in console_files().items()}
    whole = sum(map(len, files.values()))
    drawing = len(files["cytoscape.js"]) / 1024
    tell(f"the console has {whole / 1024:.0f} kB in {len(files)} files, {drawing:.0f} of them cytoscape")
    assert whole <= BYTES_MAX


def test_the_first_picture_that_means_something(opens: Opens, network: Network) -> None:
    page = opens(network.token("olga", "viewer"))
    page.add_init_script(FIRST)
    found = []
    for _ in range(TIMES):
        page.reload()
        page.wait_for_function("() => window.painted")
        found.append(page.evaluate("window.painted"))
    tell(f"first meaningful paint p50 {middle(found):.0f} ms, most {max(found):.0f} ms of {TIMES} (at most {PAINT_MS})")
    assert middle(found) <= PAINT_MS * LOADED


def test_an_event_is_a_pixel_in_a_blink(opens: Opens, network: Network) -> None:
    """Another member's words, ten a second, from the commit of this node to the frame."""
    page = opens(network.token("paul", "viewer"))
    page.wait_for_timeout(1_000)
    page.evaluate(PIXELS)
    with network.at(network.others[0]) as member:
        began = time.monotonic()
        for number in range(EVENTS):
            time.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
            member.raise_alert(SUBJECT.format(0xE0000 + number), "liquidity-run", "WATCH", "test", 20)
    page.wait_for_function(f"() => window.late.length >= {EVENTS * 9 // 10}", timeout=15_000)
    found = sorted(page.evaluate("window.late"))
    p95 = found[len(found) * 95 // 100]
    tell(f"event to pixel p50 {middle(found):.0f} ms, p95 {p95:.0f} ms at {A_SECOND}/s (p50 at most {PIXEL_MS})")
    assert middle(found) <= PIXEL_MS * LOADED
