"""Boards to publish: tickets with ten fields of the lengths that a real Jira has, about 200 bytes each."""

import json

TOPIC = "apimon/tickets/ops"

STATUSES = (("Open", "new"), ("In Progress", "indeterminate"), ("Review", "indeterminate"), ("Waiting", "new"))
PEOPLE = ("amy", "bob", "chen", "dora", "emil")
PRIORITIES = ("High", "Medium", "Low")


def ticket(number: int, seed: int = 0) -> dict[str, object]:
    """Make a ticket; another `seed` gives it another state."""
    status, category = STATUSES[number * number * (seed + 1) // 7 % len(STATUSES)]
    return {
        "key": f"OPS-{10_000 * seed + number}",
        "type": "Bug",
        "status": status,
        "category": category,
        "priority": PRIORITIES[number % len(PRIORITIES)],
        "created": f"2026-11-{1 + number % 28:02}T08:{number % 60:02}:00Z",
        "due": f"2099-01-{1 + number % 28:02}T11:00:00Z",
        "summary": f"Lamp {number}",
        "assignee": PEOPLE[number % len(PEOPLE)],
        "labels": ["hw"],
    }


def board(tickets: int, seed: int = 0) -> bytes:
    """Make a snapshot in which nothing is overdue."""
    return pack({"tickets": [ticket(number, seed) for number in range(tickets)], "at": "2026-11-23T10:00:00Z"})


def pulsing_board() -> bytes:
    """Make a small snapshot in which one ticket is overdue."""
    tickets = [ticket(number) for number in range(20)]
    tickets[7]["due"] = "2020-02-02T08:00:00Z"
    return pack({"tickets": tickets})


def pack(value: object) -> bytes:
    """Write JSON as the poller does."""
    return json.dumps(value, separators=(",", ":")).encode()
