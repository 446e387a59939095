"""The door to venues: the only importer of httpx here. One signed request, one bounded answer, no redirects.

Whatever a server does comes back as an `Answer` or a VenueDown whose text says whose fault it is."""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlsplit

import httpx
import trio

from adapters.venue.signing import Request, Signature
from adapters.venue.text import parsed

TRY_S = 3.0
WHOLE_S = 6.0
"""For one question with its repeats: a step of a lever asks three, and has 20 s."""
AGAIN_S = 0.2
WAIT_S_MAX = 4.0
"""Of what a server asks us to wait: it cannot put us to sleep."""
TRIES_MAX = 4
ANSWER_BYTES_MAX = 1024 * 1024
SAYS_CHARS_MAX = 160
CAUSES_MAX = 12
BUSY = (429, 503)
PASSING = (500, 502, 503, 504, 429)


class VenueDown(Exception):
    """No usable answer. `sent`: whether the request may have had its effect all the same; `stays`: asked again in this
    moment it would be the same."""

    def __init__(self, says: str, *, sent: bool, stays: bool = False) -> None:
        super().__init__(says)
        self.sent, self.stays = sent, stays


@dataclass(frozen=True)
class Answer:
    """`value` is the parsed JSON; None where the body was empty."""

    status: int
    value: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class _AskedToWait(Exception):
    def __init__(self, says: str, wait_s: float, *, done: bool) -> None:
        """`done`: it may have had its effect all the same."""
        super().__init__(says)
        self.wait_s, self.done = wait_s, done


class Door:
    """One base URL with one signature. Use on trio; close with `aclose`."""

    def __init__(
        self,
        signature: Signature,
        ca: bytes | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        try_s: float = TRY_S,
        whole_s: float = WHOLE_S,
    ) -> None:
        """`ca`: certificates in PEM that are trusted instead of the system's. ValueError where they are none."""
        self.signature, self.now_ms, self._try_s, self._whole_s = signature, now_ms, try_s, whole_s
        try:
            verify = True if ca is None else ssl.create_default_context(cadata=ca.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise ValueError("holds no certificates in PEM") from None
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=4, keepalive_expiry=20)
        self._http = httpx.AsyncClient(
            verify=verify, trust_env=False, follow_redirects=False, limits=limits, timeout=try_s
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def ask(self, request: Request, *, repeats: bool) -> Answer:
        """`repeats`: whether the request may be sent again when nobody knows what became of it. VenueDown."""
        where = urlsplit(request.url).hostname or "?"
        last: VenueDown = VenueDown(f"{where}: no answer within {self._whole_s:g} s", sent=True)
        sent = stays = False
        with trio.move_on_after(self._whole_s):
            for at in range(TRIES_MAX):
                wait_s = AGAIN_S * 2**at
                try:
                    return await self._once(request)
                except _AskedToWait as busy:
                    sent = sent or busy.done
                    last, wait_s = VenueDown(f"{where}: {busy}", sent=sent), busy.wait_s
                except VenueDown as down:
                    sent, stays = sent or down.sent, down.stays
                    last = VenueDown(f"{where}: {down}", sent=sent)
                late = trio.current_time() + wait_s >= trio.current_effective_deadline()
                if (sent and not repeats) or stays or late or at + 1 == TRIES_MAX:
                    break
                await trio.sleep(wait_s)
        raise last

    async def _once(self, request: Request) -> Answer:
        fields = {"accept": "application/json", "accept-encoding": "identity", **request.headers}
        if request.body:
            fields["content-type"] = "application/json"
        # each try is signed anew: a venue takes a nonce once
        whole = Request(request.method, request.url, request.body, fields)
        signed = fields | self.signature.headers(whole, self.now_ms(), token_urlsafe(18))
        with trio.move_on_after(self._try_s):
            try:
                return await self._exchange(whole, signed)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as broken:
                raise _unreached(broken) from None
            except httpx.HTTPError as broken:
                raise VenueDown(f"the exchange broke off ({type(broken).__name__})", sent=True) from None
            except (httpx.InvalidURL, ValueError, UnicodeError) as wrong:
                raise VenueDown(f"an answer that is none: {str(wrong)[:SAYS_CHARS_MAX]}", sent=True) from None
        raise VenueDown(f"no answer within {self._try_s:g} s", sent=True)

    async def _exchange(self, request: Request, headers: dict[str, str]) -> Answer:
        found = bytearray()
        async with self._http.stream(
            request.method, request.url, content=request.body or None, headers=headers
        ) as answer:
            status = answer.status_code
            if 300 <= status < 400:
                raise VenueDown(
                    f"redirects (HTTP {status}), which is not followed: give its own address", sent=True, stays=True
                )
            if status in BUSY and "retry-after" in answer.headers:
                wait_s = _seconds(answer.headers["retry-after"], self.now_ms())
                raise _AskedToWait(f"HTTP {status}, and asks to wait {wait_s:g} s", wait_s, done=status != 429)
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise VenueDown("a packed answer, which was not asked for", sent=True, stays=True)
            async for chunk in answer.aiter_raw():
                found += chunk
                if len(found) > ANSWER_BYTES_MAX:
                    raise VenueDown(f"an answer above {ANSWER_BYTES_MAX} bytes", sent=True, stays=True)
        if status in PASSING:
            raise VenueDown(f"HTTP {status}", sent=True)
        if not found:
            return Answer(status, None)
        try:
            return Answer(status, parsed(bytes(found)))
        except ValueError:
            # a refusal is one in any words
            if status >= 400:
                return Answer(status, None)
            raise VenueDown("an answer that is no JSON", sent=True, stays=True) from None


def _unreached(broken: httpx.HTTPError) -> VenueDown:
    behind: BaseException | None = broken
    for _ in range(CAUSES_MAX):
        if behind is None or isinstance(behind, ssl.SSLError):
            break
        behind = behind.__cause__ or behind.__context__
    if isinstance(behind, ssl.SSLError):
        says = "its certificate is not trusted, or it speaks no TLS: nothing was sent; name its authority in ca_file"
        return VenueDown(says, sent=False, stays=True)
    return VenueDown(f"cannot connect ({type(broken).__name__}): nothing was sent", sent=False)


def _seconds(text: str, now_ms: int) -> float:
    """Retry-After as seconds or a date, clamped."""
    try:
        if text.strip().isdecimal():
            asked = float(text.strip()[:9])
        else:
            asked = email.utils.parsedate_to_datetime(text[:64]).timestamp() - now_ms / 1000
    except (ValueError, TypeError, OverflowError):
        asked = 1.0
    return min(max(asked, AGAIN_S), WAIT_S_MAX)
