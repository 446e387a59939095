"""One browser and one network for all of it. Without Playwright (`make browser` has it) nothing here is collected."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

try:
    from playwright.sync_api import Browser, Page, sync_playwright
except ImportError:
    collect_ignore_glob = ["test_*.py"]
    Browser = Page = Any  # type: ignore[assignment, misc]

from tests.browser.network import Network

CHROMIUM = os.environ.get("TOCSIN_CHROMIUM") or shutil.which("chromium") or ""
SHOTS = Path(os.environ.get("TOCSIN_SHOTS") or Path(__file__).resolve().parents[2] / ".browser" / "shots")
LOADED = 4
"""On a machine that does other things as well the bounds are so many times wider; the figures are told as they are."""
WIDE, PHONE = {"width": 1366, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium, or name one in TOCSIN_CHROMIUM")
    with sync_playwright() as playwright:
        # root has no user namespaces of its own to put the renderer into
        args = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def network(browser: Browser) -> Iterator[Network]:
    folder = Path(tempfile.mkdtemp(prefix="browser-"))
    one = Network(folder)
    yield one
    one.close()
    shutil.rmtree(folder)


Opens = Callable[..., Page]


@pytest.fixture
def opens(browser: Browser, network: Network) -> Iterator[Opens]:
    """A page in a context of its own, signed in with `token`; what the browser complained of fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(token: str, where: str = "", **more: Any) -> Page:
        context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **more})
        contexts.append(context)
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => "
            "console.error('policy', e.violatedDirective, e.blockedURI, e.sample))"
        )
        page = context.new_page()
        listen(page, complaints)
        page.goto(network.url + "/" + where)
        page.fill("#token", token)
        page.press("#token", "Enter")
        page.wait_for_selector(".head-row")
        return page

    yield opened
    for context in contexts:
        for page in context.pages:
            # an answer that is being changed as the page goes is nobody's fault
            page.unroute_all(behavior="ignoreErrors")
        context.close()
    assert complaints == []


def listen(page: Page, complaints: list[str]) -> None:
    def said(message: Any) -> None:
        # a token that is spent, a deed that is refused: the browser writes each answer over 399 down as an error
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


_FIGURES: list[str] = []


def tell(figure: str) -> None:
    """A figure for the end of the run."""
    _FIGURES.append(figure)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for one in _FIGURES:
        terminalreporter.write_line(f"browser: {one}")
