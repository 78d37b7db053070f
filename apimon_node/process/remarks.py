"""What is said to the log, before it is known where that goes. Pure."""

from enum import StrEnum
from typing import NamedTuple


class LogLevel(StrEnum):
    """From which level on lines are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Remark(NamedTuple):
    """A line for the log; `bad` where something went wrong. With a fault it has its name, and what that is about."""

    text: str
    bad: bool = False
    fault: str = ""
    subject: str = ""
