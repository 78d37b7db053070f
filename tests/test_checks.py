"""Checks: what a machine means for strips. Every machine here is made up; none is asked."""

from typing import Any

import pytest

from apimon_node import config
from apimon_node.checks import Level, check_strips
from apimon_node.machine import Machine

DEVICES = frozenset({"/dev/mem", "/dev/vcio", "/dev/gpiomem", "/dev/spidev0.0"})

PI = Machine(
    model="Raspberry Pi Zero W Rev 1.1",
    board="pi0w",
    root=True,
    groups=frozenset({"spi", "gpio"}),
    present=DEVICES,
    usable=DEVICES,
    bufsiz=4096,
    modules=frozenset(),
    boot={"core_freq": "250"},
    library=True,
)
"""A machine on which every strip works."""

SPI = "driver: spi, pixels: 40"
PWM = "driver: ws281x, gpio: 18, pixels: 40"
PCM = "driver: ws281x, gpio: 21, pixels: 40"
MOSI = "driver: ws281x, gpio: 10, pixels: 40"


def found(strip: str, machine: Machine, ws281x: str = "{}") -> list[tuple[Level, str]]:
    """Give level and words of what is found about a strip."""
    text = f"node: {{id: hall}}\nws281x: {ws281x}\nlooks: [{{color: red}}]\nstrips: [{{name: a, boards: ops, {strip}}}]"
    findings = list(check_strips(config.parse(text)[0], machine))
    assert {finding.subject for finding in findings} == {"strip a"}
    assert all(finding.mend for finding in findings if finding.level is not Level.OK)
    return [(finding.level, f"{finding.text}; {finding.mend}") for finding in findings]


@pytest.mark.parametrize(
    ("strip", "where"), [(SPI, "/dev/spidev0.0"), (PWM, "GPIO 18"), (PCM, "GPIO 21"), (MOSI, "GPIO 10")]
)
def test_on_a_machine_that_has_it_all_nothing_stands_in_the_way(strip: str, where: str) -> None:
    text = f"40 pixels on {where} of a Raspberry Pi Zero W Rev 1.1: nothing stands in the way; "
    assert found(strip, PI) == [(Level.OK, text)]


def test_a_terminal_needs_nothing_and_a_memory_shows_nothing() -> None:
    nothing = PI._replace(model="", board="", present=frozenset(), usable=frozenset(), library=False, boot=None)

    assert found("driver: terminal, pixels: 5", nothing)[0][0] is Level.OK
    assert found("driver: memory, pixels: 5", nothing)[0][0] is Level.WARNING


SPI_OFF = "/dev/spidev0.0 is missing; switch SPI on: sudo raspi-config nonint do_spi 0, and restart"
NO_ROOT = (
    "GPIO {} needs root: no group may open /dev/mem;"
    " run the node as root, or with a strip service (apimon-node strip), or use the driver spi"
)
CLOCK = "the clock of SPI may change with the load, which strips show as white or random colours; {} in "
CLOCK += "/boot/firmware/config.txt, and restart"


@pytest.mark.parametrize(
    ("strip", "changes", "expected"),
    [
        (SPI, {"present": DEVICES - {"/dev/spidev0.0"}}, [(Level.PROBLEM, SPI_OFF)]),
        (MOSI, {"present": DEVICES - {"/dev/spidev0.0"}}, [(Level.PROBLEM, SPI_OFF)]),
        (
            SPI,
            {"usable": frozenset(), "groups": frozenset()},
            [
                (
                    Level.PROBLEM,
                    (
                        "/dev/spidev0.0 may not be opened: this user is not in the group spi;"
                        " sudo usermod -aG spi USER, with the user that runs the node, and sign in anew"
                    ),
                )
            ],
        ),
        (
            MOSI,
            {"usable": DEVICES - {"/dev/gpiomem"}},
            [
                (
                    Level.PROBLEM,
                    (
                        "/dev/gpiomem may not be opened: this user is in the group gpio;"
                        " sudo usermod -aG gpio USER, with the user that runs the node, and sign in anew"
                    ),
                )
            ],
        ),
        (
            "driver: spi, pixels: 446",
            {},
            [
                (
                    Level.PROBLEM,
                    (
                        "it needs 4105 bytes of SPI at once, and spidev sends 4096; fewer pixels, or spidev.bufsiz=4105"
                        " at the end of the line in /boot/firmware/cmdline.txt, and restart"
                    ),
                )
            ],
        ),
        ("driver: spi, pixels: 445", {}, []),
        ("driver: spi, pixels: 446", {"bufsiz": 65536}, []),
        ("driver: spi, pixels: 334, order: GRBW", {"bufsiz": 4098}, [(Level.PROBLEM, "it needs 4099 bytes")]),
        ("driver: ws281x, gpio: 10, pixels: 339", {}, []),
        ("driver: ws281x, gpio: 10, pixels: 340", {}, [(Level.PROBLEM, "it needs 4104 bytes")]),
        (SPI, {"boot": {}}, [(Level.WARNING, CLOCK.format("core_freq=250"))]),
        (MOSI, {"boot": None}, [(Level.WARNING, CLOCK.format("core_freq=250"))]),
        (
            SPI,
            {"board": "pi4", "boot": {"core_freq": "500"}},
            [(Level.WARNING, CLOCK.format("core_freq_min=500"))],
        ),
        (SPI, {"board": "pi4", "boot": {}}, [(Level.WARNING, CLOCK.format("core_freq=500 and core_freq_min=500"))]),
        (SPI, {"board": "pi2", "boot": {}}, []),
        (SPI, {"board": "pi5"}, [(Level.WARNING, "nobody here has seen a strip on the SPI of a Pi 5")]),
        (PWM, {"board": "pi5"}, [(Level.PROBLEM, "rpi_ws281x does not know the Pi 5; use the driver spi")]),
        (PWM, {"board": "", "model": ""}, [(Level.PROBLEM, "this is no Raspberry Pi")]),
        (PWM, {"library": False}, [(Level.PROBLEM, "rpi_ws281x is not installed; pip install 'apimon-node[ws281x]'")]),
        (PWM, {"root": False}, [(Level.PROBLEM, NO_ROOT.format(18))]),
        (PCM, {"root": False}, [(Level.PROBLEM, NO_ROOT.format(21))]),
        (MOSI, {"root": False}, []),
        (MOSI, {"root": False, "present": DEVICES - {"/dev/gpiomem"}}, []),
        (PWM, {"present": DEVICES - {"/dev/vcio"}}, [(Level.PROBLEM, "/dev/vcio is missing")]),
        (
            PWM,
            {"modules": frozenset({"snd_bcm2835"})},
            [
                (
                    Level.WARNING,
                    (
                        "on-board audio may use PWM too, as GPIO 18 does: wrong colours, or none;"
                        " dtparam=audio=off in /boot/firmware/config.txt, and restart"
                    ),
                )
            ],
        ),
        (PCM, {"modules": frozenset({"snd_bcm2835"})}, []),
        (PCM, {"boot": {"dtparam=i2s": "on"}}, [(Level.WARNING, "I2S audio uses PCM too, as GPIO 21 does")]),
        (
            PWM,
            {"root": False, "library": False, "modules": frozenset({"snd_bcm2835"})},
            [
                (Level.PROBLEM, "rpi_ws281x is not installed"),
                (Level.PROBLEM, "GPIO 18 needs root"),
                (Level.WARNING, "on-board audio"),
            ],
        ),
    ],
)
def test_what_stands_in_the_way_is_told_with_what_to_do(
    strip: str, changes: dict[str, Any], expected: list[tuple[Level, str]]
) -> None:
    findings = [finding for finding in found(strip, PI._replace(**changes)) if finding[0] is not Level.OK]

    assert len(findings) == len(expected)
    for (level, text), (wanted, start) in zip(findings, expected, strict=True):
        assert level is wanted
        assert text.startswith(start)


@pytest.mark.parametrize(
    ("present", "usable", "expected"),
    [
        (
            False,
            False,
            [(Level.PROBLEM, "there is no strip service at /run/s.sock; sudo apimon-node strip --socket /run/s.sock")],
        ),
        (
            True,
            False,
            [
                (
                    Level.PROBLEM,
                    "/run/s.sock may not be opened; let the node's user open it (SocketMode= or SocketGroup=)",
                )
            ],
        ),
        (True, True, []),
    ],
)
def test_with_a_strip_service_the_node_needs_neither_root_nor_the_library(
    *, present: bool, usable: bool, expected: list[tuple[Level, str]]
) -> None:
    machine = PI._replace(
        root=False,
        library=False,
        present=DEVICES | {"/run/s.sock"} if present else DEVICES,
        usable=frozenset({"/run/s.sock"}) if usable else frozenset(),
    )

    findings = found(PWM, machine, "{socket: /run/s.sock}")

    assert [finding for finding in findings if finding[0] is not Level.OK] == expected
