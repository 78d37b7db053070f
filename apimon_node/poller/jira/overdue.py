"""When an issue becomes overdue, by the rules of its board. Pure, but for the machine's time zone if none is named."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from typing import Any

from apimon_node.config.settings import BoardSettings, OverdueSince
from apimon_node.poller.jira.answer import END_OF_TIME, at, category, entries, publishable, text, time, word
from apimon_node.tickets.snapshot import ALWAYS


def due(
    issue: Mapping[str, Any], board: BoardSettings, sla: Sequence[str], now: float, zone: tzinfo | None
) -> float | None:
    """Return the moment (seconds since 1970) at which an issue becomes overdue: by the earliest rule, None without any.

    `sla` has the ids of the SLA fields that count, `now` is Jira's clock. Raises ValueError where the issue lacks what
    a rule needs.
    """
    moments = [_by_age(issue, board), *(_by_sla(at(issue, "fields", name), now) for name in sla)]
    if board.due_date:
        moments.append(_by_date(at(issue, "fields", "duedate"), zone))
    return min((publishable(moment) for moment in moments if moment is not None), default=None)


def _by_age(issue: Mapping[str, Any], board: BoardSettings) -> float | None:
    """Count from the creation, as the predecessor did, or from the last change of status.

    A status is known by its name, else its id, which stays when somebody renames it; its category is the fallback for
    names that nobody listed, or that Jira translates.
    """
    status = text(issue, "fields", "status", "name"), word(issue, "fields", "status", "id"), category(issue)
    after = next((board.overdue_after[name] for name in status if name and name in board.overdue_after), None)
    if after is None:
        return None
    since = time(issue, "fields", "created")
    if board.overdue_since is OverdueSince.STATUS:
        since = _entered(issue, since)
    return since + after


def _entered(issue: Mapping[str, Any], created: float) -> float:
    """Return the moment at which an issue came into its status, by its changelog (Jira's REST API, `expand=changelog`).

    Cloud gives the newest page of it, the newest first; Data Center gives all, the oldest first: so times are compared,
    not places. If a whole changelog has no change of status, the issue is in its first one. If a page has none, the
    change is older than all that is on it: then the oldest entry's time is the nearest to it that is known.
    """
    times = [(time(history, "created"), _moved(history)) for history in entries(issue, "changelog", "histories")]
    total = at(issue, "changelog", "total")
    if moved := [moment for moment, moved in times if moved]:
        return max(moved)
    if isinstance(total, int) and total > len(times):
        return min((moment for moment, _ in times), default=created)
    return created


def _moved(history: object) -> bool:
    return any(at(item, "field") == "status" for item in entries(history, "items"))


def _by_date(day: Any, zone: tzinfo | None) -> float | None:
    """Return the end of a due date: Jira's field `duedate` is a day without a time zone.

    People write such dates, so one beyond any calendar (the year 20266) is no reason to give up the board: no rule.
    """
    try:
        following = date.fromisoformat(day) + timedelta(days=1)
        return datetime.combine(following, time_of_day(), zone).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _by_sla(value: object, now: float) -> float | None:
    """Return the moment at which an SLA is breached, by its ongoing cycle (Jira Service Management's SLA field).

    `breachTime` is calendar time, so it holds between two polls too; but not while the SLA is paused: it moves then.
    What Jira calls breached is overdue by its own clock, whatever the time beside it: then since when is not known.
    Odd shapes are no rule: who may not see an SLA gets null, and how the rest may look is documented nowhere.
    """
    cycle = value.get("ongoingCycle") if isinstance(value, Mapping) else None
    if not isinstance(cycle, Mapping):
        return None
    breach = _moment(cycle.get("breachTime"))
    if cycle.get("breached") is True:
        return ALWAYS if breach is None or breach > now else breach
    return None if cycle.get("paused") is True else breach


def _moment(value: object) -> float | None:
    milliseconds = value.get("epochMillis") if isinstance(value, Mapping) else None
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return None
    return milliseconds / 1000 if 0 <= milliseconds <= END_OF_TIME * 1000 else None
