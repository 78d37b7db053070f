"""How Jira writes times. Pure."""

from datetime import UTC, datetime


def jira(epoch: float) -> str:
    """Write a time as in most fields: 2026-11-23T08:00:00.000+0000."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def iso8601(epoch: float) -> str:
    """Write a time as Jira Service Management does beside the other: 2026-11-23T08:00:00+0000."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
