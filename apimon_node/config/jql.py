"""The JQL of a board, so that its pages can be turned. Pure."""

import re
from itertools import pairwise

PART = re.compile(
    r"""
    "(?:[^"\\]|\\.)*"?                    # in quotes; without the second one, to the end
  | '(?:[^'\\]|\\.)*'?
  | (?:[^\s"'\\()\[\],=!<>~|&]|\\.)+      # a word, which may have an escape such as "\ " in it
  | \S
    """,
    re.VERBOSE | re.DOTALL,
)
"""What JQL is made of, as far as it takes to tell words from quoted text."""


def bounded(jql: str) -> str:
    """Return the query with an order of ours, so that new tickets make pages neither skip nor repeat any.

    Data Center numbers its pages by their first ticket. By the user's order (of priority, or the newest first) what
    comes or changes between two pages moves all others, and one at the edge is missed. By key a new ticket stands
    behind all of its project: it may make a page repeat one of another project, which the client drops, but skip none.
    What leaves the query meanwhile may still hide one, until the next poll.
    """
    return f"({restriction(jql)}) ORDER BY key"


def restriction(jql: str) -> str:
    """Return what a query asks for, without its ORDER BY; empty where it asks for all tickets."""
    for order, by in pairwise(PART.finditer(jql)):
        if (order[0].lower(), by[0].lower()) == ("order", "by"):
            return jql[: order.start()].strip()
    return jql.strip()
