"""What can go wrong, by whose fault it is: one root, and a child for each party that can mend it.

Exceptions of other libraries are translated into these once, at the edge where they appear.
Anything else that is raised is a bug and ends the process.
"""

from enum import StrEnum


class ApimonError(Exception):
    """The root of all errors that the program expects."""


class ConfigError(ApimonError):
    """The configuration is wrong; its author can mend it. Holds a line for every problem that was found."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InstallError(ApimonError):
    """A library is missing; whoever installed the program can mend it."""


class PayloadError(ApimonError):
    """A message is not what the MQTT contract says; its publisher can mend it."""


class Failure(StrEnum):
    """How a strip failed, by what helps: the classes that recovery knows."""

    WRITE = "write"  # a frame was not taken; the next one may be
    OPEN = "open"  # the device did not open; it may at another time
    CRASH = "crash"  # the process of the native driver ended
    HANG = "hang"  # it did not answer in time
    STICKY = "sticky"  # it stays until the device is opened anew
    MEMORY = "memory"  # the Pi's GPU has no memory left, and gives none back before it restarts
    PERMANENT = "permanent"  # it stays until somebody mends it


class StripError(ApimonError):
    """The strip, or the driver below it, did not take a frame. `code` is the library's or the system's."""

    def __init__(self, text: str, failure: Failure = Failure.WRITE, code: int | None = None) -> None:
        super().__init__(text)
        self.failure = failure
        self.code = code


class BrokerError(ApimonError):
    """The broker cannot be reached, or refuses us."""


class JiraState(StrEnum):
    """How the last poll of a board ended: the words of the poller's status topic."""

    OK = "ok"
    OFFLINE = "offline"  # no connection, name, TLS, time-out
    AUTH = "auth"  # 401, 403, and an answer to a stranger
    QUERY = "query"  # 400
    RATE_LIMITED = "rate_limited"  # 429
    ERROR = "error"  # 5xx, no JSON, anything else


class JiraError(ApimonError):
    """Jira did not answer a query.

    `state` is the cause in the words of the status topic, the text says what to do about it,
    `retry_after` is what Jira asked for in seconds, or 0 where it asked for nothing,
    `everywhere` tells that no other query would be answered either, and
    `held` are the seconds for which nothing is sent of our own will, or 0: to ask again costs Jira nothing.
    """

    def __init__(
        self, state: JiraState, text: str, retry_after: float = 0, *, everywhere: bool = False, held: float = 0
    ) -> None:
        super().__init__(text)
        self.state = state
        self.retry_after = retry_after
        self.everywhere = everywhere
        self.held = held
