"""Secrets: from a file, a systemd credential, or the environment."""

from pathlib import Path

import pytest

from apimon_node.errors import ConfigError
from apimon_node.process import credentials

NAME = "mqtt-password"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("APIMON_MQTT_PASSWORD", raising=False)


def test_where_nothing_is_set_there_is_no_secret() -> None:
    assert credentials.read(NAME, None) is None


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"hunter2\n\n", "hunter2\n"),
        (b" hunter2 \n", " hunter2 "),
        (b"", ""),
        ("pässwörd\n".encode(), "pässwörd"),
    ],
)
def test_a_newline_at_the_end_of_a_file_does_not_count_and_all_else_does(
    tmp_path: Path, content: bytes, secret: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)

    assert credentials.read(NAME, file) == secret


def test_the_file_comes_first_then_the_credential_then_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APIMON_MQTT_PASSWORD", "from the environment")
    assert credentials.read(NAME, None) == "from the environment"

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credentials.read(NAME, None) == "from the environment"

    (tmp_path / NAME).write_text("from systemd\n")
    assert credentials.read(NAME, None) == "from systemd"

    file = tmp_path / "named"
    file.write_text("from the file\n")
    assert credentials.read(NAME, file) == "from the file"


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_a_credential_with_nothing_in_it_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credentials.read(NAME, None) is None

    monkeypatch.setenv("APIMON_MQTT_PASSWORD", "from the environment")
    assert credentials.read(NAME, None) == "from the environment"


def test_a_new_secret_in_the_file_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    assert credentials.read(NAME, file) == "old"
    file.write_text("new")
    assert credentials.read(NAME, file) == "new"


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file or directory"), (b"SECRET\xff", "no UTF-8")])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it_and_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    monkeypatch.setenv("APIMON_MQTT_PASSWORD", "a fall-back would hide the mistake")
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        credentials.read(NAME, file)

    assert str(caught.value) == f"{file}: cannot read the secret mqtt-password: {reason}"
