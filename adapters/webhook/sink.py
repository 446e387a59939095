"""The sink: takes texts at once, tells them together, tries again, and never raises."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

import httpx
import trio

from adapters.api import News
from adapters.webhook.notice import Notice, headers, made
from protocol.messages import Tlp

WAITING_MAX = 256
POST_S_MAX = 5.0
BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0)
GIVE_UP_S = 3_600.0
"""After that, who comes reads `tocsin status`."""
COME_AGAIN = frozenset({408, 425, 429})
"""Answers below 500 that do not mean never."""


class Webhook:
    """`run` delivers until cancelled; without it a text is tried once, while it is told."""

    def __init__(
        self, name: str, url: str, key: bytes, gather_s: float, ceiling: Tlp, log: Callable[[str], None]
    ) -> None:
        self.name, self.ceiling = name, ceiling
        self.counts: Counter[str] = Counter(dict.fromkeys(("sent", "failed", "dropped", "withheld", "joined"), 0))
        """Of texts, but `sent` and `failed` of notices; `joined`: told in a notice of another's."""
        self._url, self._key, self._gather_s, self._log = url, key, gather_s, log
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._notice: Notice | None = None
        self._since_s = self._not_before_s = 0.0
        self._tries = 0
        self._busy = False
        self._some = trio.Event()
        # no proxy of the environment, no redirect: the text goes where node.toml says and nowhere else
        self._http = httpx.AsyncClient(timeout=POST_S_MAX, trust_env=False, follow_redirects=False)

    def __repr__(self) -> str:
        return f"Webhook({self.name!r})"

    async def tell(self, news: News) -> None:
        if len(self._waiting) >= WAITING_MAX:
            self._dropped += 1
            self.counts["dropped"] += 1
        else:
            self._waiting.append(news.text)
        self._some.set()
        if not self._tries:
            await self._turn()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some = trio.Event()
            while self._waiting or self._notice is not None:
                if self._busy:  # who told it is at it
                    await trio.sleep(0.1)
                else:
                    await self._turn()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _turn(self) -> None:
        """One try of what waits; what is cut off waits on."""
        if self._busy:
            return
        self._busy = True
        try:
            if self._notice is None:
                await trio.sleep(self._gather_s)
                self._notice = self._gathered()
                self._since_s, self._tries = trio.current_time(), 0
            await trio.sleep(max(self._not_before_s - trio.current_time(), 0))
            fault, again = await self._post(self._notice)
            self._settle(self._notice, fault, again)
        finally:
            self._busy = False

    def _gathered(self) -> Notice:
        notice = made(self.name, list(self._waiting), self._dropped, self.ceiling, time.time_ns() // 1_000_000)
        self.counts["joined"] += len(self._waiting) - 1
        self._waiting.clear()
        self._dropped = 0
        return notice

    async def _post(self, notice: Notice) -> tuple[str, bool]:
        """("" where it was taken, else why not; whether another try may help). The address is never said."""
        try:
            with trio.fail_after(POST_S_MAX):
                signed = headers(notice, self._key, int(time.time()))
                async with self._http.stream("POST", self._url, content=notice.body, headers=signed) as answer:
                    status = answer.status_code
        except trio.TooSlowError:
            return f"no answer within {POST_S_MAX:g} s", True
        except Exception as error:  # httpx, TLS, the system: whatever it is, the alarm goes on without it
            return type(error).__name__, True
        if 200 <= status < 300:
            return "", False
        return f"it answered {status}", status >= 500 or status in COME_AGAIN

    def _settle(self, notice: Notice, fault: str, again: bool) -> None:
        late = trio.current_time() - self._since_s > GIVE_UP_S
        if fault and again and not late:
            if not self._tries:
                self._log(f"sink {self.name}: {fault}; tried again")
            self._not_before_s = trio.current_time() + BACKOFF_S[min(self._tries, len(BACKOFF_S) - 1)]
            self._tries += 1
            return
        if fault:
            self._log(f"sink {self.name}: a notice of {notice.count} was given up: {fault}")
        elif self._tries:
            self._log(f"sink {self.name}: is heard again")
        self.counts["failed" if fault else "sent"] += 1
        self._notice, self._tries, self._not_before_s = None, 0, 0.0
