"""Last of all, for it ends the node whose page this is: the page says so, and keeps what it showed."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Opens, shot
from tests.browser.network import Network


def test_a_page_whose_node_died_says_so_and_keeps_what_it_showed(opens: Opens, network: Network) -> None:
    page = opens(network.token("kate", "viewer"), "#/network")
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.locator(".pill", has_text="live")).to_be_visible()
    network.kill(network.member)
    expect(page.locator(".pill.bad", has_text="reconnecting")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("alert").filter(has_text="This is not live")).to_be_visible(timeout=15_000)
    expect(page.locator("tbody tr").first).to_be_visible()
    page.evaluate("location.hash = '#/levers'")
    expect(page.get_by_role("alert").filter(has_text="could not be read")).to_be_visible(timeout=20_000)
    page.evaluate("location.hash = '#/network'")
    expect(page.locator("tbody tr").first).to_be_visible()
    shot(page, "gone")
