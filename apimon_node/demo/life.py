"""A team at work: what happens on the demo's board, one thing at a time. Pure; the same for the same Random."""

from random import Random

from apimon_node.demo.issue import PEOPLE, PRIORITIES, Issue
from apimon_node.demo.site import Site

NEXT = {"Open": "In Progress", "In Progress": "Review", "Review": "Done"}
FEWEST, MOST = 6, 20  # open tickets: enough to look at, and they fit on a short strip
KEPT = 50  # tickets that stay when they are done; a demo may run for weeks
# A ticket takes a little over three moves to be done, so that one new ticket in four steps keeps the number level.
# A little more lets it drift up to the limit, and down again by chance.
NEW_TICKET = 0.27
OLDEST = 90.0  # seconds: a ticket that has been there when the demo begins
LATE = (0.0, 0.0, 0.0, 20.0, 45.0)  # seconds that a new ticket has waited before anybody typed it in
SENT_BACK = 0.15  # reviews that find something: one in seven

FLOOD = "Disk full on web-{:04}"
FLOOD_LABELS = ("monitoring",)

SUMMARIES = (
    "Printer on fire",
    "Coffee machine answers 418",
    "Login page in Klingon",
    "Backup of the backup is full",
    "Certificate expires on Sunday",
    "Lift reports a stack overflow",
    "Invoice of minus 3 euros",
    "Search finds everything",
    "Door opens for cats only",
    "Clock in the lobby is a year ahead",
    "Newsletter sent to the moon",
    "Wi-Fi tired after lunch",
    "Cloud has a silver lining, please remove",
    "Button does nothing, twice",
    "Report takes until Tuesday",
    "Projector shows yesterday",
)
ASSIGNEES = (None, *PEOPLE)
LABELS = ((), (), ("customer",), ("hardware",), ("customer", "hardware"))


class Life:
    """What a team does with a site's tickets."""

    def __init__(self, site: Site, random: Random) -> None:
        self._site = site
        self._random = random
        self._flood: frozenset[str] = frozenset()

    def populate(self, now: float, count: int) -> None:
        """Fill the board with open tickets in all statuses, of different ages."""
        for _ in range(count):
            self._create(now - self._random.uniform(0, OLDEST), self._random.choice(list(NEXT)))

    def step(self, now: float) -> str:
        """Create a ticket, or move one on. Return a sentence about it."""
        at_work = [issue for issue in self._site.issues if issue.status in NEXT and issue.key not in self._flood]
        if len(at_work) <= FEWEST or (len(at_work) < MOST and self._random.random() < NEW_TICKET):
            issue = self._create(now - self._random.choice(LATE), "Open")
            return f"{issue.key} created: {issue.summary} ({issue.status})"
        return self._advance(self._random.choice(at_work), now)

    def flood(self, now: float, count: int) -> None:
        """Create so many open tickets at once, as a monitoring system that runs wild."""
        storm = (FLOOD.format(number) for number in range(1, count + 1))
        created = (self._site.create(text, now, priority="Lowest", labels=FLOOD_LABELS) for text in storm)
        self._flood |= {issue.key for issue in created}

    def drain(self) -> None:
        """Delete what the flood has brought."""
        for key in self._flood:
            self._site.delete(key)
        self._flood = frozenset()

    @property
    def flooded(self) -> bool:
        """Return whether there is a flood."""
        return bool(self._flood)

    def _create(self, created: float, status: str) -> Issue:
        pick = self._random.choice
        return self._site.create(
            pick(SUMMARIES),
            created,
            status=status,
            priority=pick(PRIORITIES),
            assignee=pick(ASSIGNEES),
            labels=pick(LABELS),
        )

    def _advance(self, issue: Issue, now: float) -> str:
        status = NEXT[issue.status]
        if issue.status == "Review" and self._random.random() < SENT_BACK:
            status = "In Progress"
        who = issue.assignee or self._random.choice(PEOPLE)  # whoever moves a ticket of nobody has it from then on
        moved = self._site.move(issue.key, status, now, assignee=who)
        self._forget()
        return f"{issue.key} moved by {who}: {issue.summary} ({issue.status} -> {moved.status})"

    def _forget(self) -> None:
        """Delete the oldest of the tickets that are done."""
        done = [issue for issue in self._site.issues if issue.status not in NEXT]
        for issue in done[:-KEPT]:
            self._site.delete(issue.key)
