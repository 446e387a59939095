"""Many tabs and many alarms: one stream for all tabs, and a list of a thousand that scrolls."""

from __future__ import annotations

import copy
import json
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import LOADED, WIDE, Opens, shot, tell
from tests.browser.network import Network

TABS, ALERTS, FRAME_MS, MARKETS = 10, 1_000, 17, 600
SUBJECT = "eip155:1/erc20:0x{:040x}"


def test_ten_tabs_are_live_on_one_stream_and_the_next_takes_over(opens: Opens, network: Network) -> None:
    first = opens(network.token("lena", "viewer"))
    asked: list[tuple[int, str]] = []
    tabs = [first]
    for number in range(TABS):
        page = first if not number else first.context.new_page()
        page.on("request", lambda request, number=number: asked.append((number, request.url.partition("/v1/")[2])))
        if number:
            # signed in by the tabs beside it
            page.goto(network.url + "/#/now")
            page.wait_for_selector(".head-row")
            tabs.append(page)
    first.wait_for_timeout(6_000)
    asked.clear()
    with network.at(network.others[0]) as member:
        told = member.raise_alert(SUBJECT.format(0xABC), "liquidity-run", "WATCH", "test", 60)
    for page in tabs:
        expect(page.locator("#feed")).to_contain_text("says WATCH: liquidity run", timeout=5_000)
        expect(page.locator(".pill", has_text="live")).to_be_visible()
    readers = {number for number, path in asked if path == "now"}
    assert len(readers) == 1 and {path for _, path in asked} == {"now"}, asked
    leader = readers.pop()
    tabs.pop(leader).close()
    with network.at(network.others[0]) as member:
        member.withdraw(told["id"], "test")
    for page in tabs:
        expect(page.locator("#feed")).to_contain_text("withdraws: liquidity run", timeout=10_000)
    tell(f"{TABS} tabs of one person: one stream, one reader; the next tab took over")


def test_leaving_in_one_tab_leaves_in_all(opens: Opens, network: Network) -> None:
    one = opens(network.token("mara", "viewer"))
    other = one.context.new_page()
    other.goto(network.url + "/")
    other.wait_for_selector(".head-row")
    one.click("#leave")
    for page in (one, other):
        expect(page.locator("#token")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0


def crowded(page: Page) -> None:
    """The node's own answer, with a thousand alarms in the place of its own."""

    def answer(route: Route) -> None:
        response = route.fetch()
        told = response.json()
        told["alerts"] = alarms(told["status"]["member"])
        route.fulfill(response=response, body=json.dumps(told))

    page.route("**/v1/now", answer)


def alarms(member: str) -> list[dict[str, Any]]:
    opinion = {
        "author": member, "group": "a", "level": "GUARD", "basis": "VERIFIED", "sources": ["one", "two"],
        "claims": [{"type": "evm-release-without-burn", "id": "ab" * 32}], "since_ms": 1, "issued_ms": 1,
        "expires_ms": 1 << 50, "live": True, "by_person": False, "detector": "",
    }  # fmt: skip
    alarm = {
        "threat": "bridge-forgery", "groups": ["a"], "needed": 3, "thresholds": {}, "certificate": None,
        "own": {"verdict": "verified", "level": "GUARD", "why": "as told"}, "opinions": [opinion] * 5,
        "seen_by": [], "reruns": [], "rerunning": 0, "asked": None,
    }  # fmt: skip
    levels = ("ISOLATE", "GUARD", "WATCH")
    return [
        {**copy.deepcopy(alarm), "id": f"{number:064x}", "subject": SUBJECT.format(number), "level": levels[number % 3]}
        for number in range(ALERTS)
    ]


FRAMES = """() => new Promise((go) => {
  const gaps = []; let last = performance.now(); const ends = last + 3000;
  const step = (now) => {
    gaps.push(now - last); last = now; scrollBy(0, 240);
    if (now < ends) requestAnimationFrame(step); else go(gaps.slice(2).sort((a, b) => a - b));
  };
  requestAnimationFrame(step);
})"""


def test_a_thousand_alarms_scroll_smoothly(opens: Opens, network: Network) -> None:
    page = opens(network.token("nils", "viewer"), viewport=WIDE)
    crowded(page)
    page.wait_for_function("() => document.querySelectorAll('.row').length > 900", timeout=30_000)
    expect(page.locator("#to-now")).to_contain_text("1,000")
    assert page.locator(".card").count() <= 10
    gaps = page.evaluate(FRAMES)
    p50, p95 = gaps[len(gaps) // 2], gaps[len(gaps) * 95 // 100]
    tell(f"1 000 alarms: a frame while scrolling takes p50 {p50:.0f} ms, p95 {p95:.0f} ms, {len(gaps)} frames in 3 s")
    shot(page, "thousand")
    page.locator(".row").nth(500).click()
    expect(page.locator(".card:focus")).to_be_visible()
    assert p50 <= FRAME_MS * LOADED


def rich(page: Page) -> None:
    """The node's own policy and readings, with six hundred exposures, of which an alarm reaches the last."""

    def policy(route: Route) -> None:
        response = route.fetch()
        told = response.json()
        told["assets"] = {"coin": [SUBJECT.format(1)], "other": [SUBJECT.format(2)]}
        told["exposures"] = [
            {**told["exposures"][0], "name": f"market-{n}", "asset": "coin" if n == MARKETS - 1 else "other",
             "behind": None, "ways_out": ["borrow", "withdraw"]}
            for n in range(MARKETS)
        ]  # fmt: skip
        route.fulfill(response=response, body=json.dumps(told))

    def read(route: Route) -> None:
        response = route.fetch()
        told = response.json()
        told["alerts"] = alarms(told["status"]["member"])[1:2]
        told["exposures"] = [
            {"name": f"market-{n}", "usd": 1_000.0 + n, "utilisation": None, "why": "", "read_ms": 1}
            for n in range(MARKETS)
        ]
        route.fulfill(response=response, body=json.dumps(told))

    page.route("**/v1/policy", policy)
    page.route("**/v1/now", read)


def test_of_six_hundred_exposures_what_an_alarm_reaches_is_drawn_and_all_are_listed(
    opens: Opens, network: Network
) -> None:
    page = opens(network.token("wanda", "viewer"), viewport=WIDE)
    rich(page)
    page.goto(network.url + "/#/exposure")
    reached = f"() => document.querySelector('.graph')?.drawing?.getElementById('held market-{MARKETS - 1}').length"
    page.wait_for_function(reached, timeout=30_000)
    drawn = page.evaluate("() => document.querySelector('.graph').drawing.nodes().map((one) => one.id())")
    assert f"held market-{MARKETS - 2}" in drawn and len(drawn) < 120
    expect(page.locator(".left-out")).to_contain_text(f"of {MARKETS}")
    assert page.locator("tbody tr").count() == MARKETS
    shot(page, "many-exposures")
