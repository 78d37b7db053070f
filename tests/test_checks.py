"""What a machine means for strips: a table of machines, and what each is told to do."""

import pytest

from apimon_node.config import schema
from apimon_node.config.settings import Settings
from apimon_node.machine.checks import (
    AUDIO,
    CHECKS,
    I2S,
    PCM_GPIO,
    SPI_GPIO,
    Boot,
    Device,
    Finding,
    Level,
    Machine,
    Pi,
    check_strips,
    files,
    line,
)
from apimon_node.strip import child, drivers, encoding

CONFIG_TXT = "/boot/firmware/config.txt"
OURS = Device(allowed=True)

PI = Machine(
    "Raspberry Pi Zero W Rev 1.1",
    Pi.ZERO_W,
    user="pi",
    groups=frozenset(["pi", "spi", "gpio"]),
    devices={
        "/dev/spidev0.0": Device(allowed=True, group="spi"),
        "/dev/gpiomem": Device(allowed=True, group="gpio"),
        "/dev/mem": Device(allowed=False),
        "/dev/vcio": Device(allowed=False, group="video"),
    },
    boot=Boot(CONFIG_TXT, spi=True, audio=True, core_freq=250),
    library=True,
)
"""A Pi Zero W on which a user can drive a strip on GPIO 10."""

ROOT = PI._replace(user="root", root=True, devices=dict.fromkeys(PI.devices, OURS))


def settings(strip: str, more: str = "") -> Settings:
    text = (
        f"node: {{id: n}}\nstrips: [{{name: ops, boards: [b], {strip}}}]\nlooks: [{{match: {{}}, color: red}}]\n{more}"
    )
    return schema.parse(text)[0]


def spi_strip(pixels: int = 40, order: str = "GRB", device: str = "/dev/spidev0.0") -> Settings:
    return settings(f"driver: spi, pixels: {pixels}, order: {order}, device: {device}")


def pin(gpio: int, pixels: int = 40, more: str = "") -> Settings:
    return settings(f"driver: ws281x, gpio: {gpio}, pixels: {pixels}", more)


def without(machine: Machine, *names: str) -> Machine:
    return machine._replace(devices={name: device for name, device in machine.devices.items() if name not in names})


def having(machine: Machine, name: str, device: Device) -> Machine:
    return machine._replace(devices={**machine.devices, name: device})


def told(settings: Settings, machine: Machine) -> list[str]:
    """Give what is wrong, a line each, all about the strip."""
    findings = check_strips(settings, machine)
    assert {finding.subject for finding in findings} == {"strip ops"}
    return [line(finding).replace("strip ops   ", "") for finding in findings if finding.level is not Level.OK]


@pytest.mark.parametrize(
    ("strip", "machine", "text"),
    [
        ("driver: terminal, pixels: 8", Machine(), "is drawn in the terminal, which needs nothing"),
        ("driver: memory, pixels: 8", Machine(), "shows nothing, it only remembers: that needs nothing"),
        ("driver: spi, pixels: 40", PI, "/dev/spidev0.0 can be opened, and takes 40 pixels at once"),
        ("driver: ws281x, gpio: 10, pixels: 40", PI, "nothing is seen that keeps ws281x from GPIO 10"),
        ("driver: ws281x, gpio: 18, pixels: 40", ROOT, "nothing is seen that keeps ws281x from GPIO 18"),
    ],
)
def test_a_strip_that_is_well_has_one_line(strip: str, machine: Machine, text: str) -> None:
    assert check_strips(settings(strip), machine) == [Finding("strip ops", Level.OK, text)]


def test_every_driver_has_its_checks_and_every_pin_its_kind() -> None:
    assert set(CHECKS) == set(drivers.DRIVERS)
    assert {pin for pin in child.LINES if pin not in {SPI_GPIO, PCM_GPIO}} == set.union(*child.PWM_LINES)


def test_each_strip_is_told_of_by_its_name() -> None:
    both = settings("driver: memory, pixels: 8}, {name: dev, boards: [b], driver: terminal, pixels: 8")

    assert [finding.subject for finding in check_strips(both, PI)] == ["strip ops", "strip dev"]


USERMOD = "sudo usermod -aG spi pi, then log in anew, or restart the service"


@pytest.mark.parametrize(
    ("machine", "text"),
    [
        (
            without(PI, "/dev/spidev0.0")._replace(boot=Boot(CONFIG_TXT, core_freq=250)),
            "/dev/spidev0.0 is missing → switch SPI on: sudo raspi-config nonint do_spi 0, then reboot",
        ),
        (
            without(PI, "/dev/spidev0.0"),
            (
                f"/dev/spidev0.0 is missing → {CONFIG_TXT} switches SPI on: reboot, and if that does not help,"
                " sudo modprobe spidev"
            ),
        ),
        (
            Machine(),
            (
                "/dev/spidev0.0 is missing → this is no Raspberry Pi, or a container that hides it:"
                " use the driver terminal here"
            ),
        ),
        (
            having(PI, "/dev/spidev0.0", Device(allowed=False, group="spi"))._replace(groups=frozenset(["pi"])),
            f"user pi may not open /dev/spidev0.0 → {USERMOD}",
        ),
        (
            having(PI, "/dev/spidev0.0", Device(allowed=False, group="spi"))._replace(
                groups=frozenset(), dynamic=True, user="apimon-node"
            ),
            (
                "user apimon-node may not open /dev/spidev0.0 → sudo apimon-node install --with spi,"
                " then restart the service"
            ),
        ),
        (
            having(PI, "/dev/spidev0.0", Device(allowed=False, group="dialout"))._replace(
                groups=frozenset(), dynamic=True, user="apimon-node"
            ),
            (
                "user apimon-node may not open /dev/spidev0.0 → let the service have it: SupplementaryGroups=dialout"
                " by systemctl edit, then restart the service"
            ),
        ),
        (
            having(PI, "/dev/spidev0.0", Device(allowed=False, group="spi")),
            (
                "user pi may not open /dev/spidev0.0 → group spi should:"
                " does a container, or the service's unit, keep it out?"
            ),
        ),
        (
            having(PI, "/dev/spidev0.0", Device(allowed=False)),
            (
                "user pi may not open /dev/spidev0.0 → let a group open it by a udev rule, as Raspberry Pi OS has one,"
                " and add pi to that"
            ),
        ),
    ],
)
def test_the_device_of_spi_must_be_there_and_ours(machine: Machine, text: str) -> None:
    assert told(spi_strip(), machine) == [f"PROBLEM  {text}"]


@pytest.mark.parametrize(
    ("devices", "mend"),
    [
        ({}, f"name /dev/spidev0.0, or add its dtoverlay to {CONFIG_TXT}"),
        ({"/dev/spidev0.0": OURS}, f"name one that exists (/dev/spidev0.0), or add its dtoverlay to {CONFIG_TXT}"),
    ],
)
def test_another_spi_is_switched_on_in_another_way(devices: dict[str, Device], mend: str) -> None:
    problem = f"PROBLEM  /dev/spidev1.0 is missing → {mend}"

    assert told(spi_strip(device="/dev/spidev1.0"), PI._replace(devices=devices)) == [problem]


@pytest.mark.parametrize(
    ("strip", "most", "size"),
    [(spi_strip(446), 445, 4105), (spi_strip(334, "GRBW"), 333, 4099), (pin(10, 340), 339, 4104)],
)
def test_a_frame_must_fit_one_transfer(strip: Settings, most: int, size: int) -> None:
    pixels = strip.strips[0].pixels
    problem = (
        f"PROBLEM  {pixels} pixels are {size} bytes at once, and spidev takes 4096 → at most {most} pixels, "
        f"or add spidev.bufsiz={size} to the line in /boot/firmware/cmdline.txt, then reboot"
    )

    assert told(strip, PI) == [problem]
    assert told(strip, PI._replace(bufsiz=size)) == []
    assert told(strip._replace(strips=(strip.strips[0]._replace(pixels=most),)), PI) == []


@pytest.mark.parametrize(("pixels", "order"), [(1, "GRB"), (40, "GRB"), (300, "GRBW")])
def test_a_transfer_of_spi_is_as_large_as_its_driver_makes_it(pixels: int, order: str) -> None:
    size = encoding.transfer_size(pixels * len(order))

    assert told(spi_strip(pixels, order), PI._replace(bufsiz=size)) == []
    assert f" are {size} bytes " in told(spi_strip(pixels, order), PI._replace(bufsiz=size - 1))[0]


@pytest.mark.parametrize(("pixels", "size"), [(40, 504), (144, 1752), (300, 3624), (339, 4088)])
def test_a_transfer_of_the_library_is_as_large_as_was_measured(pixels: int, size: int) -> None:
    assert told(pin(10, pixels), PI._replace(bufsiz=size)) == []
    assert f" are {size} bytes " in told(pin(10, pixels), PI._replace(bufsiz=size - 1))[0]


@pytest.mark.parametrize(
    ("pi", "boot", "texts"),
    [
        (Pi.ZERO, Boot(), []),
        (Pi.ONE, Boot(), []),
        (Pi.TWO, Boot(), []),
        (
            Pi.ZERO_W,
            Boot(CONFIG_TXT),
            ["colours are reported to go wrong on a Pi Zero W without core_freq=250 → add that"],
        ),
        (Pi.ZERO_2, Boot(), ["colours are reported to go wrong on a Pi Zero 2 without core_freq=250 → add that"]),
        (
            Pi.THREE,
            Boot(CONFIG_TXT, core_freq=400),
            ["colours are reported to go wrong on a Pi 3 without core_freq=250 → add that"],
        ),
        (
            Pi.FOUR,
            Boot(CONFIG_TXT),
            [
                (
                    "colours are reported to go wrong on a Pi 4 without core_freq=500 and core_freq_min=500"
                    " → add a line for each"
                )
            ],
        ),
        (
            Pi.FOUR,
            Boot(CONFIG_TXT, core_freq=500),
            ["colours are reported to go wrong on a Pi 4 without core_freq_min=500 → add that"],
        ),
        (Pi.FOUR, Boot(CONFIG_TXT, core_freq=500, core_freq_min=500), []),
    ],
)
def test_the_clock_of_spi_stands_still_by_what_each_model_needs(pi: Pi, boot: Boot, texts: list[str]) -> None:
    expected = [f"warning  {text} to {CONFIG_TXT}, then reboot" for text in texts]

    assert told(spi_strip(), PI._replace(pi=pi, boot=boot)) == expected
    assert told(pin(10), PI._replace(pi=pi, boot=boot)) == expected


@pytest.mark.parametrize(("pi", "name"), [(Pi.FIVE, "a Pi 5"), (Pi.UNKNOWN, "an unknown Raspberry Pi")])
def test_what_nobody_has_verified_is_said(pi: Pi, name: str) -> None:
    assert told(spi_strip(), PI._replace(pi=pi)) == [
        f"warning  nobody here has verified the timing of SPI on {name}",
    ]


@pytest.mark.parametrize(
    ("machine", "texts"),
    [
        (
            Machine(library=True),
            [
                (
                    "PROBLEM  this is no Raspberry Pi, or a container that hides it, and ws281x needs one"
                    " → use the driver terminal here"
                )
            ],
        ),
        (
            ROOT._replace(pi=Pi.FIVE),
            ["PROBLEM  rpi_ws281x does not support a Pi 5 → use the driver spi, on GPIO 10"],
        ),
        (
            ROOT._replace(pi=Pi.UNKNOWN, model="Raspberry Pi 6"),
            [
                (
                    "warning  rpi_ws281x may not know this model, Raspberry Pi 6"
                    " → if it fails with code -3, use the driver spi"
                )
            ],
        ),
        (
            ROOT._replace(library=False),
            ["PROBLEM  rpi_ws281x is not installed → pip install 'apimon-node[ws281x]'"],
        ),
        (
            PI,
            [
                (
                    "PROBLEM  GPIO 18 needs root (for /dev/mem), and this is user pi → run the node as root, or with a"
                    " strip service (ws281x.socket), or use the driver spi"
                )
            ],
        ),
        (
            without(ROOT, "/dev/mem", "/dev/vcio"),
            [
                "PROBLEM  /dev/mem is missing → boot the kernel of Raspberry Pi OS; a container needs the device",
                "PROBLEM  /dev/vcio is missing → boot the kernel of Raspberry Pi OS; a container needs the device",
            ],
        ),
        (
            ROOT._replace(modules=frozenset([AUDIO])),
            [
                (
                    "PROBLEM  on-board audio (snd_bcm2835) is loaded, and drives the same PWM → write"
                    f" dtparam=audio=off into {CONFIG_TXT}, not audio=on, then reboot"
                )
            ],
        ),
        (
            ROOT._replace(modules=frozenset([AUDIO]), boot=Boot("/boot/config.txt", audio=False)),
            [
                (
                    "PROBLEM  on-board audio (snd_bcm2835) is loaded, and drives the same PWM"
                    " → reboot: /boot/config.txt has dtparam=audio=off"
                )
            ],
        ),
    ],
)
def test_ws281x_on_pwm_asks_for_a_pi_root_and_a_pwm_of_its_own(machine: Machine, texts: list[str]) -> None:
    assert told(pin(18), machine) == texts


@pytest.mark.parametrize(("modules", "words"), [((), ""), ((AUDIO, I2S), " (snd_soc_bcm2835_i2s is loaded)")])
def test_pcm_is_warned_of(modules: tuple[str, ...], words: str) -> None:
    text = f"PCM does not go with I2S audio{words}, and is reported dead on some versions of the OS"

    assert told(pin(21), ROOT._replace(modules=frozenset(modules))) == [f"warning  {text} → prefer GPIO 18"]


def test_ws281x_on_spi_needs_two_groups_and_no_root() -> None:
    stranger = having(
        having(PI, "/dev/spidev0.0", Device(allowed=False, group="spi")),
        "/dev/gpiomem",
        Device(allowed=False, group="gpio"),
    )._replace(groups=frozenset())

    assert told(pin(10), PI._replace(modules=frozenset([AUDIO, I2S]))) == []
    assert told(pin(10), stranger) == [
        f"PROBLEM  user pi may not open /dev/spidev0.0 → {USERMOD}",
        f"PROBLEM  user pi may not open /dev/gpiomem → {USERMOD.replace('spi', 'gpio')}",
    ]
    assert told(pin(10), without(PI, "/dev/gpiomem")) == [
        "PROBLEM  /dev/gpiomem is missing → boot the kernel of Raspberry Pi OS; a container needs the device"
    ]


SOCKET = "/run/apimon/strip.sock"
SERVICE = f"ws281x: {{socket: {SOCKET}}}"
START = f"start it as root: apimon-node strip --socket {SOCKET} --user pi"


@pytest.mark.parametrize(
    ("device", "listening", "texts"),
    [
        (OURS, [SOCKET], []),
        (OURS, [], [f"warning  no strip service is seen to listen on {SOCKET} → {START}"]),
        (None, [], [f"PROBLEM  the strip service's socket {SOCKET} is missing → {START}"]),
        (
            Device(allowed=False),
            [SOCKET],
            [
                (
                    f"PROBLEM  user pi may not connect to {SOCKET} → let that user write to it and enter its folder"
                    " (SocketMode= where systemd makes it)"
                )
            ],
        ),
    ],
)
@pytest.mark.parametrize("gpio", [10, 18])
def test_with_a_strip_service_its_socket_counts_and_not_our_rights(
    gpio: int, device: Device | None, listening: list[str], texts: list[str]
) -> None:
    machine = PI._replace(library=False, groups=frozenset(), listening=frozenset(listening))
    machine = machine._replace(devices=dict.fromkeys(PI.devices, Device(allowed=False)))

    assert told(pin(gpio, more=SERVICE), having(machine, SOCKET, device) if device else machine) == texts


def test_files_are_what_the_configuration_names() -> None:
    assert files(spi_strip(device="/dev/spidev0.1")) == ["/dev/spidev0.1"]
    assert files(pin(10, more=SERVICE)) == [SOCKET]
    assert files(settings("driver: terminal, pixels: 8")) == []


def test_a_line_has_level_subject_text_and_mend_and_nothing_that_moves_the_cursor() -> None:
    assert line(Finding("broker", Level.OK, "lets us in")) == "ok       broker      lets us in"
    assert line(Finding("strip ops", Level.PROBLEM, "x\x1b[2J\ny", "mend")) == "PROBLEM  strip ops   x [2J y → mend"
