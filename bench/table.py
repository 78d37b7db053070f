"""The table: one row a figure, with the peers of the same run, the goal, and by how much it was met or missed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

WIDTHS = (51, 7, 13, 9, 7, 21, 0)
"""Columns of the table; the last one is as wide as it likes."""


class Against(Enum):
    """What a goal is compared with."""

    NOTHING = ""
    SUB = "x mosquitto_sub"
    PAHO = "x bare paho"


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit for the node's figure, alone or divided by a peer's."""

    limit: float
    against: Against = Against.NOTHING
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g} {self.against.value}".strip()

    def verdict(self, figure: float) -> str:
        """Say whether a figure meets it, and how far it is from the limit."""
        met = figure >= self.limit if self.at_least else figure <= self.limit
        by = f" by {abs(figure - self.limit) / self.limit:.0%}" if self.limit else ""
        return f"{'met' if met else 'MISSED'}{by}"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the node, and the same of its peers where they have it."""

    what: str
    node: float
    sub: float | None = None
    paho: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """The node's figure over the peer's that counts: the goal's, else bare paho's, else mosquitto_sub's."""
        against = self.goal.against if self.goal else Against.NOTHING
        peer = self.sub if against is Against.SUB or self.paho is None else self.paho
        return self.node / peer if peer else None

    @property
    def verdict(self) -> str:
        """Whether the goal is met; nothing where there is none."""
        if self.goal is None:
            return ""
        figure = self.node if self.goal.against is Against.NOTHING else self.ratio
        return "no figure of the peer" if figure is None else self.goal.verdict(figure)


def print_head() -> None:
    """Print the names of the columns."""
    _print(("what", "node", "mosquitto_sub", "bare paho", "ratio", "goal", ""))


def print_rows(rows: Iterable[Row]) -> None:
    """Print some rows, at once: what is measured stays on the screen when the next one is interrupted."""
    for row in rows:
        figures = (_figure(figure) for figure in (row.node, row.sub, row.paho, row.ratio))
        _print((row.what, *figures, str(row.goal or ""), row.verdict))


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.3g}"


def _print(cells: tuple[str, ...]) -> None:
    print(" ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip(), flush=True)
