"""Keeps a password that Jira refuses from being sent again and again, which would lock its user out.

After three failed sign-ins Data Center wants a CAPTCHA, and refuses the right password too (seen: gioboa/jira-plugin
#137, 600 attempts in a day; a directory behind Jira may lock the account for good).
"""

import hmac
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from apimon_node import wire
from apimon_node.errors import JiraError, JiraState

MAX_REFUSALS = 2
"""Times that one and the same password may be refused: one less than Jira bears."""

PASSWORD_HOLD_S = 3600.0
"""Seconds until a password that was refused so often is tried once more: somebody may have solved the CAPTCHA."""

HELD = (
    "the password is not sent before {time} unless it changes or the poller is restarted, since Jira refused it twice: "
    "{reason}"
)

Trying: TypeAlias = Callable[[bool], AbstractContextManager[object]]
"""What goes around each request of a session; its argument tells whether an answer proves that Jira took the sign-in.
It raises JiraError instead of letting a request be sent that must not."""


class PasswordGuard:
    """Bounds how often one and the same password is refused, over all threads of a client.

    Its refusals and its requests in flight are never more than MAX_REFUSALS together: a request beyond that waits for
    an outcome. `now` is a monotonic clock in seconds, `wall` the one of texts. Of a password only a digest is kept.
    """

    def __init__(self, now: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        self._now = now
        self._wall = wall
        self._key = secrets.token_bytes()
        self._changed = threading.Condition()
        self._tries: dict[bytes, _Tries] = {}

    def trying(self, password: str) -> Trying:
        """Return what goes around each request that is signed with this password."""
        mark = hmac.digest(self._key, password.encode(), "sha256")
        return lambda proves: self._request(mark, proves=proves)

    @contextmanager
    def _request(self, mark: bytes, *, proves: bool) -> Iterator[None]:
        tries, before = self._begin(mark)
        taken, refusal = False, None
        try:
            yield
            taken = proves
        except JiraError as error:
            if error.state is not JiraState.AUTH or not error.everywhere:
                raise
            refusal = error
        finally:
            self._end(tries, forgiven=before if taken else 0, refusal=refusal)
        if refusal is not None:
            raise self._held(tries) or refusal

    def _begin(self, mark: bytes) -> tuple["_Tries", int]:
        with self._changed:
            tries = self._tries.setdefault(mark, _Tries())
            self._changed.wait_for(lambda: tries.held(self._now()) or tries.free)
            if held := self._held(tries):
                raise held
            tries.in_flight += 1
            return tries, tries.refusals

    def _end(self, tries: "_Tries", *, forgiven: int, refusal: JiraError | None) -> None:
        """Note how a request ended. What was taken outweighs the refusals before it began, and none since."""
        with self._changed:
            tries.in_flight -= 1
            tries.refusals -= min(forgiven, tries.refusals)
            if refusal is not None:
                tries.refusals += 1
                tries.held_until = self._now() + PASSWORD_HOLD_S
                again_at = wire.format_time(int(self._wall() + PASSWORD_HOLD_S))
                tries.text = HELD.format(time=again_at, reason=refusal)
            self._changed.notify_all()

    def _held(self, tries: "_Tries") -> JiraError | None:
        now = self._now()
        if not tries.held(now):
            return None
        return JiraError(JiraState.AUTH, tries.text, everywhere=True, held=tries.held_until - now)


class _Tries:
    """How one password fares."""

    def __init__(self) -> None:
        self.refusals = 0
        self.in_flight = 0
        self.held_until = -math.inf
        self.text = ""

    @property
    def free(self) -> bool:
        return self.refusals + self.in_flight < MAX_REFUSALS

    def held(self, now: float) -> bool:
        """Return whether it must not be sent. When its time is over, one request may."""
        if self.refusals < MAX_REFUSALS:
            return False
        if now < self.held_until:
            return True
        self.refusals = MAX_REFUSALS - 1
        return False
