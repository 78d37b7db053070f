"""One contract for all drivers, on the real library and real processes, with a Pi that is none below them."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rigs import BLUE, DARK, GREEN, PIXELS, RED, RIGS, Rig, answer, fails

from apimon_node.config.settings import StripSettings, Ws281xSettings
from apimon_node.errors import InstallError
from apimon_node.node.drivers import open_drivers
from apimon_node.strip import drivers
from apimon_node.strip.drivers import DRIVERS

FRAME = (RED + GREEN + BLUE + DARK) * 2


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        rig = RIGS[request.param](tmp_path, stack)
        stack.callback(rig.driver.close)
        yield rig


def test_a_frame_that_was_shown_is_on_the_strip(rig: Rig) -> None:
    rig.show(FRAME)

    assert rig.seen() == "rgb.rgb."


def test_of_many_frames_the_last_is_on_the_strip(rig: Rig) -> None:
    for color in (RED, GREEN, BLUE, DARK, RED, BLUE) * 5:
        rig.show(color * PIXELS)

    assert rig.seen() == "b" * PIXELS


@pytest.mark.parametrize("size", [0, 1, 3 * PIXELS - 1, 3 * PIXELS + 1, 4 * PIXELS])
def test_a_frame_that_does_not_fit_is_a_bug_of_the_caller_and_changes_nothing(rig: Rig, size: int) -> None:
    rig.show(FRAME)
    with pytest.raises(ValueError, match=f"expected a frame of {3 * PIXELS} bytes, got {size}"):
        rig.driver.show(bytes(size))

    assert rig.seen() == "rgb.rgb."


def test_after_a_failure_the_next_frame_is_shown(rig: Rig) -> None:
    rig.show(RED * PIXELS)
    rig.break_()
    error = fails(rig, GREEN * PIXELS)
    rig.mend()
    rig.show(FRAME)

    assert str(error)
    assert rig.seen() == "rgb.rgb."


def test_it_may_be_closed_unused_and_twice(rig: Rig) -> None:
    rig.driver.close()
    rig.driver.close()


def test_what_was_shown_stays_when_it_is_closed(rig: Rig) -> None:
    rig.show(FRAME)
    rig.driver.close()

    assert rig.seen() == "rgb.rgb."


def test_it_asks_to_be_asked_only_while_a_frame_is_on_its_way(rig: Rig) -> None:
    assert rig.driver.deadline() == math.inf
    if rig.driver.show(FRAME) is None:
        assert rig.driver.fileno() >= 0
        assert rig.driver.deadline() < math.inf
        answer(rig.driver)

    assert rig.driver.deadline() == math.inf
    assert rig.driver.answer() is None


def test_a_frame_on_its_way_is_shown_though_the_driver_is_closed(rig: Rig) -> None:
    """So a node that stops leaves a dark strip."""
    rig.show(FRAME)
    rig.driver.show(DARK * PIXELS)
    rig.driver.close()

    assert rig.seen() == "." * PIXELS


def test_many_failures_and_recoveries_leave_no_files_open(rig: Rig) -> None:
    rig.show(FRAME)
    before = open_files()
    for _ in range(10):
        rig.break_()
        fails(rig, GREEN * PIXELS)
        rig.mend()
        rig.show(FRAME)

    assert open_files() <= before + 1  # the process that ended last is buried at the next start


# How they are made


def strip(name: str, driver: str, gpio: int | None = None) -> StripSettings:
    return StripSettings(name, driver, 2, ("ops",), gpio=gpio)


def test_each_device_gets_its_driver_and_the_stack_closes_them(capsys: pytest.CaptureFixture[str]) -> None:
    devices = [(strip("m", "memory"),), (strip("t", "terminal"),), (strip("u", "terminal"),), (strip("s", "spi"),)]
    with ExitStack() as stack:
        memory, terminal, other, spi = open_drivers(devices, Ws281xSettings(), stack)
        terminal.show(RED + BLUE)
        other.show(BLUE + BLUE)
        memory.show(RED + BLUE)
        with pytest.raises(ValueError, match="expected a frame of 6 bytes, got 3"):
            spi.show(RED)

    with pytest.raises(ValueError, match="the strip is closed"):
        memory.show(RED + BLUE)
    assert capsys.readouterr().out == "t rb\nu bb\n"


def test_two_strips_of_ws281x_have_one_driver_whose_frame_is_both() -> None:
    with ExitStack() as stack:
        (driver,) = open_drivers([(strip("a", "ws281x", 18), strip("b", "ws281x", 13))], Ws281xSettings(), stack)
        with pytest.raises(ValueError, match="expected a frame of 12 bytes, got 6"):
            driver.show(bytes(6))


def test_without_the_library_it_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apimon_node.process.extras.find_spec", lambda _name: None)
    with (
        ExitStack() as stack,
        pytest.raises(InstallError, match=r"^_rpi_ws281x not installed: pip install 'apimon-node"),
    ):
        open_drivers([(strip("a", "ws281x", 18),)], Ws281xSettings(), stack)


def test_a_node_with_a_strip_service_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "find_spec", lambda _name: None)
    with ExitStack() as stack:
        assert open_drivers([(strip("a", "ws281x", 18),)], Ws281xSettings(socket=Path("/nowhere")), stack)


def test_every_driver_has_a_rig() -> None:
    assert {name.split()[0] for name in RIGS} == set(DRIVERS)


# On a real Pi: pytest -m hardware, with a strip of eight pixels on GPIO 10 or 18. A person has to look.


@pytest.mark.hardware
@pytest.mark.parametrize(("driver", "gpio"), [("spi", None), ("ws281x", 18)])
def test_a_real_strip_takes_frames(driver: str, gpio: int | None) -> None:
    strips = (StripSettings("real", driver, PIXELS, ("ops",), gpio=gpio),)
    with ExitStack() as stack:
        (real,) = open_drivers([strips], Ws281xSettings(), stack)
        for color in (RED, GREEN, BLUE, DARK):
            assert real.show(color * PIXELS) or answer(real)
