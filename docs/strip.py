"""Draws docs/strip.svg: tickets on a strip by the looks of config.yaml, and the same when Jira is away.

Run it with: python docs/strip.py > docs/strip.svg
"""

from pathlib import Path

from apimon_node.config import schema
from apimon_node.picture import svg
from apimon_node.picture.layout import lay_out
from apimon_node.picture.looks import group
from apimon_node.picture.painting import STATUS, Status, compose
from apimon_node.tickets import snapshot

PIXELS = 30
BOARD = b'{"counts": {"Open": {"total": 7, "overdue": 2}, "In Progress": {"total": 8, "overdue": 1}, "Waiting": 4}}'


def main() -> None:
    """Write the picture to standard output."""
    settings, _ = schema.load(Path(__file__).parent.parent / "config.yaml")
    tickets = snapshot.parse(BOARD).tickets
    groups, _ = group(settings.looks, [(ticket, ticket.due is not None, None) for ticket in tickets])
    picture = lay_out(groups, PIXELS, settings.overdue_effect)
    away = compose(picture, dimmed=True, status=STATUS[Status.CONNECTION], status_at=0)
    blocks = [
        svg.strip(compose(picture, dimmed=False, status=None, status_at=0)),
        svg.gap(4),
        svg.line("7 open, 8 in progress, 4 others; those with a ring pulse: they are overdue"),
        svg.gap(16),
        svg.strip(away),
        svg.gap(4),
        svg.line("the same an hour after Jira went away: the last known tickets, dimmed, and an orange pixel"),
    ]
    title = "Two LED strips: tickets by status, the overdue ones pulsing; the same with an orange pixel"
    print(svg.document(title, title, blocks, 0.5))  # noqa: T201 - where it is wanted


if __name__ == "__main__":
    main()
