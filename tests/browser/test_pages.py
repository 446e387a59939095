"""Every page: without a serious fault for a screen reader or a keyboard, in both schemes and on a phone; said in words
where a picture stands."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import axe
from tests.browser.conftest import PHONE, Opens, shot
from tests.browser.network import Network

PAGES = ("now", "network", "exposure", "levers", "history", "policy", "governance")
READY = {
    "now": ".card, .empty",
    "network": "tbody tr",
    "exposure": "canvas",
    "levers": ".lever",
    "history": "#scrub",
    "policy": ".incident",
    "governance": "tbody tr",
}


def turn(page: Page, name: str) -> None:
    page.evaluate("name => { location.hash = `#/${name}` }", name)
    page.locator(f'#nav a[aria-current="page"][href="#/{name}"]').wait_for()
    page.locator(READY[name]).first.wait_for()


def opened(page: Page) -> None:
    """What unfolds is looked at too."""
    page.evaluate("document.querySelectorAll('details:not([open]) summary').forEach((one) => one.click())")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(opens: Opens, network: Network, scheme: str) -> None:
    page = opens(network.token(f"dora-{scheme}", "releaser"), color_scheme=scheme)
    found = {}
    for name in PAGES:
        turn(page, name)
        opened(page)
        found[name] = axe.faults(page)
        shot(page, f"{name}-{scheme}")
    assert {name: faults for name, faults in found.items() if faults} == {}


def exercising(page: Page) -> None:
    """The node's own answer, as that of a node of a drill network."""

    def answer(route: Route) -> None:
        response = route.fetch()
        told = response.json()
        told["status"]["exercise"] = True
        route.fulfill(response=response, body=json.dumps(told))

    page.route("**/v1/now", answer)


def test_no_page_of_a_drills_node_could_be_taken_for_the_real_one(opens: Opens, network: Network) -> None:
    page = opens(network.token("otto", "viewer"))
    assert page.locator(".exercise-banner").count() == 0
    exercising(page)
    page.locator(".exercise-banner").wait_for()
    for name in PAGES:
        turn(page, name)
        expect(page.locator(".exercise-banner")).to_be_in_viewport()
        expect(page).to_have_title(re.compile("^EXERCISE · "))
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/drill.svg")
    box, width = page.locator(".exercise-banner").bounding_box(), page.evaluate("innerWidth")
    assert box is not None and box["width"] >= width - 20 and axe.faults(page) == []
    shot(page, "exercise")
    page.click("#leave")
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/bell.svg")


def test_a_phone_shows_every_page_without_a_sideways_scroll(opens: Opens, network: Network) -> None:
    page = opens(network.token("emil", "releaser"), viewport=PHONE, has_touch=True, is_mobile=True)
    for name in PAGES:
        turn(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
        shot(page, f"{name}-phone")


def test_it_is_worked_by_the_keyboard_alone(opens: Opens, network: Network) -> None:
    page = opens(network.token("fred", "viewer"))
    page.reload()
    page.wait_for_selector(".head-row")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.locator("#to-now").focus()
    for name in PAGES[1:]:
        page.keyboard.press("Tab")
        expect(page.locator(f"#to-{name}")).to_be_focused()
        page.keyboard.press("Enter")
        page.locator(READY[name]).first.wait_for()
        expect(page.locator(f"#to-{name}")).to_be_focused()


def test_what_a_picture_shows_stands_in_a_table_too(opens: Opens, network: Network) -> None:
    page = opens(network.token("gina", "viewer"))
    turn(page, "exposure")
    expect(page.get_by_role("img", name="the table below says the same")).to_be_visible()
    expect(page.locator("table", has_text="What is exposed")).to_contain_text("escrow")
    turn(page, "network")
    for member in network.others:
        expect(page.locator("tbody tr", has_text=member).first).to_be_visible()


def test_history_is_scrubbed_to_before_anything_stood(opens: Opens, network: Network) -> None:
    page = opens(network.token("hugo", "viewer"))
    turn(page, "history")
    expect(page.locator(".tick").first).to_be_attached()
    many = page.locator(".log .line").count()
    page.locator("#scrub").focus()
    page.keyboard.press("Home")
    expect(page.get_by_label("What stood then")).to_contain_text("None held.")
    page.wait_for_function("most => document.querySelectorAll('.log .line').length < most", arg=many)
    page.get_by_role("button", name="Replay ten times as fast").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()


def test_the_policy_is_tried_on_an_alarm_of_ones_choosing(opens: Opens, network: Network) -> None:
    page = opens(network.token("ines", "viewer"))
    turn(page, "policy")
    page.get_by_role("button", name="Try it; nothing moves").click()
    expect(page.get_by_role("status").filter(has_text="groups certify ISOLATE")).to_contain_text("pause")
    page.select_option("#try-own", "contradicted")
    page.get_by_role("button", name="Try it; nothing moves").click()
    expect(page.get_by_role("status").filter(has_text="our own check says otherwise")).to_contain_text("hold")


def test_a_vote_is_watched_where_it_stands(opens: Opens, network: Network) -> None:
    page = opens(network.token("judy", "viewer"))
    turn(page, "governance")
    expect(page.get_by_text("Nothing is being decided")).to_be_visible()
    words = ("member", "propose", "parameters", "--delay", "change=5d", "--note", "<b>slower</b>")
    network.govern(network.member, *words)
    proposal = page.locator(".proposal")
    expect(proposal).to_contain_text("0 of 5 groups say yes", timeout=20_000)
    expect(proposal).to_contain_text("<b>slower</b>")
    with network.at() as node:
        (told,) = node.proposals()
    network.govern(network.others[0], "vote", "cast", told["id"], "yes")
    expect(proposal).to_contain_text("1 of 5 groups say yes", timeout=20_000)
    proposal.locator("summary").click()
    expect(proposal.locator(".sentences")).to_contain_text("groups, 5 a quorum", timeout=20_000)
    assert axe.faults(page) == []
    shot(page, "governance-vote")
