"""How many requests Jira takes in a time, and how it says that it takes no more."""

import math
import threading
from datetime import UTC, datetime
from http import HTTPStatus

from apimon_node.demo.exchange import Answer, as_page


class RateLimit:
    """A bucket of tokens: a request takes one, and the bucket is filled again at the end of every so many seconds."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.requests = requests
        self.seconds = seconds
        self._left = 0
        self._filled_at = -math.inf
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """Take a token for a request. Gives 0, or the seconds until there are tokens again."""
        with self._lock:
            if not 0 <= now - self._filled_at < self.seconds:
                self._left, self._filled_at = self.requests, now
            if self._left:
                self._left -= 1
                return 0.0
            return self._filled_at + self.seconds - now

    def refusal(self, wait: float, now: float, *, cloud: bool) -> Answer:
        """Answer a request for which there was no token."""
        seconds = str(math.ceil(wait))
        headers = {"X-RateLimit-Limit": str(self.requests), "X-RateLimit-Remaining": "0"}
        if cloud:
            reset = datetime.fromtimestamp(math.ceil(now + wait), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            headers |= {"Retry-After": seconds, "X-RateLimit-Reset": reset, "RateLimit-Reason": "jira-burst-based"}
        else:
            interval = f"{self.seconds:g}"
            headers |= {"X-RateLimit-FillRate": str(self.requests), "X-RateLimit-Interval-Seconds": interval}
            headers |= {"retry-after": seconds}
        return as_page(HTTPStatus.TOO_MANY_REQUESTS, "Rate limit exceeded", headers)
