"""Sections as the feed sends them: a fleet that is well, and what tests make of it."""

import time
from datetime import UTC, datetime
from typing import Any

RED, MAGENTA, BLUE = "ff0000", "ff00ff", "005aff"
STATUSES = ("Open", "In Progress", "Review")
COLORS = dict(zip(STATUSES, (RED, MAGENTA, BLUE), strict=True))
PEOPLE = ("Ada Lovelace", "Grace Hopper", None)
SUMMARIES = (
    "Checkout answers 502 behind the new proxy",
    "Night job of the billing export never ends",
    "Rotate the certificates of the mail gateway",
    "Dashboard shows yesterday's numbers after midnight",
)


def moment(seconds: float) -> str:
    """A moment so many seconds from now."""
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ticket(number: int, status: str, *, overdue: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "key": f"OPS-{number}",
        "status": status,
        "priority": "High" if number % 3 == 0 else "Medium",
        "assignee": PEOPLE[number % len(PEOPLE)],
        "summary": SUMMARIES[number % len(SUMMARIES)],
        "created": moment(-600 * number),
        "due": moment(-900 if overdue else 5400),
        "overdue": overdue,
        "url": f"https://jira.example.com/browse/OPS-{number}",
        "board": "ops",
    } | more


def lit(look: int, tickets: list[dict[str, Any]]) -> dict[str, Any]:
    """A pixel with tickets of a look."""
    overdue = any(one["overdue"] for one in tickets)
    return {
        "color": COLORS[STATUSES[look]],
        "effect": "pulse" if overdue else "steady",
        "shows": "ticket",
        "look": look,
        "overdue": overdue,
        "tickets": len(tickets),
        "first": tickets[:8],
    }


DARK: dict[str, Any] = {
    "color": "000000",
    "effect": "steady",
    "shows": "dark",
    "look": None,
    "overdue": False,
    "tickets": 0,
    "first": [],
}
STATUS = DARK | {"color": "ff8800", "effect": "pulse", "shows": "status"}


def strip(
    node: str = "hall", name: str = "ops", *, pixels: int = 40, counts: tuple[int, ...] = (7, 8, 4), **more: Any
) -> dict[str, Any]:
    """A strip whose looks have so many tickets, the last one of each but the last look overdue."""
    row, legend, number = [], [], 1
    for look, (status, tickets) in enumerate(zip(STATUSES, counts, strict=True)):
        late = 1 if look < len(STATUSES) - 1 and tickets else 0
        for at in range(tickets):
            row.append(lit(look, [ticket(number, status, overdue=at >= tickets - late)]))
            number += 1
        legend.append(
            {"name": status, "color": COLORS[status], "effect": "steady", "tickets": tickets, "overdue": late}
        )
    row = (row + [DARK] * pixels)[:pixels]
    return {
        "node": node,
        "name": name,
        "boards": ["ops"],
        "driver": "memory",
        "reverse": False,
        "period": 2.0,
        "brightness": 1.0,
        "dark": False,
        "status": "ok",
        "overflow": False,
        "limited": False,
        "milliamps": 215,
        "matched": True,
        "live": True,
        "legend": legend,
        "pixels": row,
        "said": [pixel["color"] for pixel in row],
    } | more


def node(id: str = "hall", **more: Any) -> dict[str, Any]:  # noqa: A002 - as in the contract
    return {
        "id": id,
        "online": True,
        "state": "ok",
        "light": {"state": "ON", "brightness": 255, "effect": "tickets"},
        "quiet": False,
        "faults": [],
        "version": "0.1.0",
        "started_at": moment(-7200),
        "strips": ["ops"],
        "boards": ["ops"],
    } | more


def poller(id: str = "main", **more: Any) -> dict[str, Any]:  # noqa: A002 - as in the contract
    board = {
        "name": "ops",
        "state": "ok",
        "detail": "",
        "advice": "",
        "checked_at": moment(-20),
        "next_poll_at": moment(40),
    }
    return {
        "id": id,
        "online": True,
        "boards": [board],
        "version": "0.1.0",
        "started_at": moment(-7200),
        "faults": [],
    } | more


def board(name: str = "ops", counts: tuple[int, ...] = (7, 8, 4), **more: Any) -> dict[str, Any]:
    statuses: list[dict[str, Any]] = [
        {"name": status, "total": total, "overdue": int(look < 2 and total > 0)}
        for look, (status, total) in enumerate(zip(STATUSES, counts, strict=True))
    ]
    return {
        "name": name,
        "state": "ok",
        "total": sum(counts),
        "overdue": sum(status["overdue"] for status in statuses),
        "statuses": statuses,
        "at": moment(-20),
        "valid_until": moment(3600),
        "source": "main",
        "counts_only": False,
    } | more


def history(samples: int = 120) -> dict[str, Any]:
    """An hour in which tickets wander from one status to the next."""
    now = int(time.time())
    steps = range(samples)
    return {
        "at": [now - 3600 + at * 3600 // samples for at in steps],
        "statuses": {
            "Open": [4 + (at // 17) % 4 for at in steps],
            "In Progress": [5 + (at // 11) % 4 for at in steps],
            "Review": [2 + (at // 23) % 3 for at in steps],
        },
        "overdue": [(at // 13) % 3 for at in steps],
    }


def events(number: int = 6) -> list[dict[str, Any]]:
    kinds = ("status_changed", "overdue", "created", "closed")
    return [
        {
            "at": moment(-90 * at - 30),
            "board": "ops",
            "type": kinds[at % len(kinds)],
            "key": f"OPS-{at + 1}",
            "status": "In Progress",
            "from": "Open" if at % len(kinds) == 0 else None,
            "summary": SUMMARIES[at % len(SUMMARIES)],
            "url": f"https://jira.example.com/browse/OPS-{at + 1}",
        }
        for at in range(number)
    ]


def fleet() -> dict[str, Any]:
    """All is well, but for two tickets."""
    return {
        "broker": {"state": "connected", "text": "127.0.0.1:1883", "since": moment(-60), "denied": []},
        "node/hall": node(),
        "strip/hall/ops": strip(),
        "poller/main": poller(),
        "board/ops": board(),
        "history/ops": history(),
        "events": events(),
        "troubles": [],
    }
