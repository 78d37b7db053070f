"""What has to be done on a machine to have the program there: planned from values, nothing touched."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from apimon_node.config import schema
from apimon_node.config.settings import Settings
from apimon_node.errors import InstallError
from apimon_node.install import boot, commands, pip, places, source
from apimon_node.install.host import (
    EXTRAS,
    NODE,
    POLLER,
    SPI,
    SPI_DROP_INS,
    WS281X,
    Host,
    Shipped,
    Wanted,
    extras,
    obstacle,
    remarks,
    roles,
    takes_spi,
)
from apimon_node.install.plan import OURS, kept, our_unit, plan, removal, started
from apimon_node.install.steps import (
    Build,
    Copy,
    Folder,
    Link,
    Remove,
    Restore,
    Stay,
    Step,
    Systemctl,
    Write,
    format_done,
    format_pending,
)
from apimon_node.install.switch import Release, configurations, keep, switch
from apimon_node.install.template import as_id, first
from apimon_node.machine.checks import CLOCKS, Boot, Machine, Pi

ROOT = Path(__file__).parent.parent
SHIPPED = source.shipped()
CONFIG_TXT, CMDLINE = "/boot/firmware/config.txt", "/boot/firmware/cmdline.txt"

FRESH = Host(
    Machine("Raspberry Pi Zero W Rev 1.1", Pi.ZERO_W, boot=Boot(CONFIG_TXT)),
    architecture="armv6l",
    root=True,
    writable=True,
    systemd=True,
    venv=True,
    piwheels=True,
    free=20_000,
    groups=frozenset(["root", "spi", "gpio"]),
    files={CONFIG_TXT: "# For more options see\ndtparam=audio=on\n\n[pi4]\narm_boost=1\n", CMDLINE: "rootwait quiet\n"},
)
"""A Pi Zero W with a fresh Raspberry Pi OS."""


def wanted(*words: str, host: Host = FRESH, text: str | None = None, shipped: Shipped = SHIPPED) -> Wanted:
    chosen = roles(frozenset(words), frozenset(), host.machine.pi)
    text = text or first(shipped.config, chosen, host.machine.pi, "hallway")
    return Wanted("file:///home/pi/apimon_node", chosen, shipped, text, schema.parse(text)[0])


def open_steps(steps: list[Step]) -> list[str]:
    return [step.what for step in steps if not step.done]


def done(host: Host, wish: Wanted) -> Host:
    """Give the machine after all steps."""
    files, folders, links = dict(host.files), dict(host.folders), dict(host.links)
    states, enabled, found = dict(host.states), set(host.enabled), host.machine.boot
    for step in plan(host, wish):
        match step.action:
            case Folder(path, mode):
                folders[path] = mode
            case Write(path, text, backup):
                files |= {backup: files[path]} if backup else {}
                files[path] = text
                if path == CONFIG_TXT:
                    freq = 250 if "core_freq=250" in text else None
                    found = found._replace(spi="spi=on" in text, audio="audio=off" not in text, core_freq=freq)
            case Link(path, target):
                links[path] = target
            case Systemctl(("enable", "--now", name)):
                states[name] = "active"
                enabled.add(name)
            case Build():
                folders[places.HOME] = 0o755
                links[places.CURRENT] = places.release("0.1.0-1")
    return host._replace(
        machine=host.machine._replace(boot=found),
        files=files,
        folders=folders,
        links=links,
        states=states,
        enabled=frozenset(enabled),
    )


# The plan


def test_a_fresh_pi_gets_everything_and_nothing_starts_before_the_rest_is_there() -> None:
    steps = plan(FRESH, wanted())

    assert open_steps(steps) == [
        "build a release from file:///home/pi/apimon_node",
        "make the folder /etc/apimon (755)",
        "make the folder /etc/apimon/credentials (700)",
        "write /etc/apimon/config.yaml",
        "let /usr/local/bin/apimon-node lead to /opt/apimon-node/current/bin/apimon-node",
        "write /etc/systemd/system/apimon-node.service",
        "write /etc/systemd/system/apimon-node.service.d/spi.conf",
        "write /etc/systemd/system/apimon-node@.service",
        "write /etc/systemd/system/apimon-node@.service.d/spi.conf",
        "write /etc/systemd/system/apimon-poller.service",
        "write /etc/systemd/system/apimon-strip.service",
        "write /etc/systemd/system/apimon-strip.socket",
        "tell systemd to read its units anew",
        "write dtparam=spi=on and core_freq=250 into /boot/firmware/config.txt, for the next boot",
        "enable and start apimon-node.service",
    ]


@pytest.mark.parametrize("words", [(), (NODE,), (POLLER,), (WS281X, POLLER), (SPI, WS281X, POLLER, NODE)])
def test_whoever_installs_twice_is_told_that_all_is_so_already(words: tuple[str, ...]) -> None:
    wish = wanted(*words)
    after = done(FRESH, wish)

    assert open_steps(plan(after, wish)) == []


@pytest.mark.parametrize("missing", range(15))
def test_an_install_that_broke_off_goes_on_where_it_was(missing: int) -> None:
    wish = wanted()
    steps = plan(FRESH, wish)
    half = done(FRESH, wish)
    match steps[missing].action:
        case Folder(path):
            half = half._replace(folders={name: mode for name, mode in half.folders.items() if name != path})
        case Write(path):
            there = {path: FRESH.files[path]} if path in FRESH.files else {}
            files = {name: text for name, text in half.files.items() if name != path}
            half = half._replace(files=files | there, machine=FRESH.machine if there else half.machine)
        case Link(path):
            half = half._replace(links={name: to for name, to in half.links.items() if name != path})
        case Build():
            half = half._replace(links={})
        case Systemctl(("daemon-reload",)):
            half = half._replace(stale=True)
        case Systemctl((_, _, name)):
            half = half._replace(states={name: "inactive"})

    assert steps[missing].what in open_steps(plan(half, wish))
    assert len(open_steps(plan(half, wish))) <= 2  # a unit, and systemd has to know; a release, and its command


def test_every_step_says_why_and_how_to_undo_it() -> None:
    for step in [*plan(FRESH, wanted(WS281X, POLLER)), *removal(done(FRESH, wanted()), purge=True)]:
        assert step.why
        assert step.undo
        assert format_pending(step)[:3] == [
            f"would       {step.what}",
            f"              why:  {step.why}",
            f"              undo: {step.undo}",
        ]
        assert format_done(step) == f"already so  {step.what}"


def test_a_configuration_that_exists_is_never_touched() -> None:
    mine = "node: {id: mine}\nstrips: [{name: a, driver: spi, pixels: 9, boards: [b]}]\nlooks: [{color: red}]\n"
    host = FRESH._replace(files={**FRESH.files, places.CONFIG: mine})

    assert not [step for step in plan(host, wanted(text=mine)) if places.CONFIG in step.what and not step.done]


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o500])
def test_a_folder_of_secrets_that_others_can_read_is_closed(mode: int) -> None:
    wish = wanted()
    host = done(FRESH, wish)
    host = host._replace(folders={**host.folders, places.CREDENTIALS: mode})

    assert open_steps(plan(host, wish)) == ["make the folder /etc/apimon/credentials (700)"]


def test_a_strip_service_is_started_before_the_node_and_the_poller_after_it() -> None:
    starts = [step for step in open_steps(plan(FRESH, wanted(WS281X, POLLER))) if step.startswith("enable")]

    assert starts == [f"enable and start apimon-{name}" for name in ("strip.socket", "node.service", "poller.service")]


def test_a_machine_with_a_poller_alone_gets_no_node_and_no_boot_settings() -> None:
    steps = open_steps(plan(FRESH, wanted(POLLER)))

    assert "enable and start apimon-poller.service" in steps
    assert not [step for step in steps if "boot" in step or "spi.conf" in step or "start apimon-node" in step]
    assert "build a release from file:///home/pi/apimon_node, with jira" in steps


def test_what_runs_but_would_not_start_at_boot_is_enabled() -> None:
    wish = wanted()
    host = done(FRESH, wish)._replace(enabled=frozenset())

    assert open_steps(plan(host, wish)) == ["enable and start apimon-node.service"]


def test_what_was_started_is_watched_for_a_while() -> None:
    steps = plan(FRESH, wanted(WS281X))

    assert [step.action for step in started(steps)] == [Stay(("apimon-strip.socket", "apimon-node.service"))]
    assert started(plan(done(FRESH, wanted()), wanted())) == []


def test_a_unit_that_somebody_has_changed_is_kept_beside_its_new_text() -> None:
    wish = wanted()
    path = places.unit("apimon-node.service")
    host = done(FRESH, wish)
    host = host._replace(files={**host.files, path: "[Service]\nNice=5\n"})
    steps = [step for step in plan(host, wish) if not step.done]

    assert [step.action for step in steps] == [
        Write(path, SHIPPED.units["apimon-node.service"], path + places.BACKUP),
        Systemctl(("daemon-reload",)),
    ]
    assert "somebody has changed" in steps[0].what


def test_the_group_spi_is_given_only_where_there_is_one() -> None:
    without = FRESH._replace(groups=frozenset(["root"]))

    assert takes_spi(FRESH, frozenset([SPI]))
    assert not [step for step in open_steps(plan(without, wanted())) if "spi.conf" in step]
    assert "there is no group spi" in remarks(without, frozenset([SPI]))[0]


# What is wanted


@pytest.mark.parametrize(
    ("named", "present", "pi", "expected"),
    [
        ("", "", Pi.NONE, "node"),
        ("", "", Pi.ZERO_W, "node spi"),
        ("node", "", Pi.ZERO_W, "node spi"),
        ("spi", "", Pi.NONE, "node spi"),
        ("ws281x", "", Pi.FOUR, "node ws281x"),
        ("poller", "", Pi.FOUR, "poller"),
        ("poller", "node spi", Pi.FOUR, "node poller spi"),
        ("", "poller", Pi.FOUR, "poller"),
        ("poller ws281x", "", Pi.NONE, "node poller ws281x"),
    ],
)
def test_what_is_named_comes_beside_what_is_there(named: str, present: str, pi: Pi, expected: str) -> None:
    assert roles(frozenset(named.split()), frozenset(present.split()), pi) == frozenset(expected.split())


def test_with_takes_words_and_refuses_others() -> None:
    assert commands.chosen("poller, ws281x,") == {POLLER, WS281X}
    assert commands.chosen("") == frozenset()
    with pytest.raises(ValueError, match=r"^expected some of node, poller, spi, ws281x, got 'pooler'$"):
        commands.chosen("pooler")


def test_the_extras_are_those_of_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert extras(frozenset([NODE, SPI])) == ()
    assert extras(frozenset([WS281X, POLLER])) == ("jira", "ws281x")
    assert all(re.search(rf"^{extra} = \[", text, re.MULTILINE) for extra in EXTRAS.values())


@pytest.mark.parametrize(
    ("words", "pi", "driver", "gpio", "socket"),
    [
        ("node", Pi.NONE, "memory", None, None),
        ("node spi", Pi.ZERO_W, "spi", None, None),
        ("node ws281x", Pi.FOUR, "ws281x", 18, places.STRIP_SOCKET),
        ("poller", Pi.FOUR, "terminal", None, None),
    ],
)
def test_the_first_configuration_has_the_driver_of_this_machine(
    words: str, pi: Pi, driver: str, gpio: int | None, socket: str | None
) -> None:
    text = first(SHIPPED.config, frozenset(words.split()), pi, "")
    settings, warnings = schema.parse(text)

    assert warnings == schema.parse(SHIPPED.config)[1]
    assert [(strip.driver, strip.gpio) for strip in settings.strips] == [(driver, gpio)]
    assert settings.ws281x.socket == (socket and Path(socket))
    assert settings.mqtt == schema.parse(SHIPPED.config)[0].mqtt
    changed = zip(SHIPPED.config.splitlines(), text.splitlines(), strict=True)
    assert all(old.find("#") == new.find("#") for old, new in changed if old != new and len(old) < 40)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kitchen", "kitchen"),
        ("Kitchen-2.fritz.box", "kitchen-2"),
        ("Bens Küche", "bens-k-che"),
        ("-x-", "x"),
        ("localhost", ""),
        ("", ""),
    ],
)
def test_a_host_name_becomes_an_id(name: str, expected: str) -> None:
    assert as_id(name) == expected


@pytest.mark.parametrize(("name", "expected"), [("raspberrypi-in-the-kitchen", None), ("localhost", "hallway main")])
@pytest.mark.parametrize("words", ["node poller", "poller"])
def test_two_machines_do_not_have_the_same_ids(words: str, name: str, expected: str | None) -> None:
    settings, _ = schema.parse(first(SHIPPED.config, frozenset(words.split()), Pi.ZERO_W, name))

    assert settings.node is not None
    assert settings.poller is not None
    assert f"{settings.node.id} {settings.poller.id}" == (expected or f"{name} {name}")


def test_the_strip_service_listens_where_the_configuration_says() -> None:
    assert f"ListenStream={places.STRIP_SOCKET}\n" in SHIPPED.units["apimon-strip.socket"]


def test_the_units_run_the_release_that_is_current_with_the_configuration_that_is_installed() -> None:
    starts = {name: re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE) for name, text in SHIPPED.units.items()}

    assert {line.split()[0] for lines in starts.values() for line in lines} == {places.COMMAND_TARGET}
    assert f"--config {places.CONFIG}" in starts["apimon-node.service"][0]
    assert all(our_unit(places.unit(name)) == name for name in [*SHIPPED.units, *SPI_DROP_INS])
    assert SHIPPED.spi


@pytest.mark.parametrize(
    "path",
    [
        "/etc/systemd/system/apimon-upgrade.timer",
        "/etc/systemd/system/apimon-node.service.d/override.conf",
        "/etc/systemd/system/apimon-node.service.before-apimon",
        "/lib/systemd/system/apimon-node.service",
        "/etc/systemd/system/mosquitto.service",
    ],
)
def test_files_of_others_are_no_units_of_ours(path: str) -> None:
    assert our_unit(path) == ""
    assert all(name.endswith(".") for name in OURS)


# What stands in the way


@pytest.mark.parametrize(
    ("host", "text"),
    [
        (FRESH, ""),
        (FRESH._replace(root=False), "this needs root: sudo /home/pi/.venv/bin/apimon-node install"),
        (FRESH._replace(writable=False), "the root file system is read-only: sudo mount -o remount,rw /"),
        (FRESH._replace(systemd=False), "systemd does not run here: start `apimon-node run`"),
        (FRESH._replace(venv=False), "python3-venv is missing: sudo apt-get install python3-venv"),
        (FRESH._replace(free=120), "120 MB are free below /opt, and a new release needs 150: remove something first"),
    ],
)
def test_what_stands_in_the_way_is_said_in_one_line_with_what_to_do(host: Host, text: str) -> None:
    said = obstacle(host, "/home/pi/.venv/bin/apimon-node install", building=True)

    assert said.startswith(text)
    assert bool(said) == bool(text)
    assert "\n" not in said


def test_going_back_needs_no_room_and_no_builder() -> None:
    assert obstacle(FRESH._replace(free=0, venv=False), "x", building=False) == ""


@pytest.mark.parametrize(
    ("host", "words", "text"),
    [
        (FRESH, "node spi", ""),
        (FRESH, "node ws281x", ""),
        (FRESH._replace(piwheels=False), "node ws281x", "sudo apt-get install gcc python3-dev"),
        (FRESH._replace(architecture="aarch64"), "node ws281x", "the driver spi needs nothing"),
        (FRESH._replace(architecture="aarch64", compiler=True), "node ws281x", ""),
        (FRESH._replace(machine=Machine(pi=Pi.FIVE)), "node ws281x", "does not support a Pi 5: use the driver spi"),
        (FRESH._replace(machine=Machine()), "node spi", "this is no Raspberry Pi"),
        (FRESH._replace(machine=Machine()), "poller", ""),
    ],
)
def test_what_a_driver_lacks_is_said_in_one_line(host: Host, words: str, text: str) -> None:
    said = remarks(host, frozenset(words.split()))

    assert len(said) == bool(text)
    assert text in "".join(said)


# Boot settings


def settings(strip: str) -> Settings:
    return schema.parse(f"node: {{id: n}}\nstrips: [{{name: a, boards: [b], {strip}}}]\nlooks: [{{color: red}}]\n")[0]


@pytest.mark.parametrize(
    ("pi", "strip", "lines"),
    [
        (Pi.ZERO, "driver: spi, pixels: 9", ["dtparam=spi=on"]),
        (Pi.ZERO_W, "driver: spi, pixels: 9", ["dtparam=spi=on", "core_freq=250"]),
        (Pi.FOUR, "driver: spi, pixels: 9", ["dtparam=spi=on", "core_freq=500", "core_freq_min=500"]),
        (Pi.FIVE, "driver: spi, pixels: 9", ["dtparam=spi=on"]),
        (Pi.THREE, "driver: ws281x, gpio: 10, pixels: 9", ["dtparam=spi=on", "core_freq=250"]),
        (Pi.THREE, "driver: ws281x, gpio: 18, pixels: 9", ["dtparam=audio=off"]),
        (Pi.THREE, "driver: ws281x, gpio: 21, pixels: 9", []),
        (Pi.THREE, "driver: spi, device: /dev/spidev1.0, pixels: 9", []),
        (Pi.THREE, "driver: memory, pixels: 9", []),
        (Pi.NONE, "driver: spi, pixels: 9", []),
    ],
)
def test_each_model_is_told_at_boot_what_its_strip_needs(pi: Pi, strip: str, lines: list[str]) -> None:
    assert boot.lines(settings(strip), Machine(pi=pi, boot=Boot(CONFIG_TXT))) == lines


def test_a_pi_that_has_all_of_it_is_told_nothing() -> None:
    machine = Machine(pi=Pi.FOUR, boot=Boot(CONFIG_TXT, spi=True, core_freq=500, core_freq_min=500, audio=False))

    assert boot.lines(settings("driver: spi, pixels: 9"), machine) == []
    assert boot.lines(settings("driver: ws281x, gpio: 18, pixels: 9"), machine) == []
    assert {*CLOCKS} >= {Pi.ZERO_W, Pi.THREE, Pi.FOUR}


def test_our_lines_come_last_for_every_model_and_go_without_a_trace() -> None:
    old = FRESH.files[CONFIG_TXT]
    new = boot.config_txt(old, ["dtparam=spi=on"])

    assert new == f"{old}{boot.BEGIN}\n[all]\ndtparam=spi=on\n{boot.END}\n"
    assert boot.config_txt(new, []) == new
    assert boot.config_txt(new, ["core_freq=250"]).splitlines()[-3:] == ["dtparam=spi=on", "core_freq=250", boot.END]
    assert boot.original(new) == old
    assert boot.original(boot.config_txt("gpu_mem=16", ["dtparam=spi=on"])) == "gpu_mem=16\n"
    assert boot.config_txt("", ["a=1"]) == f"{boot.BEGIN}\n[all]\na=1\n{boot.END}\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rootwait quiet\n", "rootwait quiet spidev.bufsiz=65536\n"),
        ("rootwait", "rootwait spidev.bufsiz=65536\n"),
        ("spidev.bufsiz=8192 rootwait\n", "spidev.bufsiz=8192 rootwait spidev.bufsiz=65536\n"),
        ("rootwait spidev.bufsiz=65536\n", "rootwait spidev.bufsiz=65536\n"),
        ("rootwait spidev.bufsiz=131072 x\n", "rootwait spidev.bufsiz=131072 x\n"),
    ],
)
def test_the_kernels_line_stays_one_and_says_it_once(old: str, new: str) -> None:
    assert boot.cmdline_txt(old) == new
    assert boot.cmdline_txt(new) == new


@pytest.mark.parametrize(
    ("strip", "large"),
    [
        ("driver: spi, pixels: 445", False),
        ("driver: spi, pixels: 446", True),
        ("driver: spi, order: GRBW, pixels: 334", True),
        ("driver: ws281x, gpio: 10, pixels: 339", False),
        ("driver: ws281x, gpio: 10, pixels: 340", True),
        ("driver: ws281x, gpio: 18, pixels: 2000, max_milliamps: 0", False),
        ("driver: memory, pixels: 2000", False),
    ],
)
def test_a_long_strip_needs_larger_transfers(strip: str, *, large: bool) -> None:
    assert boot.large(settings(strip), FRESH.machine) == large
    assert not boot.large(settings(strip), Machine())


def test_a_change_of_boot_settings_is_shown_and_keeps_the_file_as_it_was() -> None:
    text = SHIPPED.config.replace("pixels: 40 ", "pixels: 690").replace("driver: terminal", "driver: spi")
    wish = wanted(text=text)
    first, second = (step for step in plan(FRESH, wish) if step.diff)

    assert first.diff.splitlines()[:2] == [f"--- {CONFIG_TXT}", f"+++ {CONFIG_TXT}"]
    assert {"+dtparam=spi=on", "+core_freq=250", "+[all]"} <= {*first.diff.splitlines()}
    assert format_pending(first)[-1] == f"              +{boot.END}"
    assert isinstance(first.action, Write)
    assert first.action.backup == CONFIG_TXT + places.BACKUP
    assert "+rootwait quiet spidev.bufsiz=65536" in second.diff
    again = FRESH._replace(files={**FRESH.files, CONFIG_TXT + places.BACKUP: "the first"})
    kept_first = next(step for step in plan(again, wish) if step.diff)
    assert isinstance(kept_first.action, Write)
    assert kept_first.action.backup == ""  # the backup is that of before us


# The way back


def test_uninstall_takes_back_what_install_made() -> None:
    host = done(FRESH, wanted())
    steps = removal(host, purge=False)

    assert [step.action for step in steps] == [
        Systemctl(("disable", "--now", "apimon-node.service")),
        *(Remove(places.unit(name)) for name in sorted([*SHIPPED.units, *SPI_DROP_INS])),
        Systemctl(("daemon-reload",)),
        Restore(CONFIG_TXT, CONFIG_TXT + places.BACKUP),
        Remove(places.COMMAND),
        Remove(places.HOME),
    ]
    assert kept(host, purge=False) == [
        "/etc/apimon stays, with its secrets: apimon-node uninstall --purge, or sudo rm -r it"
    ]


def test_uninstall_takes_configuration_and_secrets_only_when_asked_to() -> None:
    host = done(FRESH, wanted())

    assert removal(host, purge=True)[-1].action == Remove(places.CONFIG_FOLDER)
    assert kept(host, purge=True) == []


def test_boot_settings_that_somebody_has_changed_since_are_named_and_left() -> None:
    host = done(FRESH, wanted())
    host = host._replace(files={**host.files, CONFIG_TXT: host.files[CONFIG_TXT] + "gpu_mem=16\n"})

    assert not [step for step in removal(host, purge=False) if isinstance(step.action, Restore)]
    assert kept(host, purge=True) == [
        (
            f"{CONFIG_TXT} has been changed since: compare it with {CONFIG_TXT}{places.BACKUP},"
            " and remove the lines of apimon-node"
        )
    ]


def test_the_kernels_line_is_put_back_too() -> None:
    text = SHIPPED.config.replace("pixels: 40 ", "pixels: 690").replace("driver: terminal", "driver: spi")
    host = done(FRESH, wanted(text=text))

    assert Restore(CMDLINE, CMDLINE + places.BACKUP) in [step.action for step in removal(host, purge=False)]


def test_where_nothing_is_installed_nothing_is_removed() -> None:
    assert open_steps(removal(FRESH, purge=True)) == []


def test_a_command_of_that_name_that_is_somebody_elses_stays() -> None:
    host = done(FRESH, wanted())._replace(links={places.COMMAND: "/home/pi/.venv/bin/apimon-node"})

    assert Remove(places.COMMAND) not in [step.action for step in removal(host, purge=False) if not step.done]


# A change of release

RUNNING = FRESH._replace(
    links={places.CURRENT: places.release("1.0-1"), places.PREVIOUS: places.release("0.9-1")},
    states={
        "apimon-node.service": "active",
        "apimon-node@stairs.service": "activating",
        "apimon-poller.service": "inactive",
        "apimon-node@attic.service": "failed",
        "apimon-strip.socket": "active",
        "apimon-strip.service": "active",
    },
    files={places.unit("apimon-node.service"): "one", places.CONFIG: "x", "/etc/apimon/stairs.yaml": "y"},
)


def test_a_release_takes_over_in_an_order_that_always_leaves_one_to_run() -> None:
    steps = switch(RUNNING, Release("2.0-1", {"apimon-node.service": "two"}), "1.0-1", {"apimon-node.service": "one"})

    assert [step.what for step in steps] == [
        "write /etc/systemd/system/apimon-node.service",
        "tell systemd to read its units anew",
        "let /opt/apimon-node/previous lead to 1.0-1",
        "let /opt/apimon-node/current lead to 2.0-1",
        "stop apimon-strip.service",
        "start apimon-strip.socket anew",
        "start apimon-node.service anew",
        "start apimon-node@attic.service, apimon-node@stairs.service anew, which did not run",
        "see that apimon-node.service, apimon-strip.service, apimon-strip.socket run, and stay so",
    ]
    assert all(step.why and step.undo for step in [*steps, *keep(RUNNING, RUNNING.current)])


def test_the_configuration_is_kept_as_the_release_that_runs_takes_it() -> None:
    (step,) = keep(RUNNING, RUNNING.current)

    assert step.action == Copy((places.CONFIG, "/etc/apimon/stairs.yaml"), "/opt/apimon-node/releases/1.0-1/config")
    assert keep(FRESH, "") == []


def test_going_back_to_the_only_release_leaves_no_way_further_back() -> None:
    assert "remove /opt/apimon-node/previous" in open_steps(switch(RUNNING, Release("1.0-1", {})))


def test_a_service_that_tried_in_vain_before_need_not_run_afterwards() -> None:
    stay = switch(RUNNING, Release("2.0-1", {}), "1.0-1")[-1].action

    assert isinstance(stay, Stay)
    assert "apimon-node@stairs.service" not in stay.units
    assert "apimon-node@attic.service" not in stay.units
    assert "apimon-poller.service" not in stay.units


def test_a_unit_that_the_new_release_does_not_have_goes() -> None:
    host = RUNNING._replace(files={places.unit("apimon-poller@.service"): "gone"})

    assert "remove /etc/systemd/system/apimon-poller@.service" in open_steps(switch(host, Release("2.0-1", {})))


def test_whoever_is_interrupted_while_they_go_back_goes_back_when_they_ask_again() -> None:
    host = done(FRESH, wanted())
    host = host._replace(links={**host.links, places.PREVIOUS: places.release("0.0.9-1")})
    steps = [step.action for step in switch(host, Release("0.0.9-1", SHIPPED.units), "0.1.0-1")]

    assert steps[-1] == Link(places.PREVIOUS, places.release("0.1.0-1"))
    assert any(isinstance(step, Stay) for step in steps)


def test_where_nothing_runs_nothing_is_started() -> None:
    host = FRESH._replace(states={"apimon-node.service": "inactive"})

    assert open_steps(switch(host, Release("1.0-1", {}))) == ["let /opt/apimon-node/current lead to 1.0-1"]


def test_a_unit_changed_by_hand_is_told_from_one_of_the_release_before() -> None:
    steps = switch(RUNNING, Release("2.0-1", {"apimon-node.service": "two"}), "1.0-1", {"apimon-node.service": "other"})

    assert "somebody has changed" in steps[0].what


def test_the_configurations_are_those_of_the_units() -> None:
    more = RUNNING._replace(
        files={**RUNNING.files, "/etc/apimon/notes.yaml": "z"}, enabled=frozenset(["apimon-node@x.service"])
    )

    assert configurations(more) == (places.CONFIG, "/etc/apimon/stairs.yaml")


# Sources, and what pip says


def test_a_python_that_is_too_old_is_told_before_anything_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"^apimon-node needs Python 3.11 or newer, and this is 3"):
        runpy.run_module("apimon_node", run_name="__main__")


@pytest.mark.parametrize(
    ("source", "extras", "expected"),
    [
        ("apimon-node", (), "apimon-node"),
        ("apimon_node==1.2", ("jira",), "apimon-node[jira]==1.2"),
        ("apimon-node[demo]>=1", (), "apimon-node>=1"),
        ("file:///home/pi/apimon_node", ("jira", "ws281x"), "apimon-node[jira,ws281x] @ file:///home/pi/apimon_node"),
        ("git+https://x/a.git@v2", (), "apimon-node @ git+https://x/a.git@v2"),
        ("https://github.com/x/apimon_node", (), "apimon-node @ git+https://github.com/x/apimon_node"),
        ("https://x/apimon_node-1.0-py3-none-any.whl", (), "apimon-node @ https://x/apimon_node-1.0-py3-none-any.whl"),
        ("https://x/v1.tar.gz#sha256=0", (), "apimon-node @ https://x/v1.tar.gz#sha256=0"),
    ],
)
def test_a_source_is_what_pip_takes(source: str, extras: tuple[str, ...], expected: str) -> None:
    assert pip.requirement(source, extras) == expected


def test_a_path_is_named_from_wherever_one_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "apimon node").mkdir()

    assert source.named("apimon node") == f"{tmp_path.as_uri()}/apimon%20node"
    assert source.named("git+ssh://x/y") == "git+ssh://x/y"
    assert source.named("apimon-node==2") == "apimon-node==2"
    with pytest.raises(InstallError, match=r"^dist/x.whl does not exist: expected a folder or a wheel of apimon-node"):
        source.named("dist/x.whl")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ('{"url": "file:///home/pi/a", "dir_info": {"editable": true}}', "file:///home/pi/a"),
        ('{"url": "file:///tmp/a-1.whl", "archive_info": {}}', "file:///tmp/a-1.whl"),
        ('{"url": "https://x/a", "vcs_info": {"vcs": "git", "commit_id": "0"}}', "git+https://x/a"),
        (
            '{"url": "https://x/a", "vcs_info": {"vcs": "git", "requested_revision": "v2", "commit_id": "0"}}',
            "git+https://x/a@v2",
        ),
        ('{"url": "https://x/a", "vcs_info": {"vcs": "git"}, "subdirectory": "b"}', "git+https://x/a#subdirectory=b"),
    ],
)
def test_the_source_of_this_program_is_what_pip_has_noted(record: str, expected: str) -> None:
    assert source.from_record(record) == expected


def test_a_source_that_is_gone_is_said_before_pip_is_asked(tmp_path: Path) -> None:
    assert source.existing(tmp_path.as_uri()) == tmp_path.as_uri()
    assert source.existing("git+https://x/y") == "git+https://x/y"
    with pytest.raises(
        InstallError, match=r"^/no such/place, where this program came from, is gone: name another source$"
    ):
        source.existing("file:///no%20such/place")


@pytest.mark.parametrize("url", ["git+https://me:t0ken@x/a", "https://t0ken@x/a.whl"])
def test_an_address_with_a_secret_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(InstallError, match=r"~/\.netrc") as told:
        source.named(url)
    assert "t0ken" not in str(told.value)
    assert source.named("git+ssh://git@x/a") == "git+ssh://git@x/a"


def test_a_release_without_what_it_ships_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"^this release is not whole: .*/share/systemd: No such file or directory$"):
        source.shipped(tmp_path)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        (
            "WARNING: Retrying … NewConnectionError('… Temporary failure in name resolution')\nERROR: No matching …",
            "the package index cannot be reached; is this machine online?",
        ),
        ("ERROR: Package 'apimon-node' requires a different Python: 3.9.2 not in '>=3.11'", "it needs a newer Python"),
        ("ERROR: Cannot find command 'git' - do you have 'git' installed", "git is missing: sudo apt-get install git"),
        ("  fatal error: Python.h: No such file or directory\nERROR: Failed", "sudo apt-get install gcc python3-dev"),
        ("error: command 'gcc' failed: No such file or directory", "sudo apt-get install gcc python3-dev"),
        ("ERROR: file:///x does not appear to be a Python project: neither", "this is no source of apimon-node"),
        ("… SSLError(1, '[SSL] certificate verify failed: certificate is not yet valid')\nERROR: No", "clock right"),
        ("SSL certificate problem: certificate has expired", "clock right"),
        ("noise\nERROR: Something new\nmore noise", "pip says: Something new"),
        ("Segmentation fault", "pip says: Segmentation fault"),
        ("", "pip has failed without a word"),
    ],
)
def test_what_pip_says_becomes_one_line(output: str, text: str) -> None:
    assert text in pip.reason(output)
    assert "\n" not in pip.reason(output)
