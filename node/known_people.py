"""Tokens as a running node takes them: checked once by argon2id in a thread, then by a digest; failed tries are slow
and few, and a person who is removed is a stranger at the next request."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict
from pathlib import Path

import trio

from node import people
from node.buckets import Bucket, Buckets
from node.people import PeopleFault, Person, split_token

log = logging.getLogger("tocsin.console")
FAILED_S = 0.5
"""A failed try waits that long for its answer."""
SESSIONS_MAX = 64
SESSION_S = 12 * 3600.0
TRYING_MAX = 16
"""Tries under way, those that wait for their slow answer among them."""


class Slow(Exception):
    """Too many tries; `retry_s` until the next may be made."""

    def __init__(self, retry_s: float) -> None:
        super().__init__(f"again in {retry_s:.0f} s")
        self.retry_s = max(1.0, retry_s)


class KnownPeople:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._listed: dict[str, Person] = {}
        self._sessions: OrderedDict[str, tuple[Person, float]] = OrderedDict()
        self._pepper = secrets.token_bytes(32)
        self._checked: dict[str, tuple[Person, bytes]] = {}
        """Of tokens that fitted: the row as it was then, and a digest that is worth nothing outside this process."""
        self._hashing = trio.CapacityLimiter(1)
        self._tries = Bucket(10, 2)
        self._trying = 0
        self._tries_from = Buckets(10, 0.5)

    def listed(self, id_: str) -> Person | None:
        """As the file says now; a list that cannot be read lists nobody."""
        self._follow()
        if id_ in self._sessions:
            person, until_s = self._sessions[id_]
            if trio.current_time() < until_s:
                return person
            del self._sessions[id_]
        return self._listed.get(id_)

    def _follow(self) -> None:
        try:
            found = self._path.stat()
            seen: tuple[int, ...] = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)
        except OSError:
            seen = (0,)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._listed = {one.id: one for one in people.read(self._path)}
        except PeopleFault as error:
            self._listed = {}
            log.error("nobody can sign in: %s", error)

    def still(self, person: Person) -> bool:
        return self.listed(person.id) == person

    async def person_of(self, token: str, address: str) -> Person | None:
        """None for a stranger, after a while; Slow where there were too many."""
        split = split_token(token)
        person = self.listed(split[0]) if split else None
        if person is not None and self._remembered(person, token):
            return person
        # a guess at nobody costs no hash, and so takes no turn from those who sign in elsewhere
        wait_s = max(self._tries.wait_s() if person else 0.0, self._tries_from.wait_s(address))
        if wait_s > 0 or self._trying >= TRYING_MAX:
            raise Slow(wait_s)
        self._tries_from.take(address)
        self._trying += 1
        try:
            if person is not None and split is not None and await self._fits(person, split[1], address):
                self._remember(person, token)
                self._tries_from.give(address)
                return person
            await trio.sleep(FAILED_S)
        finally:
            self._trying -= 1
        return None

    async def _fits(self, person: Person, secret: str, address: str) -> bool:
        self._tries.take()
        fits = await trio.to_thread.run_sync(person.fits, secret, limiter=self._hashing)
        if not fits:
            log.warning("a wrong token for %s came from %s", person.name, address)
        return fits

    def _digest(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode(), key=self._pepper, digest_size=32).digest()

    def _remembered(self, person: Person, token: str) -> bool:
        held = self._checked.get(person.id)
        return held is not None and held[0] == person and hmac.compare_digest(held[1], self._digest(token))

    def _remember(self, person: Person, token: str) -> None:
        if len(self._checked) >= people.PEOPLE_MAX + SESSIONS_MAX:
            self._checked = {id_: held for id_, held in self._checked.items() if self.still(held[0])}
        self._checked[person.id] = (person, self._digest(token))

    async def sign_in(self, person: Person) -> str | None:
        """A token for this life in place of one that was good for once; None where it was spent already."""
        if not await trio.to_thread.run_sync(people.spend, self._path, person, limiter=self._hashing):
            return None
        token, session = await trio.to_thread.run_sync(people.signed_in, person, limiter=self._hashing)
        while len(self._sessions) >= SESSIONS_MAX:
            self._sessions.popitem(last=False)
        self._sessions[session.id] = (session, trio.current_time() + SESSION_S)
        self._remember(session, token)
        return token
