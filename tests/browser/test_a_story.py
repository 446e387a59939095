"""The story as the person on duty has it: an alarm forms, somebody acts, somebody else lifts, a member dies."""

from __future__ import annotations

import json
import re
import time

from playwright.sync_api import Page, Route, expect

from tests.browser import axe
from tests.browser.conftest import Opens, shot, tell
from tests.browser.network import Network

SEEN_S = 30_000


def press_twice(page: Page, name: str) -> None:
    """The first press asks, the second does."""
    button = page.get_by_role("button", name=name).first
    button.click()
    page.get_by_role("button", name=f"Press again: {name.lower()}").first.click()


def extendable(page: Page) -> None:
    """The node's own answer, as if its actions might last two hours more: it refuses by itself."""

    def answer(route: Route) -> None:
        response = route.fetch()
        told = response.json()
        for one in told["actions"]:
            one["extendable_until_ms"] = one["until_ms"] + 7_200_000
        route.fulfill(response=response, body=json.dumps(told))

    page.route("**/v1/now", answer)


def test_a_link_signs_in_once_and_leaves_no_token_in_the_address(opens: Opens, network: Network, browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{network.url}/#once={network.once}")
    page.wait_for_selector(".head-row")
    assert "once" not in page.url and network.once not in page.content()
    context.close()
    again = browser.new_context().new_page()
    again.goto(f"{network.url}/#once={network.once}")
    expect(again.locator(".fault")).to_contain_text("nobody has this token")
    again.context.close()


def test_the_alarm_forms_and_one_acts_and_another_lifts(opens: Opens, network: Network) -> None:
    operator = opens(network.token("anna", "operator"))
    releaser = opens(network.token("bert", "releaser"))
    card = operator.locator(".card.isolate").first
    expect(card).to_be_visible(timeout=SEEN_S)
    expect(card.locator(".ladder .proven").last).to_contain_text("ISOLATE", timeout=SEEN_S)
    expect(card.locator(".count").first).to_contain_text(re.compile(r"[5-7] of 5 groups"))
    expect(operator).to_have_title(re.compile("^ISOLATE"))
    asked = operator.locator(".action", has_text="waits for a person").first
    expect(asked).to_be_visible(timeout=SEEN_S)
    shot(operator, "story-asked")
    assert operator.get_by_role("button", name="Lift now").count() == 0
    press_twice(operator, "Approve")
    for page in (operator, releaser):
        expect(page.locator(".action .way [aria-current]").first).to_have_text("effective", timeout=SEEN_S)
    for scheme in ("light", "dark"):
        releaser.emulate_media(color_scheme=scheme)
        assert axe.faults(releaser) == []
        shot(releaser, f"story-acting-{scheme}")
    press_twice(operator, "Re-run it")
    expect(card.locator(".rerun").first).to_contain_text("re-run for anna: it holds, as before", timeout=SEEN_S)
    shot(operator, "story-rerun")
    # the local network's leases are as long as its charter allows: there is nothing to offer
    assert operator.get_by_role("button", name="Extend by").count() == 0
    extendable(operator)
    press_twice(operator, "Extend by 1 h")
    expect(operator.locator("#said.bad")).to_contain_text("there is nothing left to extend it by", timeout=SEEN_S)
    press_twice(releaser, "Lift now")
    expect(operator.locator(".action .beside.lifted").first).to_be_visible(timeout=SEEN_S)
    expect(operator.locator("#feed")).to_contain_text("bert decided about a lever")
    shot(operator, "story-lifted")


def test_a_member_that_is_killed_is_silent_on_the_page_within_two_seconds(opens: Opens, network: Network) -> None:
    page = opens(network.token("carl", "viewer"), "#/network")
    name = network.others[-1]
    expect(page.locator("tr", has_text=name).locator(".up")).to_have_text("heard")
    killed = network.kill(name)
    page.locator("tr.silent", has_text=name).wait_for(timeout=10_000)
    seen = time.monotonic() - killed
    tell(f"a killed member is told of after {seen * 1000:.0f} ms (at most 2 000)")
    expect(page.locator(".head-row")).to_contain_text("hears 6 of 7")
    expect(page.locator(".map")).to_have_attribute("aria-label", re.compile(name))
    shot(page, "network-silent")
    assert seen <= 2.0
