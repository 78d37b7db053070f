"""The page in a real browser, against sections that are prepared: what is drawn, said, reached, and never believed."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from browser import Served, Watched, chromium
from fleet_sections import (
    BLUE,
    DARK,
    MAGENTA,
    RED,
    STATUS,
    board,
    events,
    fleet,
    history,
    lit,
    moment,
    node,
    poller,
    strip,
    ticket,
)
from parts import PATIENCE, wait_until
from playwright.sync_api import Browser, Page, expect

from apimon_node.errors import ApimonError

expect.set_options(timeout=PATIENCE * 1000)

HOSTILE = "<img src=x onerror=\"document.title='mine'\"><script>alert(1)</script>\u202egnitset\u2066"

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as served:
        served.publish(fleet())
        yield served


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """Give what opens the page; in the end, nothing may have been complained of."""
    opened: list[Watched] = []

    def visit(**options: Any) -> Page:
        watched = Watched(browser, **({"viewport": WIDE} | options))
        opened.append(watched)
        watched.page.goto(served.url)
        watched.page.wait_for_selector("[data-drawn]")
        return watched.page

    yield visit
    complaints = [complaint for watched in opened for complaint in watched.complaints]
    for watched in opened:
        watched.__exit__()
    assert complaints == []


@pytest.fixture
def page(visit: Callable[..., Page]) -> Page:
    return visit()


def leds(page: Page, name: str = "data-color") -> list[str | None]:
    """Give an attribute of all LEDs, in the order in which they are drawn."""
    values: list[str | None] = page.locator(".led").evaluate_all(f"all => all.map(led => led.getAttribute('{name}'))")
    return values


def shown(page: Page) -> str:
    """Give all that can be read in the page."""
    return page.locator("body").inner_text()


# Strips


def test_the_leds_have_the_colours_and_effects_of_the_pixels(page: Page) -> None:
    assert leds(page) == [RED] * 7 + [MAGENTA] * 8 + [BLUE] * 4 + ["000000"] * 21
    assert leds(page, "data-effect")[5:8] == ["steady", "pulse", "steady"]
    assert leds(page, "data-effect")[-1] == "dark"
    assert leds(page, "data-overdue")[5:7] == [None, ""]


def test_a_change_reaches_only_what_has_changed(page: Page, served: Served) -> None:
    page.locator(".led").first.evaluate("led => { led.kept = true; }")
    page.evaluate(
        "window.seen = []; new MutationObserver(all => all.forEach(one => seen.push(one.target.className)))"
        ".observe(document.querySelector('.strip'), {attributes: true, childList: true, subtree: true})"
    )
    served.publish({"strip/hall/ops": strip(counts=(7, 8, 5))})
    wait_until(lambda: leds(page)[19] == BLUE, "one more")

    assert page.locator(".led").first.evaluate("led => led.kept")
    touched = page.evaluate("seen")
    assert touched.count("led") <= 10  # the attributes of one
    assert page.locator(".legend li").last.inner_text().split("\n") == [
        "R",
        "Review",
        "5",
        "#005aff, near azure, steady",
    ]


def test_a_strip_that_begins_at_its_far_end_is_drawn_so(page: Page, served: Served) -> None:
    served.publish({"strip/hall/ops": strip(pixels=5, counts=(2, 1, 0), reverse=True)})
    wait_until(lambda: leds(page) == ["000000", "000000", MAGENTA, RED, RED], "the strip")

    assert "first ticket at the far end (right)" in shown(page)
    page.locator(".led").last.hover()
    expect(page.locator(".panel")).to_contain_text("OPS-1")


def test_what_moves_does_so_in_phase_by_the_period_of_its_strip(page: Page, served: Served) -> None:
    served.publish({"strip/hall/two": strip(name="two", period=3.0), "strip/hall/ops": strip(counts=(9, 0, 0))})
    wait_until(lambda: len(page.locator(".strip").all()) == 2, "the other strip")

    animations = (
        "document.getAnimations().map(one => [one.animationName, one.startTime, one.effect.getTiming().duration])"
    )
    wait_until(lambda: len(page.evaluate(animations)) == 2, "what pulses")
    wanted = [["pulse", 0, 2000], ["pulse", 0, 3000]]
    wait_until(lambda: sorted(page.evaluate(animations), key=str) == wanted, "one phase")
    frames = page.evaluate("document.getAnimations()[0].effect.getKeyframes().flatMap(frame => Object.keys(frame))")
    assert set(frames) == {"offset", "computedOffset", "easing", "composite", "opacity"}


def test_as_many_leds_as_pulse_are_one_animation(page: Page, served: Served) -> None:
    pulsing = lit(0, [ticket(1, "Open", overdue=True)])
    served.publish({"strip/hall/ops": strip() | {"pixels": [pulsing] * 300}})
    wait_until(lambda: leds(page, "data-effect") == ["pulse"] * 300, "300 that pulse")

    assert page.locator(".sheet.pulse i").count() == 300
    assert page.evaluate("document.getAnimations().length") == 1
    served.publish({"strip/hall/ops": strip() | {"pixels": [pulsing, DARK]}})
    expect(page.locator(".sheet.pulse i")).to_have_count(1)


def test_lights_on_the_sheets_lie_on_their_leds(visit: Callable[..., Page]) -> None:
    page = visit(viewport=PHONE)
    middle = (
        "all => all.map(one => one.getBoundingClientRect()).map(box => [box.x + box.width / 2, box.y + box.height / 2])"
    )
    centres = page.locator(".led[data-effect=pulse]").evaluate_all(middle)
    lights = page.locator(".sheet i").evaluate_all(middle)

    assert len(centres) == len(lights) == 2
    for led, light in zip(centres, lights, strict=True):
        assert light == pytest.approx(led, abs=0.6)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dark": True}, "The light is off"),
        ({"brightness": 0.4}, "Brightness 40 %."),
        ({"live": False}, "The node is away: this is what it showed last."),
        ({"status": "connection"}, "The tickets may be old"),
        ({"status": "error"}, "The node has a fault of its own: the strip itself may be dark."),
        ({"overflow": True}, "There are more tickets than pixels"),
        ({"limited": True}, "It is dimmed to stay within its current."),
        ({"matched": False}, "no tickets are known behind its pixels"),
    ],
)
def test_what_one_would_have_to_see_is_said(page: Page, served: Served, more: dict[str, Any], words: str) -> None:
    served.publish({"strip/hall/ops": strip(**more)})

    expect(page.locator(".notes")).to_contain_text(words)


def test_every_led_has_a_name_that_tells_all_but_its_place(page: Page, served: Served) -> None:
    row = strip() | {
        "pixels": [
            STATUS,
            lit(0, [ticket(1, "Open"), ticket(2, "Open", overdue=True)]),
            lit(2, [ticket(3, "Review")]),
            DARK,
        ]
    }
    served.publish({"strip/hall/ops": row})
    wait_until(lambda: len(leds(page)) == 4, "four")

    assert leds(page, "aria-label") == [
        "Pixel 1, status pixel, #ff8800, near orange, pulses",
        "Pixel 2, Open, 2 tickets, overdue, red, pulses",
        "Pixel 3, Review, OPS-3, #005aff, near azure, steady",
        "Pixel 4, dark, no ticket",
    ]
    assert leds(page, "data-letter") == ["!", "O", "R", ""]


def test_letters_are_shown_on_request_and_remembered(page: Page) -> None:
    letter = "getComputedStyle(document.querySelector('.led'), '::after').content"
    assert page.evaluate(letter) == "none"
    page.get_by_role("button", name="Letters on the LEDs").click()
    assert page.evaluate(letter) == '"O"'
    assert page.evaluate(letter.replace("content", "position")) == "absolute"  # on its LED, not above
    page.reload()
    page.wait_for_selector(".led")

    assert page.evaluate(letter) == '"O"'


# Tickets


def test_pointing_at_a_led_shows_its_tickets(page: Page) -> None:
    page.locator(".led").nth(6).hover()

    panel = page.locator(".panel")
    expect(panel).to_be_visible()
    text = panel.inner_text()
    assert "Open · red, pulses" in text
    assert "OPS-7" in text
    assert re.search(r"overdue for 15 min", text)
    assert "Open · Medium · Grace Hopper · board ops · 1 h 10 min old" in text
    link = panel.get_by_role("link", name="OPS-7")
    assert link.get_attribute("href") == "https://jira.example.com/browse/OPS-7"
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert link.get_attribute("target") == "_blank"
    page.mouse.move(5, 5)
    expect(panel).to_be_hidden()


def test_a_ticket_that_changes_behind_the_same_pixel_is_told_anew_in_the_panel(page: Page, served: Served) -> None:
    page.locator(".led").first.hover()
    expect(page.locator(".panel")).to_contain_text("Grace Hopper")
    row = strip()
    row["pixels"][0]["first"][0]["assignee"] = "Mary Jackson"
    served.publish({"strip/hall/ops": row})

    expect(page.locator(".panel")).to_contain_text("Mary Jackson")


def test_the_panel_can_be_reached_by_the_pointer_and_closed_by_a_press_beside_it(page: Page) -> None:
    page.locator(".led").nth(6).click()
    page.mouse.move(5, 5)
    page.locator(".panel a").hover()
    expect(page.locator(".panel")).to_be_visible()

    page.mouse.click(5, 5)
    expect(page.locator(".panel")).to_be_hidden()


def test_the_keyboard_goes_from_led_to_led_and_into_the_panel_and_out_again(page: Page) -> None:
    first = page.locator(".led").first
    for _ in range(10):
        page.keyboard.press("Tab")
        if first.evaluate("led => led === document.activeElement"):
            break
    expect(first).to_be_focused()
    expect(page.locator(".panel")).to_contain_text("OPS-1")
    for key, at in (("ArrowRight", 1), ("End", 39), ("ArrowRight", 39), ("ArrowLeft", 38), ("Home", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        expect(page.locator(".led").nth(at)).to_be_focused()
    assert leds(page, "tabindex").count("0") == 1
    page.keyboard.press("Enter")
    expect(page.locator(".panel a")).to_be_focused()
    page.keyboard.press("Escape")
    expect(first).to_be_focused()
    expect(page.locator(".panel")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_be_hidden()


def test_arrows_go_from_line_to_line_where_a_strip_has_several(visit: Callable[..., Page]) -> None:
    page = visit(viewport=PHONE)
    page.locator(".led").first.focus()
    page.keyboard.press("ArrowDown")

    columns = int(page.locator(".channel").evaluate("one => one.style.getPropertyValue('--cols')"))
    assert 5 < columns < 20
    expect(page.locator(".led").nth(columns)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".led").first).to_be_focused()


def test_the_keyboard_alone_reaches_everything_that_can_be_pressed(page: Page) -> None:
    wanted = page.evaluate(
        "document.querySelectorAll('a[href], button, summary, .channel').length"
        " - document.querySelectorAll('.panel a, details:not([open]) a').length"
    )
    reached = set()
    for _ in range(wanted + 10):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "[...document.querySelectorAll('a[href], button, summary, .channel')]"
                ".findIndex(one => one.contains(document.activeElement))"
            )
        )
        outline = page.evaluate(
            "document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle"
        )
        assert outline in (True, "solid", "auto")
        page.keyboard.press("Escape")

    assert len(reached - {-1}) == wanted


def test_a_link_that_has_the_focus_keeps_it_while_the_strip_changes(page: Page, served: Served) -> None:
    page.locator(".led").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".panel a")).to_be_focused()
    served.publish({"strip/hall/ops": strip(counts=(7, 8, 5))})
    wait_until(lambda: leds(page)[19] == BLUE, "the change")

    expect(page.locator(".panel a")).to_be_focused()


def test_the_panel_of_a_pixel_that_is_gone_goes_too(page: Page, served: Served) -> None:
    page.locator(".led").nth(6).focus()
    expect(page.locator(".panel")).to_be_visible()
    served.publish({"strip/hall/ops": strip(pixels=3)})

    expect(page.locator(".panel")).to_be_hidden()


@pytest.mark.parametrize(
    ("pixel", "more", "words"),
    [
        (DARK, {}, "Dark: no ticket is shown here."),
        (STATUS, {}, "The status pixel: it pulses orange when tickets may be old"),
        (DARK | {"shows": "overflow", "color": "ffffff"}, {}, "More tickets than pixels"),
        (
            lit(0, [ticket(at, "Open") for at in range(1, 9)]) | {"tickets": 12},
            {},
            "12 tickets behind this pixel; the first 8:",
        ),
        (lit(0, []) | {"tickets": 3}, {}, "3 tickets, published as numbers: nothing more is known of them."),
        (lit(0, []), {"matched": False}, "Which tickets these are is not known just now"),
        (lit(0, [ticket(1, "Open", url=None)]), {}, "OPS-1"),
    ],
)
def test_the_panel_says_what_a_pixel_is_for(
    page: Page, served: Served, pixel: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    served.publish({"strip/hall/ops": strip(**more) | {"pixels": [pixel]}})
    wait_until(lambda: len(leds(page)) == 1, "one pixel")
    page.locator(".led").hover()

    expect(page.locator(".panel")).to_contain_text(words)


def test_the_keyboard_goes_into_a_panel_without_a_link_too(page: Page, served: Served) -> None:
    served.publish({"strip/hall/ops": strip() | {"pixels": [lit(0, [ticket(1, "Open", url=None)])]}})
    wait_until(lambda: len(leds(page)) == 1, "one pixel")
    page.locator(".led").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".panel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".led")).to_be_focused()
    expect(page.locator(".panel")).to_be_hidden()


def test_the_panel_lies_below_its_pixel_in_a_short_strip_too(page: Page, served: Served) -> None:
    served.publish({"strip/hall/ops": strip(pixels=1, counts=(1, 0, 0))})
    wait_until(lambda: len(leds(page)) == 1, "one pixel")
    page.locator(".led").hover()
    middles = page.locator(".led, .panel").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(box => box.x + box.width / 2)"
    )

    assert middles[0] == pytest.approx(middles[1], abs=12)  # the padding of the row


def test_tickets_of_two_boards_with_the_same_key_are_two(page: Page, served: Served) -> None:
    twice = [ticket(1, "Open"), ticket(1, "Open", board="web")]
    served.publish({"strip/hall/ops": strip() | {"pixels": [lit(0, twice)]}})
    wait_until(lambda: len(leds(page)) == 1, "one pixel")
    page.locator(".led").hover()

    expect(page.locator(".ticket")).to_have_count(2)


def test_more_looks_than_there_are_letters_are_all_in_the_legend(page: Page, served: Served) -> None:
    look = strip()["legend"][0]
    served.publish({"strip/hall/ops": strip(legend=[look | {"name": f"look {at}"} for at in range(45)])})

    expect(page.locator(".legend li")).to_have_count(45)


# What is sent is never markup


def test_hostile_texts_are_texts_and_cut(page: Page, served: Served) -> None:
    long = "S" * 10_000
    bad = ticket(
        1,
        HOSTILE,
        key=HOSTILE,
        summary=HOSTILE + long,
        assignee=HOSTILE,
        priority=HOSTILE,
        board=HOSTILE,
        url="javascript:alert(1)",
    )
    row = strip() | {"pixels": [lit(0, [bad])], "boards": [HOSTILE], "driver": HOSTILE}
    row["legend"] = [
        {"name": HOSTILE, "color": "red;background:url(//evil)", "effect": HOSTILE, "tickets": 1, "overdue": 0}
    ]
    fault = {
        "name": HOSTILE,
        "text": HOSTILE + long,
        "advice": HOSTILE,
        "since": HOSTILE,
        "attempts": 1,
        "retry_at": None,
        "subject": HOSTILE,
    }
    number = {"name": HOSTILE, "total": 1, "overdue": 1}
    hour = {"at": [1, 2], "statuses": {HOSTILE: [1, 1]}, "overdue": [0, 0]}
    happened = events(1)[0] | {
        "key": HOSTILE,
        "status": HOSTILE,
        "from": HOSTILE,
        "summary": HOSTILE + long,
        "url": "javascript:alert(1)",
    }
    served.publish(
        {
            "strip/hall/ops": row,
            "node/hall": node(faults=[fault], version=HOSTILE),
            "poller/main": poller(version=HOSTILE, faults=[fault]),
            "board/ops": board(source=HOSTILE) | {"statuses": [number]},
            "history/ops": hour,
            "events": [happened],
            "troubles": [HOSTILE + long],
            "broker": {"state": "lost", "text": HOSTILE, "since": None, "denied": [HOSTILE]},
        }
    )
    expect(page.locator("#troubles")).to_contain_text("<img src=x onerror=")
    page.locator(".led").hover()
    expect(page.locator(".panel")).to_contain_text("<script>alert(1)</script>")
    page.get_by_text("The last hour as a table").click()

    assert page.locator("main img, main script, main iframe").count() == 0
    assert page.locator("a[href^=javascript]").count() == 0
    assert "mine" not in page.title()
    assert "S" * 301 not in shown(page)
    assert page.evaluate("document.documentElement.scrollWidth") == WIDE["width"]
    loose = page.evaluate(
        "[...document.querySelectorAll('body *')]"
        ".filter(one => one.children.length === 0 && one.textContent.includes('<img'))"
        ".filter(one => !getComputedStyle(one).unicodeBidi.includes('isolate'))"
        ".map(one => one.outerHTML.slice(0, 80))"
    )
    assert loose == []


def test_the_browser_itself_refuses_to_make_markup_of_text(browser: Browser, served: Served) -> None:
    attempt = "(() => { try { document.body.innerHTML = '<b>'; } catch (error) { return error.name; } })()"
    with Watched(browser) as watched:
        watched.page.goto(served.url)
        assert watched.page.evaluate(attempt) == "TypeError"


# How it is


def test_all_is_well_is_said_too(page: Page) -> None:
    expect(page.get_by_role("heading", name="Everything works")).to_be_visible()
    assert page.title() == "apimon"
    assert page.locator("#faults li").count() == 0
    assert page.locator("#tiles").inner_text().split("\n") == [
        "19",
        "tickets",
        "2",
        "overdue",
        "1 of 1",
        "nodes online",
        "1 of 1",
        "pollers online",
    ]


FAULT = {
    "name": "strip",
    "text": "strip ops: no answer",
    "advice": "Look at the cable.",
    "since": None,
    "attempts": 2,
    "retry_at": None,
    "subject": "ops",
}
JIRA = {
    "name": "ops",
    "state": "auth",
    "detail": "401",
    "advice": "Make a new token.",
    "checked_at": None,
    "next_poll_at": None,
}


@pytest.mark.parametrize(
    ("section", "content", "words"),
    [
        ("node/hall", node(state="error", faults=[FAULT]), ["Node hall", "strip ops: no answer", "Look at the cable."]),
        ("node/hall", node(online=False), ["Node hall is offline", "Start it with apimon-node run"]),
        ("poller/main", poller(online=False), ["Poller main is offline", "Start it with apimon-node poll"]),
        ("poller/main", poller(boards=[JIRA]), ["Jira refuses the sign-in: board ops", "401", "Make a new token."]),
        ("poller/main", poller(faults=[FAULT | {"text": "it may not"}]), ["Poller main", "it may not", "Look at the"]),
        ("board/ops", board(state="stale"), ["Board ops is stale", "See that poller main runs and reaches Jira."]),
        ("board/ops", board(state="stale", source=None), ["Board ops is stale", "See that whoever publishes it runs"]),
        (
            "broker",
            {"state": "lost", "text": "refused", "since": None, "denied": []},
            ["The broker cannot be reached", "refused"],
        ),
        (
            "broker",
            {"state": "connected", "text": "", "since": None, "denied": ["apimon/#"]},
            ["does not let this page read", "apimon/#"],
        ),
    ],
)
def test_a_fault_is_told_with_what_to_do_in_list_title_and_favicon_and_to_those_who_listen(
    page: Page, served: Served, section: str, content: dict[str, Any], words: list[str]
) -> None:
    served.publish({section: content})

    for word in words:
        expect(page.locator("#faults")).to_contain_text(word)
    expect(page).to_have_title("1 fault · apimon")
    expect(page.locator("#favicon")).to_have_attribute("href", "/static/favicon-fault.svg")
    expect(page.locator("#say")).to_contain_text(words[0])
    assert page.locator("#say").get_attribute("aria-live") == "polite"

    served.publish({section: fleet()[section]})
    expect(page.get_by_role("heading", name="Everything works")).to_be_visible()
    expect(page).to_have_title("apimon")
    expect(page.locator("#say")).to_have_text("Everything works.")


def test_a_poller_with_a_fault_is_not_well(page: Page, served: Served) -> None:
    row = page.locator("#machine-list li", has_text="Poller")
    expect(row).to_have_attribute("data-good", "")
    served.publish({"poller/main": poller(faults=[FAULT])})

    expect(row).to_contain_text("goes on with a fault")
    expect(row).not_to_have_attribute("data-good", "")


def test_a_lost_server_is_a_fault_that_is_told_and_said_until_it_is_back(browser: Browser) -> None:
    with Watched(browser, viewport=WIDE) as watched:
        page = watched.page
        with Served() as served:
            served.publish(fleet())
            page.goto(served.url)
            expect(page.locator("#connection")).to_contain_text("127.0.0.1:1883")
            port = served.port
        expect(page.locator("#faults")).to_contain_text("This page has lost its server")
        expect(page.locator("#state-title")).to_have_text("1 thing to look at")
        expect(page.locator("#connection")).to_have_text("no connection")
        expect(page).to_have_title("1 fault · apimon")
        expect(page.locator("#say")).to_contain_text("This page has lost its server: What you see is old.")
        with Served(port=port) as again:
            again.publish(fleet() | {"strip/hall/ops": strip(counts=(1, 0, 0))})
            expect(page.locator("#state-title")).to_have_text("Everything works")
            wait_until(lambda: leds(page) == [RED] + ["000000"] * 39, "the new state")
            expect(page).to_have_title("apimon")


def test_a_server_that_has_fallen_silent_is_taken_for_lost(browser: Browser, served: Served) -> None:
    watch = """() => {
        window.seen = new Set();
        const title = document.getElementById("state-title");
        new MutationObserver(() => seen.add(title.textContent)).observe(title, {childList: true});
    }"""
    with Watched(browser, viewport=WIDE) as watched:
        page = watched.page
        page.clock.install()
        page.goto(served.url)
        expect(page.locator(".strip")).to_have_count(1)
        page.evaluate(watch)
        page.clock.run_for(15_000)
        assert page.evaluate("[...seen]") == []
        page.clock.run_for(20_000)
        wait_until(lambda: "1 thing to look at" in page.evaluate("[...seen]"), "the fault")
        expect(page.locator("#state-title")).to_have_text("Everything works")  # it has connected again


def test_what_nodes_repeat_of_pollers_and_boards_is_told_once(page: Page, served: Served) -> None:
    repeated = [
        FAULT | {"name": "jira", "text": "board ops: 401"},
        FAULT | {"name": "stale", "text": "board ops: its tickets have expired, and nobody has published new ones"},
        FAULT | {"name": "poller", "text": "poller main is offline: board ops shows its last tickets"},
    ]
    other = FAULT | {"name": "stale", "text": "board web: nobody publishes its tickets", "subject": "web"}
    served.publish(
        {
            "node/hall": node(state="degraded", faults=[*repeated, FAULT, other]),
            "node/desk": node("desk", state="degraded", faults=repeated),
            "poller/main": poller(boards=[JIRA]),
            "board/ops": board(state="stale"),
        }
    )

    expect(page.locator("#faults h3")).to_have_text(
        ["Node hall", "Node hall", "Jira refuses the sign-in: board ops", "Board ops is stale"]
    )
    expect(page.locator("#faults")).to_contain_text("board web: nobody publishes its tickets")


def test_faults_are_said_once_they_have_settled_and_what_came_and_went_is_not(browser: Browser, served: Served) -> None:
    listen = """() => {
        window.said = [];
        const say = document.getElementById("say");
        new MutationObserver(() => said.push(say.textContent)).observe(say, {childList: true});
    }"""

    with Watched(browser, viewport=WIDE) as watched:
        page = watched.page
        page.clock.install()
        page.goto(served.url)
        expect(page.locator(".strip")).to_have_count(1)
        page.clock.run_for(5_000)
        page.evaluate(listen)

        def publish(**sections: Any) -> None:
            served.publish({name.replace("_", "/"): section for name, section in sections.items()})
            heading = "1 thing" if len(sections) == 1 else f"{len(sections)} things"
            expect(page.locator("#state-title")).to_have_text(f"{heading} to look at")

        publish(node_hall=node(faults=[FAULT | {"text": "no answer"}]))
        publish(node_hall=node(faults=[FAULT | {"text": "code -13"}]))
        publish(node_hall=node(faults=[FAULT | {"text": "code -13"}]), board_ops=board(state="stale"))
        page.clock.run_for(5_000)

        wait_until(lambda: page.evaluate("said"), "what is said")
        assert page.evaluate("said") == ["Node hall: code -13. Board ops is stale: Its last snapshot holds no longer."]
        served.publish({"board/ops": board()})
        expect(page.locator("#state-title")).to_have_text("1 thing to look at")
        page.clock.run_for(5_000)
        wait_until(lambda: page.evaluate("said.at(-1)") == "1 thing to look at.", "what is left")


# Empty, gone, and the rest


def test_where_there_is_nothing_it_says_what_to_do(browser: Browser) -> None:
    with Served() as served, Watched(browser, viewport=WIDE) as watched:
        watched.page.goto(served.url)
        expect(watched.page.get_by_text("Start one with apimon-node run")).to_be_visible()
        expect(watched.page.get_by_text("Start a poller with apimon-node poll")).to_be_visible()
        expect(watched.page.get_by_text("Nothing yet. A poller tells")).to_be_visible()
        expect(watched.page.get_by_text("Point at an LED")).to_be_hidden()
        served.publish({"broker": fleet()["broker"]})
        expect(watched.page.get_by_role("heading", name="Nothing has been heard yet")).to_be_visible()
        assert watched.complaints == []


def test_of_a_board_of_which_nothing_is_known_no_numbers_are_told(page: Page, served: Served) -> None:
    served.publish({"board/ops": board(counts=(0, 0, 0), state="unknown", at=None) | {"statuses": []}})

    expect(page.locator(".board")).to_contain_text("nothing is known of it")
    expect(page.locator(".sums")).to_be_hidden()


def test_what_is_gone_goes(page: Page, served: Served) -> None:
    served.publish(dict.fromkeys(("node/hall", "strip/hall/ops", "board/ops", "history/ops", "poller/main")))

    expect(page.locator(".strip")).to_have_count(0)
    expect(page.locator(".board")).to_have_count(0)
    expect(page.locator(".machine")).to_have_count(0)


def test_the_last_hour_is_a_plot_and_a_table(page: Page) -> None:
    assert page.locator(".plot .area").count() == 3
    assert page.locator(".late-line").get_attribute("d")
    page.get_by_text("The last hour as a table").click()

    expect(page.locator(".plot th")).to_have_text(["time", "Open", "In Progress", "Review", "overdue"])
    expect(page.locator(".plot tbody tr").nth(5)).to_be_visible()
    assert 5 < page.locator(".plot tbody tr").count() <= 12
    last = [values[-1] for values in history()["statuses"].values()]
    assert page.locator(".plot tbody tr").first.locator("td").all_inner_texts()[1:4] == [str(value) for value in last]


def test_the_table_stays_true_where_a_status_appears_and_old_samples_go(page: Page, served: Served) -> None:
    page.get_by_text("The last hour as a table").click()
    served.publish({"history/ops": {"at": [10, 20, 30], "statuses": {"Open": [1, 2, 3]}, "overdue": [7, 8, 9]}})
    rows = page.locator(".plot tbody tr")
    expect(rows).to_have_count(3)
    statuses = {"Done": [0, 0, 5], "Open": [2, 3, 4]}
    served.publish({"history/ops": {"at": [20, 30, 40], "statuses": statuses, "overdue": [8, 9, 6]}})
    expect(page.locator(".plot th")).to_have_text(["time", "Done", "Open", "overdue"])

    numbers = [row.locator("td").all_inner_texts()[1:] for row in rows.all()]
    assert numbers == [["5", "4", "6"], ["0", "3", "9"], ["0", "2", "8"]]


def test_the_last_events_are_told_and_new_ones_come_first(page: Page, served: Served) -> None:
    assert page.locator(".event").count() == 6
    assert page.locator(".event").first.inner_text().split("\n")[:3] == ["changed", "OPS-1", "Open → In Progress"]
    served.publish({"events": [events(1)[0] | {"key": "OPS-99", "at": moment(0), "type": "created"}, *events()[:5]]})

    expect(page.locator(".event").first).to_contain_text("OPS-99")


def test_there_is_no_tour_unless_the_server_has_one(page: Page) -> None:
    expect(page.get_by_role("heading", name="Break something")).to_be_hidden()


class Buttons:
    """One thing to break, which cannot be mended."""

    broken = False

    def buttons(self) -> list[dict[str, object]]:
        return [
            {
                "name": "broker",
                "label": "Kill the broker",
                "mend": "Start the broker",
                "broken": self.broken,
                "text": "The strip pulses orange.",
            }
        ]

    def press(self, name: str) -> None:
        if self.broken:
            raise ApimonError(f"{name}: it does not start")
        self.broken = True


def test_a_button_of_the_tour_breaks_and_says_what_hinders_it(browser: Browser) -> None:
    buttons = Buttons()
    with Served(buttons) as served, Watched(browser, viewport=WIDE) as watched:
        served.publish(fleet() | {"tour": buttons.buttons()})
        watched.page.goto(served.url)
        watched.page.get_by_role("button", name="Kill the broker").click()
        wait_until(lambda: buttons.broken, "the press")
        served.publish({"tour": buttons.buttons()})
        watched.page.get_by_role("button", name="Start the broker").click()
        expect(watched.page.locator("#tour-error")).to_have_text("broker: it does not start")


def test_a_button_of_the_tour_that_is_pressed_twice_is_pressed_once(browser: Browser) -> None:
    buttons = Buttons()
    with Served(buttons) as served, Watched(browser, viewport=WIDE) as watched:
        served.publish(fleet() | {"tour": buttons.buttons()})
        watched.page.goto(served.url)
        button = watched.page.get_by_role("button", name="Kill the broker")
        expect(button).to_have_accessible_description("The strip pulses orange.")
        presses: list[str] = []
        watched.page.on("request", lambda request: presses.append(request.url))
        button.dblclick()
        wait_until(lambda: buttons.broken, "the press")
        expect(button).not_to_have_attribute("aria-busy", "true")  # it shows nothing new: after a while

        assert presses == [f"{served.url}/tour/broker"]


# How it looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE])
def test_it_fits_its_width_in_light_and_dark(
    visit: Callable[..., Page], served: Served, scheme: str, viewport: dict[str, int]
) -> None:
    served.publish(
        {
            "strip/desk/all": strip("desk", "all", pixels=300, counts=(90, 80, 40)),
            "node/desk": node("desk", faults=[FAULT | {"text": "x" * 200}]),
        }
    )
    page = visit(viewport=viewport, color_scheme=scheme)
    expect(page.locator(".strip")).to_have_count(2)

    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(number) for number in re.findall(r"\d+", paper)]
    assert (min(levels) > 200) if scheme == "light" else (max(levels) < 60)
    sizes = page.locator(".led, button").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(box => Math.min(box.width, box.height))"
    )
    assert min(sizes) >= 24


def test_nothing_moves_for_those_who_want_it_so(visit: Callable[..., Page]) -> None:
    page = visit(reduced_motion="reduce")
    expect(page.locator(".sheet.pulse i")).to_have_count(2)

    assert page.evaluate("document.getAnimations().length") == 0
    assert leds(page, "data-overdue").count("") == 2


def test_with_colours_of_ones_own_leds_are_rings_with_letters(visit: Callable[..., Page]) -> None:
    page = visit(forced_colors="active")

    assert page.evaluate("getComputedStyle(document.querySelector('.led'), '::after').content") == '"O"'
    assert page.evaluate("getComputedStyle(document.querySelector('.led'), '::before').borderTopWidth") == "2px"


def test_with_colours_of_ones_own_what_is_well_is_filled_and_what_is_not_hollow(
    visit: Callable[..., Page], served: Served
) -> None:
    served.publish({"node/hall": node(online=False)})
    page = visit(forced_colors="active")
    expect(page.locator(".machine")).to_have_count(2)
    marks = page.locator(".machine .mark").evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")

    lets_through = [mark.startswith("rgba") for mark in marks]
    assert lets_through == [True, False]  # the node's, the poller's


CONTRASTS = """() => {
    const numbers = (css) => css.match(/[\\d.]+/g).map(Number);
    const rgba = (css) => {
        const [red, green, blue, alpha = 1] = numbers(css.replace("srgb", ""));
        const most = css.startsWith("color(") ? 1 : 255;
        return [red / most, green / most, blue / most, alpha];
    };
    const over = ([...top], below) => below.map((value, at) => top[at] * top[3] + value * (1 - top[3]));
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) + 0.05;
    const chain = (node) => (node ? [...chain(node.parentElement), getComputedStyle(node)] : []);
    return [...document.querySelectorAll("body *")]
        .filter((one) => [...one.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim()))
        .filter((one) => one.getClientRects().length)
        .map((one) => {
            const styles = chain(one);
            const ground = styles.reduce((below, style) => over(rgba(style.backgroundColor), below), [1, 1, 1]);
            const opacity = styles.reduce((product, style) => product * style.opacity, 1);
            const [red, green, blue, alpha] = rgba(styles.at(-1).color);
            const pair = [light(ground), light(over([red, green, blue, alpha * opacity], ground))];
            return [Math.max(...pair) / Math.min(...pair), one.className, one.textContent];
        });
}"""
"""The contrast of each text with its ground, as WCAG 2.2 reckons it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_it_needs_to_be_read(browser: Browser, scheme: str) -> None:
    buttons = Buttons()
    buttons.broken = True
    with Served(buttons) as served, Watched(browser, viewport=WIDE, color_scheme=scheme) as watched:
        served.publish(
            fleet()
            | {
                "tour": buttons.buttons(),
                "node/desk": node("desk", state="error", faults=[FAULT | {"since": moment(-70)}]),
                "strip/desk/all": strip("desk", "all", counts=(0, 0, 0), status="error"),
                "board/web": board("web", state="stale"),
                "troubles": ["board x: refused"],
            }
        )
        watched.page.goto(served.url)
        expect(watched.page.locator("#troubles")).to_be_visible()
        watched.page.locator(".led").nth(6).hover()
        expect(watched.page.locator(".panel")).to_be_visible()
        contrasts = watched.page.evaluate(CONTRASTS)

        assert len(contrasts) > 100
        assert [one for one in contrasts if one[0] < 4.5] == []


def test_landmarks_headings_and_names_are_there(page: Page) -> None:
    assert page.locator("main").count() == page.locator("h1").count() == page.locator("html[lang=en]").count() == 1
    levels = page.locator("h1, h2, h3").evaluate_all(
        "all => all.filter(one => one.offsetParent).map(one => Number(one.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for section in page.locator("section").all():
        title = section.get_attribute("aria-labelledby")
        assert page.locator(f"#{title}").count() == 1
