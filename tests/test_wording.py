"""The names of looks: what a legend calls them."""

import pytest

from apimon_node.picture.looks import Match
from apimon_node.picture.wording import name


@pytest.mark.parametrize(
    ("match", "words"),
    [
        (Match(), "all others"),
        (Match(status=("Open",)), "Open"),
        (Match(status=("In Progress", "Review")), "In Progress or Review"),
        (Match(category=("done",), overdue=False), "category done, not overdue"),
        (
            Match(status=("Open",), priority=("High", "Blocker"), overdue=True),
            "Open, priority High or Blocker, overdue",
        ),
        (Match(assignee=("nobody",), label=("later",)), "assignee nobody, label later"),
        (Match(younger_than=600), "younger than 10 minutes"),
        (Match(older_than=60, younger_than=90), "older than 1 minute, younger than 90 seconds"),
        (Match(older_than=0.5), "older than 0.5 seconds"),
        (Match(older_than=3600), "older than 1 hour"),
        (Match(older_than=86400 * 3), "older than 3 days"),
        (Match(older_than=604800 * 2), "older than 2 weeks"),
        (Match(older_than=1), "older than 1 second"),
        (Match(older_than=0), "older than 0 seconds"),
    ],
)
def test_a_look_is_named_by_what_it_matches(match: Match, words: str) -> None:
    assert name(match) == words
