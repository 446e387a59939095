"""What others wrote stays text: every string of every answer is somebody's attack, and the page only shows it."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Route

from tests.browser.conftest import Opens, shot
from tests.browser.network import Network
from tests.browser.test_pages import PAGES, opened

ATTACK = '<img src=x onerror="window.taken=1"><script>window.taken=1</script>\'"`${window.taken=1}{{7*7}}\u202e\u0000'
KEPT = {
    "level",
    "phase",
    "rung",
    "kind",
    "state",
    "own",
    "verdict",
    "mode",
    "role",
    "threat_level",
    "expires_by",
    "basis",
}
"""Words of a fixed list, by which the page chooses what to draw: attacked in a run of their own."""


def spoilt(value: Any, words: bool, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: spoilt(one, words, name) for name, one in value.items()}
    if isinstance(value, list):
        return [spoilt(one, words, key) for one in value]
    if isinstance(value, str) and (words or key not in KEPT):
        return ATTACK + value
    return value


def attacked(opens: Opens, token: str, words: bool) -> Any:
    page = opens(token)

    def answer(route: Route) -> None:
        told = route.fetch()
        body = json.dumps(spoilt(told.json(), words)) if told.ok else told.body()
        route.fulfill(response=told, body=body)

    page.route("**/v1/now", answer)
    for path in ("network", "levers", "history", "history?*", "policy", "policy/try?*", "proposals", "explain/*"):
        page.route(f"**/v1/{path}", answer)
    for name in PAGES:
        page.evaluate("name => { location.hash = `#/${name}` }", name)
        page.locator(f'#nav a[aria-current="page"][href="#/{name}"]').wait_for()
        page.wait_for_timeout(700)
        opened(page)
        assert page.evaluate("window.taken") is None, name
        assert page.locator("main img, main script, aside img, #nav img, iframe, object").count() == 0, name
    return page


def test_hostile_strings_stay_text_on_every_page(opens: Opens, network: Network) -> None:
    page = attacked(opens, network.token("jana", "releaser"), words=False)
    page.evaluate("location.hash = '#/network'")
    page.get_by_text(ATTACK[:30]).first.wait_for()
    shot(page, "hostile")


def test_a_word_that_no_list_has_breaks_no_page(opens: Opens, network: Network) -> None:
    """`listen` in conftest fails it where a script raised."""
    attacked(opens, network.token("karl", "viewer"), words=True)
