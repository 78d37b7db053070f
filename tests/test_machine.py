"""What is seen of a machine: folders that look like a Pi's root, and this machine itself."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apimon_node.machine.checks import AUDIO, I2S, Boot, Device, Machine, Pi
from apimon_node.machine.probe import CONFIGS, look
from apimon_node.strip import spi

BOOKWORM, BULLSEYE = CONFIGS


def write(root: Path, files: dict[str, str]) -> Path:
    """Fill a folder that stands for `/`."""
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def model(text: str) -> dict[str, str]:
    return {"proc/device-tree/model": f"{text}\0"}


@contextmanager
def as_nobody() -> Iterator[None]:
    """Have no rights for a while, where we have all; file modes are nothing to root."""
    root = os.geteuid() == 0
    if root:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
            os.setegid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_an_empty_root_is_no_pi_and_no_error(tmp_path: Path) -> None:
    machine = look(root=tmp_path)

    assert (machine.model, machine.pi, machine.devices, machine.boot) == ("", Pi.NONE, {}, Boot())
    assert (machine.modules, machine.listening) == (frozenset(), frozenset())
    assert machine.bufsiz == Machine().bufsiz == spi.DEFAULT_BUFSIZ
    assert machine.root is (os.geteuid() == 0)
    assert machine.library  # the tests run it


def test_this_machine_can_be_looked_at() -> None:
    assert look().user


@pytest.mark.parametrize(
    ("text", "pi"),
    [
        ("Raspberry Pi Zero Rev 1.3", Pi.ZERO),
        ("Raspberry Pi Zero W Rev 1.1", Pi.ZERO_W),
        ("Raspberry Pi Zero 2 W Rev 1.0", Pi.ZERO_2),
        ("Raspberry Pi Model B Plus Rev 1.2", Pi.ONE),
        ("Raspberry Pi Compute Module Rev 1.0", Pi.ONE),
        ("Raspberry Pi 2 Model B Rev 1.1", Pi.TWO),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", Pi.THREE),
        ("Raspberry Pi Compute Module 3 Plus Rev 1.0", Pi.THREE),
        ("Raspberry Pi 4 Model B Rev 1.4", Pi.FOUR),
        ("Raspberry Pi 400 Rev 1.0", Pi.FOUR),
        ("Raspberry Pi Compute Module 4 Rev 1.0", Pi.FOUR),
        ("Raspberry Pi 5 Model B Rev 1.0", Pi.FIVE),
        ("Raspberry Pi 500 Rev 1.0", Pi.FIVE),
        ("Raspberry Pi Compute Module 5 Rev 1.0", Pi.FIVE),
        ("Raspberry Pi 6 Model B", Pi.UNKNOWN),
        ("Xunlong Orange Pi Zero2", Pi.NONE),
    ],
)
def test_a_pi_is_known_by_its_model(tmp_path: Path, text: str, pi: Pi) -> None:
    machine = look(root=write(tmp_path, model(text)))

    assert (machine.model, machine.pi) == (text, pi)


def test_the_kernel_tells_its_modules_and_the_size_of_a_transfer(tmp_path: Path) -> None:
    modules = f"{AUDIO} 24576 0 - Live 0x0\n{I2S} 1 1 x, Live 0x0\nsnd_pcm 139264 1 {AUDIO}, Live 0x0\n"
    root = write(tmp_path, {"proc/modules": modules, "sys/module/spidev/parameters/bufsiz": "65536\n"})

    assert look(root=root).modules == {AUDIO, I2S}
    assert look(root=root).bufsiz == 65536


@pytest.mark.parametrize(
    ("pi", "text", "boot"),
    [
        ("3", "dtparam=spi=on\ndtparam=audio=off\ncore_freq=250\n", Boot(BOOKWORM, True, False, 250)),  # noqa: FBT003
        ("3", "#dtparam=spi=on\n# core_freq=250\n", Boot(BOOKWORM)),
        ("3", "  dtparam=i2c_arm=on,spi\n", Boot(BOOKWORM, spi=True)),
        ("3", "dtparam=audio=on\ndtparam=audio=no\n", Boot(BOOKWORM, audio=False)),
        ("3", "core_freq=fast\n", Boot(BOOKWORM)),
        ("3", "core_freq=400\n[pi4]\ncore_freq=500\n[all]\ncore_freq_min=7\n", Boot(BOOKWORM, None, None, 400, 7)),
        ("4", "core_freq=400\n[PI4]\ncore_freq=500\ncore_freq_min=500\n", Boot(BOOKWORM, None, None, 500, 500)),
        ("3", "[none]\ncore_freq=250\n", Boot(BOOKWORM)),
        ("3", "[none]\n[0x1234]\ncore_freq=250\n", Boot(BOOKWORM)),
        ("3", "[EDID=VSC-TD2220]\ncore_freq=250\n", Boot(BOOKWORM, core_freq=250)),
        ("Zero 2 W", "[pi0]\ncore_freq=1\n[pi0w]\ncore_freq_min=2\n[pi3]\ncore_freq", Boot(BOOKWORM, None, None, 1, 2)),
    ],
)  # fmt: skip
def test_a_setting_of_config_txt_counts_where_it_applies_or_might(
    tmp_path: Path, pi: str, text: str, boot: Boot
) -> None:
    assert look(root=write(tmp_path, model(f"Raspberry Pi {pi}") | {BOOKWORM: text})).boot == boot


def test_config_txt_may_be_in_its_old_place(tmp_path: Path) -> None:
    assert look(root=write(tmp_path, {BULLSEYE: "core_freq=250"})).boot == Boot(BULLSEYE, core_freq=250)
    assert look(root=write(tmp_path, {BOOKWORM: "core_freq=400"})).boot == Boot(BOOKWORM, core_freq=400)


def test_devices_are_those_that_exist_and_those_that_are_asked_for(open_folder: Path) -> None:
    names = ["/dev/spidev0.0", "/dev/spidev1.0", "/dev/gpiomem", "/run/apimon/strip.sock"]
    root = write(open_folder, dict.fromkeys([*names, "/dev/null", "/run/other"], ""))

    assert list(look(["/run/apimon/strip.sock", "/run/missing", "/dev/null/x"], root).devices) == [
        "/dev/spidev0.0",
        "/dev/spidev1.0",
        "/dev/gpiomem",
        "/run/apimon/strip.sock",
    ]


@pytest.mark.parametrize(
    ("mode", "allowed", "group"), [(0o660, False, True), (0o666, True, True), (0o640, False, False)]
)
def test_a_device_says_whether_we_may_open_it_and_which_group_may(
    open_folder: Path, mode: int, *, allowed: bool, group: bool
) -> None:
    root = write(open_folder, {"/dev/spidev0.0": ""})
    file = root / "dev/spidev0.0"
    if os.geteuid() != 0:
        mode &= ~0o600
    file.chmod(mode)
    with as_nobody():
        device = look(root=root).devices["/dev/spidev0.0"]

    assert device == Device(allowed, file.group() if group else "")


def test_a_file_that_nobody_can_get_at_may_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/mem").symlink_to("mem")

    assert look(root=tmp_path).devices == {"/dev/mem": Device(allowed=False)}


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    monkeypatch.setattr(os, "getegid", lambda: 54322)
    machine = look(root=tmp_path)

    assert machine.user == "54321"
    assert "54322" in machine.groups
    assert not machine.root


@pytest.mark.parametrize(
    ("uid", "dynamic"), [(1000, False), (61183, False), (61184, True), (65519, True), (65534, False)]
)
def test_the_user_of_a_service_is_told_from_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uid: int, *, dynamic: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)

    assert look(root=tmp_path).dynamic is dynamic


def test_a_socket_is_listened_on_or_left_behind(tmp_path: Path) -> None:
    alive, dead = str(tmp_path / "alive"), str(tmp_path / "dead")
    with socket.socket(socket.AF_UNIX) as listener:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(dead)
            gone.listen()
        listener.bind(alive)
        listener.listen()
        machine = look([alive, dead])

    assert machine.listening == {alive}
    assert machine.devices[alive] == Device(allowed=True)
    assert dead in machine.devices
