"""Who works on which image: one session at a time, for as long as it says so now and then.

A session is one tab of a browser. What it holds runs out where nothing is heard of it for ``lease_s``; another may
take the image over then, or at once where it is the same person's. Until another has, the last session's strokes are
good, however late they come; afterwards they never are, since they were made without seeing what the other did.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from headcount.core.errors import HeadcountError
from headcount.label.page.store import Store

LEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who held an image last: the session, its person, and how many seconds are left (0 or below: it has run out)."""

    session: str
    person: str
    left_s: float

    @property
    def is_active(self) -> bool:
        """Whether the image is theirs still."""
        return self.left_s > 0


class Claims:
    """The claims on all images; several threads may use it at once. ``clock`` gives seconds that only go forward."""

    def __init__(self, store: Store, *, lease_s: float = LEASE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.lease_s = lease_s
        self._store, self._clock = store, clock
        self._lock = threading.RLock()
        self._were_active: set[int] = set()
        # Whoever held an image when the server ended holds it still: the page may be about to come back.
        self._held = {
            image: (session, person, clock() + lease_s if is_active else -math.inf)
            for image, (session, person, is_active) in store.claims().items()
        }

    def holder(self, image: int) -> Holder | None:
        """Who held an image last; None: nobody ever did."""
        with self._lock:
            found = self._held.get(image)
        return None if found is None else Holder(found[0], found[1], found[2] - self._clock())

    def take(self, image: int, session: str, person: str, *, over: bool = False, former: str = "") -> Holder:
        """Claim an image for a session, or renew its claim; returns who holds it now, which may be another.

        A claim that has run out is anybody's.

        Args:
            over: take it from any other session of the same name, too, since the person asked for that.
            former: take it from this session, if that is of the same name: the person's own of before. Others of the
                name may be somebody else's, from whom nothing is taken unasked.
        """
        with self._lock:
            now = self.holder(image)
            if now is not None and now.session != session and now.is_active:
                is_own = now.person == person and (over or now.session == former)
                if not is_own:
                    return now
            is_new = now is None or not now.is_active or (now.session, now.person) != (session, person)
            self._held[image] = (session, person, self._clock() + self.lease_s)
            if is_new:
                self._keep(image, session, person, is_active=True)
            return Holder(session, person, self.lease_s)

    def renew(self, image: int, session: str) -> Holder | None:
        """Renew a session's claim, unless another has taken the image since; returns who holds it."""
        with self._lock:
            now = self.holder(image)
            if now is not None and now.session == session:
                return self.take(image, session, now.person)
            return now

    def release(self, image: int, session: str) -> None:
        """Give an image back, if the session holds it; what comes late from it is good until another takes it."""
        with self._lock:
            now = self.holder(image)
            if now is not None and now.session == session and now.is_active:
                self._held[image] = (session, now.person, -math.inf)
                self._keep(image, session, now.person, is_active=False)

    def lapsed(self) -> list[int]:
        """The images whose claims have run out since this was last asked."""
        with self._lock:
            active = {image for image, held in self._held.items() if held[2] > self._clock()}
            found = sorted(self._were_active - active)
            self._were_active = active
        return found

    def _keep(self, image: int, session: str, person: str, *, is_active: bool) -> None:
        with suppress(HeadcountError):  # a full disk: it is held all the same, as long as the server runs
            self._store.set_claim(image, session, person, is_active=is_active)
