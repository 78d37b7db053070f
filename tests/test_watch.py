"""`apimon-node watch`: what it draws of an overview, when it draws, and the whole of it against a real broker."""

import errno
import io
import math
import os
import pty
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from parts import PATIENCE, Mosquitto, Observer, Program, node_config, wait_until
from rich.console import Console, Group

from apimon_node import wire
from apimon_node.clock import Instant
from apimon_node.contract.poller_status import BoardReport
from apimon_node.dashboard import overview as o
from apimon_node.errors import ApimonError
from apimon_node.picture.effects import Effect
from apimon_node.picture.scene import LightState, Scene
from apimon_node.watch.drawing import draw, moves
from apimon_node.watch.screen import AT_REST_EVERY, FRAME_EVERY, Screen
from apimon_node.watch.strips import NAME, Canvas

NOW = Instant(0.0, datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp())
CONNECTED = o.Broker(o.BrokerState.CONNECTED, "localhost:1883 by MQTT 5")
RED, MAGENTA, DARK = (255, 0, 0), (255, 0, 255), (0, 0, 0)

PIXELS = (
    o.Pixel(RED, Effect.STEADY, o.Shows.TICKET, 0, tickets=1),
    o.Pixel(RED, Effect.PULSE, o.Shows.TICKET, 0, overdue=True, tickets=1),
    o.Pixel(MAGENTA, Effect.STEADY, o.Shows.TICKET, 1, tickets=1),
    o.Pixel(DARK, Effect.STEADY, o.Shows.DARK),
)
ORANGE = o.Pixel((255, 110, 0), Effect.PULSE, o.Shows.STATUS)
STRIP = o.Strip(
    node="hall",
    name="ops",
    boards=("ops",),
    driver="spi",
    reverse=False,
    period=2.0,
    brightness=1.0,
    dark=False,
    status="ok",
    overflow=False,
    limited=False,
    milliamps=20,
    matched=True,
    live=True,
    legend=(
        o.LegendEntry("Open", RED, Effect.STEADY, 2, 1),
        o.LegendEntry("In Progress", MAGENTA, Effect.STEADY, 1),
        o.LegendEntry("all others", RED, Effect.STEADY),
    ),
    pixels=PIXELS,
    said=(RED, RED, MAGENTA, DARK),
)
NODE = o.Node("hall", online=True, state="ok", light=LightState(), version="0.1.0", strips=("ops",), boards=("ops",))
BROKEN = o.Fault("strip", "strip ops: no such device", "plug it in")
BOARD = o.Board("ops", o.BoardState.OK, 3, 1, (o.StatusCount("Open", 2, 1), o.StatusCount("In Progress", 1, 0)))


def fleet(strip: o.Strip = STRIP, node: o.Node = NODE, board: o.Board = BOARD) -> o.Overview:
    return o.Overview(CONNECTED, {node.id: node}, {(strip.node, strip.name): strip}, boards={board.name: board})


def console(*, width: int = 100, height: int = 40, colors: bool = False) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        height=height,
        color_system="truecolor" if colors else None,
        force_terminal=colors,
    )


def drawn(
    overview: o.Overview, node: str | None = None, *, width: int = 100, colors: bool = False, now: Instant = NOW
) -> str:
    made = console(width=width, colors=colors)
    made.print(Group(*draw(overview, Canvas(width, colors), now, node)))
    assert isinstance(made.file, io.StringIO)
    return made.file.getvalue()


def test_a_strip_is_a_letter_for_each_pixel_where_there_are_no_colours_and_capital_where_it_moves() -> None:
    lines = drawn(fleet()).splitlines()

    assert "hall  ok  light 100%  0.1.0" in lines
    assert "  ops rRm." in lines
    assert "      r Open 2 (1 overdue)  m In Progress 1" in [line.rstrip() for line in lines]


def test_with_colours_a_pixel_is_a_block_as_bright_as_its_effect_has_it_now() -> None:
    bright = drawn(fleet(), colors=True)
    dim = drawn(fleet(), colors=True, now=Instant(1.0, NOW.wall))

    assert "38;2;255;0;0m██\x1b[0m\x1b[38;2;255;0;255m██" in bright  # two reds in one run, then magenta
    assert "38;2;31;0;0m██" in dim
    assert "··" in dim


def test_a_strip_is_drawn_in_its_direction_and_over_as_many_lines_as_it_takes() -> None:
    assert "  ops .mRr\n" in drawn(fleet(STRIP._replace(reverse=True)))

    lines = drawn(fleet(STRIP._replace(pixels=PIXELS * 10)), width=27).splitlines()

    assert lines[lines.index("  ops " + "rRm." * 5) + 1] == "      " + "rRm." * 5


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"live": False}, "as it was when its node was last heard"),
        ({"dark": True}, "dark: the light is off"),
        ({"status": "connection", "pixels": (ORANGE,)}, "orange: tickets may be old"),
        ({"status": "error", "pixels": (ORANGE,)}, "red: something is broken"),
        ({"status": "connection"}, "  tickets may be old"),  # there is no status pixel
        ({"overflow": True}, "more tickets than pixels"),
        ({"limited": True}, "dimmed to its limit of current"),
    ],
)
def test_what_colours_tell_stands_there_in_words(changed: dict[str, object], words: str) -> None:
    assert words not in drawn(fleet())
    assert words in drawn(fleet(STRIP._replace(**changed)))  # type: ignore[arg-type]  # names of the table


def test_a_long_name_leaves_room_for_the_pixels() -> None:
    lines = drawn(fleet(STRIP._replace(name="n" * 100)), width=80).splitlines()

    assert f"  {'n' * (NAME - 1)}… rRm." in lines


def test_a_strip_whose_light_is_off_has_no_lit_pixel() -> None:
    assert "  ops ....\n" in drawn(fleet(STRIP._replace(dark=True)))
    assert not moves(fleet(STRIP._replace(dark=True)))


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (NODE._replace(online=False), "hall  offline"),
        (NODE._replace(online=None, state=None), "hall  has not said how it is"),
        (NODE._replace(state="degraded"), "hall  degraded"),
        (NODE._replace(light=LightState(on=False)), "light off"),
        (NODE._replace(light=LightState(brightness=51, effect=Scene.NIGHT), quiet=True), "20%, night, quiet hours"),
        (NODE._replace(faults=(BROKEN,)), "! strip ops: no such device"),
        (NODE._replace(faults=(BROKEN,)), "plug it in"),
    ],
)  # fmt: skip
def test_a_node_says_how_it_is(node: o.Node, words: str) -> None:
    assert words in drawn(fleet(node=node))


def test_what_is_too_long_for_a_line_goes_on_below_its_beginning() -> None:
    legend = (o.LegendEntry("In Progress or Review", RED, Effect.STEADY, 2),)
    fault = BROKEN._replace(advice="see that it is plugged in")
    lines = _stripped(drawn(fleet(STRIP._replace(legend=legend), NODE._replace(faults=(fault,))), width=24))

    assert "\n      r In Progress or\n      Review 2\n" in lines
    assert "\n    see that it is\n    plugged in\n" in lines


@pytest.mark.parametrize(
    ("board", "words"),
    [
        (BOARD, "Open 2, In Progress 1"),
        (o.Board("ops"), "?        ?  nothing is known of it"),
        (BOARD._replace(state=o.BoardState.STALE), "In Progress 1  stale"),
        (BOARD._replace(state=o.BoardState.STALE, at=NOW.wall - 7_300), "stale, told 2 h ago"),
        (BOARD._replace(state=o.BoardState.STALE, at=NOW.wall + 5), "stale, told just now"),
    ],
)
def test_a_board_has_a_row(board: o.Board, words: str) -> None:
    assert words in drawn(fleet(board=board))


def test_a_poller_that_could_not_ask_says_why_and_what_to_do() -> None:
    poller = o.Poller(
        "main",
        online=True,
        boards=(o.PollerBoard("ops", BoardReport("auth", "Jira refuses the token"), "make a new one"),),
    )
    well = poller._replace(boards=(o.PollerBoard("ops", BoardReport("ok", "3 tickets"), ""),))

    assert "poller main  online\n  ! ops: Jira refuses the token\n    make a new one" in _stripped(
        drawn(fleet()._replace(pollers={"main": poller}))
    )
    assert "3 tickets" not in drawn(fleet()._replace(pollers={"main": well}))


def test_a_poller_s_own_fault_is_told_with_what_to_do() -> None:
    poller = o.Poller("main", online=True, faults=(o.Fault("access", "it may not", "let it"),))

    assert "poller main  online\n  ! it may not\n    let it" in _stripped(
        drawn(fleet()._replace(pollers={"main": poller}))
    )


def test_events_are_lines_the_newest_first_and_no_more_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    moved = o.Event(NOW.wall, "ops", "status_changed", "OPS-7", "Review", "Open", "Printer [red]on fire[/red]")
    others = tuple(o.Event(None, "ops", "closed", f"OPS-{number}") for number in range(20))
    lines = drawn(fleet()._replace(events=(moved, *others))).splitlines()

    assert any(line.endswith("OPS-7  Open → Review  Printer [red]on fire[/red]") for line in lines)
    assert "--:--:--  OPS-6  gone from the board" in [line.rstrip() for line in lines]
    assert not any("OPS-8 " in line for line in lines)


def test_an_event_of_a_year_that_a_time_zone_does_not_reach_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        event = o.Event(wire.parse_time("9999-12-31T23:59:59Z"), "ops", "closed", "OPS-1")
        said = drawn(fleet()._replace(events=(event,)))
    time.tzset()

    assert "--:--:--  OPS-1  gone from the board" in said


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("created", "created: ?"),
        ("overdue", "overdue: ?"),
        ("status_changed", "? → ?"),
        ("closed", "gone from the board"),
    ],
)
def test_an_event_that_says_little_says_no_more_than_that(kind: str, words: str) -> None:
    assert f"OPS-1  {words}" in drawn(fleet()._replace(events=(o.Event(None, "ops", kind, "OPS-1"),)))


def test_one_node_is_drawn_with_what_belongs_to_it_and_nothing_else() -> None:
    other = NODE._replace(id="lab", strips=("dev",), boards=("dev",))
    strip = STRIP._replace(node="lab", name="dev", pixels=(PIXELS[0],))
    both = o.Overview(
        CONNECTED,
        {"hall": NODE, "lab": other},
        {("hall", "ops"): STRIP, ("lab", "dev"): strip},
        boards={"ops": BOARD, "dev": BOARD._replace(name="dev")},
        pollers={"main": o.Poller("main", online=True, boards=(o.PollerBoard("ops", BoardReport("ok", ""), ""),))},
        events=(o.Event(None, "dev", "closed", "DEV-1"), o.Event(None, "ops", "closed", "OPS-1")),
    )
    text = drawn(both, "lab")

    assert "lab  ok" in text
    assert "DEV-1" in text
    assert not any(word in text for word in ("hall", "ops", "main", "OPS-1"))
    assert moves(both)
    assert not moves(both, "lab")


@pytest.mark.parametrize(
    ("overview", "node", "words"),
    [
        (o.Overview(), None, "connecting to the broker"),
        (
            o.Overview(o.Broker(o.BrokerState.LOST, "it refused")),
            None,
            "no connection to the broker: it refused\nbelow is what was heard last",
        ),
        (o.Overview(CONNECTED), None, "start one with apimon-node run"),
        (o.Overview(CONNECTED), "lab", "nothing is heard of node lab; there is: no other either"),
        (fleet(), "lab", "nothing is heard of node lab; there is: hall"),
        (o.Overview(CONNECTED._replace(denied=("apimon/#",))), None, "does not let us read apimon/#"),
        (o.Overview(CONNECTED, troubles=("board ops: refused: [x]",)), None, "board ops: refused: [x]"),
    ],
)
def test_where_there_is_nothing_to_see_it_says_why(overview: o.Overview, node: str | None, words: str) -> None:
    assert words in drawn(overview, node)


def test_a_screen_is_drawn_when_there_is_news_though_not_too_often_and_now_and_then_without() -> None:
    screen = Screen(None, console())
    assert screen.due_at(-math.inf) == -math.inf

    screen.show(fleet(), Instant(100.0, NOW.wall))

    assert screen.due_at(-math.inf) == 100.0 + FRAME_EVERY
    assert screen.due_at(130.0) == 130.0
    assert screen.due_at(math.inf) == 100.0 + AT_REST_EVERY


def test_in_a_terminal_what_moves_is_drawn_all_the_time() -> None:
    screen = Screen(None, console(colors=True))
    with screen:
        screen.show(fleet(), Instant(100.0, NOW.wall))

        assert screen.due_at(math.inf) == 100.0 + FRAME_EVERY


def test_elsewhere_it_is_printed_only_when_it_has_changed() -> None:
    made = console()
    screen = Screen(None, made)
    screen.show(fleet(), NOW)
    screen.show(fleet(), Instant(60.0, NOW.wall + 60))
    screen.show(fleet(STRIP._replace(overflow=True)), Instant(61.0, NOW.wall + 61))
    assert isinstance(made.file, io.StringIO)

    assert made.file.getvalue().count("hall  ok") == 2


@pytest.mark.parametrize("change", [lambda made: made.width - 1, lambda made: made.width + 1])
def test_a_terminal_of_another_size_is_drawn_anew_at_once(change: Callable[[Console], int]) -> None:
    made = console(colors=True)
    screen = Screen(None, made)
    with screen:
        screen.show(o.Overview(CONNECTED), Instant(100.0, NOW.wall))
        made.width = change(made)

        assert screen.due_at(math.inf) == 100.0 + FRAME_EVERY


def many(nodes: int, **last: object) -> o.Overview:
    """Give a fleet of which the last node is otherwise."""
    names = [f"n{number:02}" for number in range(nodes)]
    known = {name: NODE._replace(id=name) for name in names}
    known[names[-1]] = known[names[-1]]._replace(**last)  # type: ignore[arg-type]  # names of the tests
    return o.Overview(CONNECTED, known, {(name, "ops"): STRIP._replace(node=name) for name in names})


def screened(overview: o.Overview, height: int, node: str | None = None) -> list[str]:
    """Give what stands in a terminal of so many lines."""
    made = console(height=height, colors=True)
    screen = Screen(node, made)
    with screen:
        screen.show(overview, NOW)
        assert isinstance(made.file, io.StringIO)
        frame = made.file.getvalue().rsplit("\x1b[H", 1)[-1]
    return [line.rstrip() for line in re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", frame).split("\n")]


def test_what_fits_is_drawn_whole() -> None:
    lines = screened(many(2), 40)

    assert "  ops ██████··" in lines
    assert not any("there is more" in line for line in lines)


@pytest.mark.parametrize(
    ("last", "words"),
    [({"online": False}, "! node n19: offline"), ({"faults": (BROKEN,)}, "! node n19: strip ops: no such device")],
)
def test_where_not_all_fits_what_is_wrong_comes_first_and_pixels_are_narrow(
    last: dict[str, object], words: str
) -> None:
    lines = screened(many(20, **last), 20)

    assert len(lines) == 20
    assert lines[1] == words
    assert "  ops ███·" in lines
    assert lines[-1] == "… there is more: enlarge the window, or watch one node"


def test_what_is_wrong_leaves_room_for_the_strips() -> None:
    lines = screened(many(20, faults=(BROKEN,) * 30), 18)

    assert len([line for line in lines if "no such device" in line]) == 6
    assert "! and 24 more" in lines
    assert "  ops ███·" in lines


def test_who_is_away_comes_before_who_has_something_to_tell() -> None:
    boards = (o.PollerBoard("ops", BoardReport("auth", "Jira refuses the token"), "make a new one"),)
    pollers = {"main": o.Poller("main", online=False, boards=boards)}
    fleet = many(20, faults=(BROKEN,))._replace(pollers=pollers, troubles=("board ops: refused: no JSON",))

    assert screened(fleet, 20)[1:5] == [
        "! poller main: offline",
        "! node n19: strip ops: no such device",
        "! poller main: ops: Jira refuses the token",
        "! board ops: refused: no JSON",
    ]


def test_what_is_not_on_the_screen_is_not_drawn_and_costs_nothing() -> None:
    fleet = many(20)
    last = STRIP._replace(node="n19", pixels=None)  # type: ignore[arg-type]  # who draws it will raise

    assert screened(fleet._replace(strips={**fleet.strips, ("n19", "ops"): last}), 20)


def test_elsewhere_what_reads_the_same_is_not_printed_again() -> None:
    made = console()
    screen = Screen(None, made)
    polled = o.Poller("main", online=True, boards=(o.PollerBoard("ops", BoardReport("ok", "", NOW.wall), ""),))
    screen.show(fleet()._replace(pollers={"main": polled}), NOW)
    later = polled._replace(boards=(o.PollerBoard("ops", BoardReport("ok", "", NOW.wall + 60)),))
    screen.show(fleet()._replace(pollers={"main": later}), Instant(60.0, NOW.wall + 60))
    assert isinstance(made.file, io.StringIO)

    assert made.file.getvalue().count("hall  ok") == 1


def test_what_the_output_cannot_write_is_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Screen(None).show(fleet(board=BOARD._replace(statuses=(o.StatusCount("Größe", 3, 0),))), NOW)

    assert b"Gr??e 3" in raw.getvalue()


@pytest.mark.parametrize(("encoding", "pixels"), [("ascii", "rRm."), ("utf-8", "██████··")])
def test_where_there_are_no_blocks_there_are_letters(encoding: str, pixels: str) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    screen = Screen(None, Console(file=file, width=80, height=24, color_system="truecolor", force_terminal=True))
    with screen:
        screen.show(fleet(), NOW)
    file.flush()

    assert pixels in re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", raw.getvalue().decode())


def test_without_an_output_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)

    with pytest.raises(ApimonError, match="needs a standard output"):
        Screen(None)


class Gone(io.StringIO):
    """A terminal that hangs up."""

    gone = False

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(errno.EIO, "Input/output error")
        return super().write(text)


@pytest.mark.parametrize("colors", [True, False])
def test_an_output_that_is_gone_is_no_bug(*, colors: bool) -> None:
    made = console(colors=colors)
    made.file = file = Gone()
    with Screen(None, made) as screen:
        file.gone = True
        with pytest.raises(ApimonError, match="takes no more: Input/output error"):
            screen.show(fleet(), NOW)


def test_a_terminal_that_is_gone_cannot_be_given_back() -> None:
    made = console(colors=True)
    made.file = file = Gone()
    with Screen(None, made):
        file.gone = True


def test_a_real_node_is_watched_through_the_end_of_its_broker(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    config = node_config(tmp_path, broker.port, driver="memory")
    observer.publish("apimon/tickets/ops", {"counts": {"A": 3, "B": {"total": 2, "overdue": 1}}})
    with (
        Program(tmp_path, "run", "--config", config),
        Program(tmp_path, "watch", "hall", "--config", config) as watch,
    ):
        wait_until(lambda: "rrrgG....." in watch.out, "the strip, with its overdue ticket last")
        assert "r A 3  g B 2 (1 overdue)" in watch.out

        broker.kill()
        wait_until(lambda: "no connection to the broker" in watch.out, "word of the loss")
        broker.start()
        wait_until(lambda: watch.out.count("connected to") >= 2, "the return")

        code, seconds = watch.stop()
    assert (code, watch.err) == (0, "")
    assert seconds < 5


def test_in_a_terminal_it_takes_the_whole_of_it_and_gives_it_back(tmp_path: Path, broker: Mosquitto) -> None:
    config = node_config(tmp_path, broker.port, driver="memory")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    shell = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
    with Program(tmp_path, "watch", "--config", config, stdout=theirs, environment=shell) as watch:
        os.close(theirs)
        seen = b""
        while b"start one with apimon-node run" not in seen:
            seen += os.read(ours, 65_536)
        termios.tcsetwinsize(ours, (24, 50))
        assert select.select([ours], [], [], PATIENCE)[0], "nothing was drawn anew"
        code, _ = watch.stop(signal.SIGINT)
        while b"\x1b[?1049l" not in seen:
            seen += os.read(ours, 65_536)
    os.close(ours)

    assert code == 0
    assert b"\x1b[?1049h" in seen


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with Program(tmp_path, "watch", "Hall!", "--config", node_config(tmp_path, 1)) as watch:
        assert watch.process.wait(PATIENCE) == 2

    assert "node: expected" in watch.err


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())
