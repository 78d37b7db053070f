"""The event topic of a board. Pure."""

from enum import StrEnum


class EventType(StrEnum):
    """The words of the event topic."""

    CREATED = "created"
    STATUS_CHANGED = "status_changed"
    OVERDUE = "overdue"
    CLOSED = "closed"
