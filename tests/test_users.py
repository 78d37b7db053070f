"""Names of users, from the list and from a systemd that is none."""

import json
import os
import pwd
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apimon_node.strip import users

MADE_UP = 63_533
"""In the range of systemd's dynamic users, which nobody else uses."""

RECORD = {"userName": "apimon-node", "uid": MADE_UP, "gid": MADE_UP}


@contextmanager
def systemd(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> Iterator[list[dict[str, Any]]]:
    """Be systemd's list of users, for one question; give what was asked."""
    path, asked = folder / users.USERS_OF_SYSTEMD.name, []
    monkeypatch.setattr(users, "USERS_OF_SYSTEMD", path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(json.loads(connection.recv(4096).removesuffix(b"\0")))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def test_a_user_of_the_list_goes_by_its_name_and_its_number() -> None:
    assert users.names(os.geteuid()) == {str(os.geteuid()), pwd.getpwuid(os.geteuid()).pw_name}


def test_a_user_that_systemd_has_made_up_goes_by_its_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = json.dumps({"parameters": {"record": RECORD, "incomplete": False}}).encode() + b"\0"
    with systemd(tmp_path, monkeypatch, answer) as asked:
        assert users.names(MADE_UP) == {str(MADE_UP), "apimon-node"}

    assert asked == [
        {
            "method": "io.systemd.UserDatabase.GetUserRecord",
            "parameters": {"uid": MADE_UP, "service": "io.systemd.DynamicUser"},
        }
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        b"rubbish\0",
        b'{"error":"io.systemd.UserDatabase.NoRecordFound","parameters":{}}\0',
        b'{"parameters":{"record":{"userName":"apimon-node","uid":1}}}\0',
        b"x" * 100_000,
    ],
)
def test_where_systemd_knows_no_name_the_number_is_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with systemd(tmp_path, monkeypatch, answer):
        assert users.names(MADE_UP) == {str(MADE_UP)}


def test_without_systemd_the_number_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "USERS_OF_SYSTEMD", tmp_path / "nobody")
    assert users.names(MADE_UP) == {str(MADE_UP)}
