"""The machine: what a Raspberry Pi tells of itself, from folders that stand for some."""

import os
from pathlib import Path

import pytest

from apimon_node import config
from apimon_node.machine import BOARDS, DEFAULT_BUFSIZ, Machine, boot, look

SPI = """
node: {id: hall}
ws281x: {socket: /run/strip.sock}
strips: [{name: a, driver: spi, pixels: 40, boards: ops, device: /dev/spidev1.0}]
looks: [{color: red}]
"""


def put(root: Path, name: str, text: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def seen(root: Path) -> Machine:
    return look(config.parse(SPI)[0], root)


def test_a_machine_that_tells_nothing_is_no_pi(tmp_path: Path) -> None:
    machine = seen(tmp_path)

    assert (machine.model, machine.board, machine.boot) == ("", "", None)
    assert machine.present == machine.usable == machine.modules == frozenset()
    assert machine.bufsiz == DEFAULT_BUFSIZ
    assert machine.root is (os.geteuid() == 0)


def test_a_pi_zero_w_as_its_files_tell(tmp_path: Path) -> None:
    put(tmp_path, "proc/device-tree/model", "Raspberry Pi Zero W Rev 1.1\0")
    put(tmp_path, "proc/modules", "snd_bcm2835 24576 1 - Live 0x0\nspidev 20480 0 - Live 0x0\n")
    put(tmp_path, "sys/module/spidev/parameters/bufsiz", "65536\n")
    put(tmp_path, "boot/firmware/config.txt", "dtparam=spi=on\ncore_freq=250\n")
    for name in ("dev/mem", "dev/spidev1.0", "run/strip.sock"):
        put(tmp_path, name)

    machine = seen(tmp_path)

    assert (machine.model, machine.board) == ("Raspberry Pi Zero W Rev 1.1", "pi0w")
    assert machine.modules == {"snd_bcm2835", "spidev"}
    assert machine.bufsiz == 65536
    assert machine.boot == {"dtparam=spi": "on", "core_freq": "250"}
    assert machine.present == machine.usable == {"/dev/mem", "/dev/spidev1.0", "/run/strip.sock"}


def test_the_older_place_of_config_txt_counts_where_there_is_no_newer_one(tmp_path: Path) -> None:
    put(tmp_path, "boot/config.txt", "core_freq=250")
    assert seen(tmp_path).boot == {"core_freq": "250"}

    put(tmp_path, "boot/firmware/config.txt", "core_freq=500")
    assert seen(tmp_path).boot == {"core_freq": "500"}


@pytest.mark.parametrize(
    ("model", "board"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", "pi5"),
        ("Raspberry Pi 4 Model B Rev 1.4", "pi4"),
        ("Raspberry Pi 400 Rev 1.0", "pi4"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "pi3"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "pi02"),
        ("Raspberry Pi Zero Rev 1.3", "pi0"),
        ("Raspberry Pi 2 Model B Rev 1.1", "pi2"),
        ("Raspberry Pi Model B Rev 2", "pi1"),
        ("Raspberry Pi 9 Model X", "pi"),
        ("ROCK 5", ""),
    ],
)
def test_boards_are_told_apart_by_the_names_of_their_models(tmp_path: Path, model: str, board: str) -> None:
    put(tmp_path, "proc/device-tree/model", model + "\0")

    assert seen(tmp_path).board == board


def test_no_name_of_a_board_hides_a_longer_one_behind_it() -> None:
    names = [name for name, _ in BOARDS]

    assert [(one, other) for at, one in enumerate(names) for other in names[at + 1 :] if other.startswith(one)] == [
        ("Raspberry Pi 5", "Raspberry Pi 500")  # the same board
    ]


@pytest.mark.parametrize(
    ("text", "board", "settings"),
    [
        ("", "pi4", {}),
        ("# core_freq=1\n core_freq=250\n", "pi4", {"core_freq": "250"}),
        (
            "dtparam=spi\ndtparam=audio=off,i2s=on",
            "pi4",
            {"dtparam=spi": "on", "dtparam=audio": "off", "dtparam=i2s": "on"},
        ),
        ("[pi4]\na=1\n[pi3]\na=2\n[all]\nb=3\n", "pi4", {"a": "1", "b": "3"}),
        ("[pi0]\na=1\n[pi0w]\nb=2\n[pi02]\nc=3", "pi0w", {"a": "1", "b": "2"}),
        ("[none]\na=1\n[gpio4=1]\nb=1\n[HDMI:0]\nc=1", "pi4", {}),
        ("a=1\na=2", "pi4", {"a": "2"}),
        ("no setting at all", "pi4", {}),
    ],
)
def test_settings_of_the_firmware_count_where_they_hold_for_the_board(
    text: str, board: str, settings: dict[str, str]
) -> None:
    assert boot(text, board) == settings


def test_this_machine_can_be_looked_at() -> None:
    machine = look(config.parse(SPI)[0])

    assert machine.library
    assert all(isinstance(group, str) for group in machine.groups)
    assert machine.usable <= machine.present


def test_a_group_without_a_name_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getgroups", lambda: [4_000_000])
    monkeypatch.setattr(os, "getegid", lambda: 4_000_000)

    assert seen(tmp_path).groups == frozenset()
