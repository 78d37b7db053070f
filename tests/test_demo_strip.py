"""The demo's strip: a stand-in for the C library in a real child, which shows, fails, and crashes as that would."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from rigs import BLUE, DARK, GREEN, PIXELS, RED, answer, environment

from apimon_node.demo.library import _rpi_ws281x as library
from apimon_node.demo.strip import Strip
from apimon_node.errors import Failure, StripError
from apimon_node.strip import ws281x
from apimon_node.strip.child import Library, Line, Opening

FRAME = (RED + GREEN + BLUE + DARK) * 2
OPENING = Opening(10, (Line(10, 3, PIXELS),))


@pytest.fixture
def strip(tmp_path: Path) -> Iterator[Strip]:
    with ExitStack() as stack:
        strip = stack.enter_context(Strip(tmp_path, PIXELS))
        for name, value in strip.environment.items():
            stack.enter_context(environment(name, value))
        yield strip


@pytest.fixture
def driver(strip: Strip) -> Iterator[ws281x.Ws281x]:
    assert strip.plugged
    driver = ws281x.Ws281x(OPENING, partial(ws281x.ChildProcess, library.__file__), root=True)
    yield driver
    driver.close()


def show(driver: ws281x.Ws281x, frame: bytes = FRAME) -> None:
    driver.show(frame)
    answer(driver)


def failure(driver: ws281x.Ws281x) -> StripError:
    with pytest.raises(StripError) as caught:
        show(driver)
    return caught.value


def test_a_strip_shows_the_frames_of_the_driver_in_their_order(strip: Strip, driver: ws281x.Ws281x) -> None:
    assert strip.frames() == []
    for frame in (FRAME, DARK * PIXELS, FRAME):
        show(driver, frame)

    assert strip.frames() == [FRAME, DARK * PIXELS, FRAME]


def test_without_the_strip_a_write_fails_then_an_opening_until_it_is_there_again(
    strip: Strip, driver: ws281x.Ws281x
) -> None:
    show(driver)
    strip.unplug()
    assert strip.frames() == [DARK * PIXELS]
    assert (strip.fileno(), strip.plugged) == (-1, False)
    sent, opened = failure(driver), failure(driver)
    assert (sent.code, sent.failure) == (-14, Failure.WRITE)
    assert (opened.code, opened.failure) == (-13, Failure.OPEN)

    strip.plug()
    show(driver)
    assert strip.frames() == [FRAME]


def test_a_strip_that_was_away_between_two_frames_is_opened_anew(strip: Strip, driver: ws281x.Ws281x) -> None:
    show(driver)
    strip.unplug()
    strip.plug()
    assert failure(driver).code == -14
    show(driver)
    assert strip.frames()[-1] == FRAME


def test_a_crash_happens_once_and_is_over_when_another_process_writes(strip: Strip, driver: ws281x.Ws281x) -> None:
    show(driver)
    strip.frames()
    strip.crash()
    assert strip.crashing
    crashed = failure(driver)
    assert crashed.failure is Failure.CRASH
    assert "SIGSEGV" in str(crashed)
    assert strip.frames() == []
    assert strip.crashing
    show(driver)
    assert strip.frames() == [FRAME]
    assert not strip.crashing


def test_a_crash_ordered_before_there_is_a_process_meets_the_first_one(strip: Strip, driver: ws281x.Ws281x) -> None:
    strip.crash()
    assert strip.crashing
    assert failure(driver).failure is Failure.CRASH
    show(driver)
    strip.frames()
    assert not strip.crashing


@pytest.mark.parametrize(
    ("opening", "code"),
    [
        (Opening(10, (Line(18, 3, 8),)), -11),
        (Opening(10, (Line(13, 3, 8),)), -11),
        (Opening(16, (Line(10, 3, 8),)), -6),
        (OPENING, 0),
    ],
)
def test_it_opens_what_its_pi_has(strip: Strip, opening: Opening, code: int) -> None:
    assert strip.plugged
    strips = Library(library, opening)
    assert strips.open() == code
    if not code:
        strips.close()


def test_a_device_that_is_away_has_the_codes_of_spi(strip: Strip) -> None:
    there, away = Library(library, OPENING), Library(library, OPENING)
    assert there.open() == 0
    strip.unplug()
    assert there.show(FRAME) == -14
    there.close()
    assert away.open() == -13


def test_four_colours_go_out_as_they_came(strip: Strip) -> None:
    strips = Library(library, Opening(10, (Line(10, 4, 6),)))  # 24 bytes, as eight pixels of three
    assert strips.open() == 0
    assert strips.show(bytes(range(24))) == 0
    strips.close()
    assert strip.frames() == [bytes(range(24))]


def test_a_pixel_beyond_the_last_one_is_refused() -> None:
    channel = library.Channel()
    library.ws2811_channel_t_count_set(channel, 1)
    assert library.ws2811_led_set(channel, 1, 0) == -1


@pytest.mark.parametrize(
    "misuse",
    [
        "ws2811_render(strips)",
        "ws2811_fini(strips)",
        "ws2811_init(strips); x.ws2811_render(strips)",
        "ws2811_led_set(x.ws2811_channel_get(strips, 0), -1, 0)",
    ],
)
def test_misuse_of_the_library_is_a_crash_as_in_c(tmp_path: Path, misuse: str) -> None:
    code = f"import _rpi_ws281x as x; strips = x.new_ws2811_t(); x.{misuse}"
    environment = Strip(tmp_path, 1).environment
    done = subprocess.run([sys.executable, "-c", code], env={**environment}, check=False, stderr=subprocess.DEVNULL)

    assert done.returncode == -11
