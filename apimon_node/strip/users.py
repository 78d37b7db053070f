"""What a user is called, by the system's list, else by systemd: which makes up users as it starts services.

The C library finds those (DynamicUser=) only where Debian's libnss-systemd is, which a small system may lack. systemd
itself always answers: a varlink call to the socket that it documents (systemd.io/USER_GROUP_API), one JSON object each
way, with a zero byte at its end.
"""

import json
import os
import pwd
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

USERS_OF_SYSTEMD = Path("/run/systemd/userdb/io.systemd.DynamicUser")
PATIENCE = 1.0
"""Seconds that systemd may take for a part of its answer: it looks into a table."""

MAX_ANSWER = 65_536


def names(uid: int) -> set[str]:
    """Return what a user may be called in a list of who is allowed: its number, and its name where it has one."""
    try:
        return {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        return {str(uid), *_made_up(uid)}


def _made_up(uid: int) -> list[str]:
    parameters = {"uid": uid, "service": USERS_OF_SYSTEMD.name}
    answer = _call({"method": "io.systemd.UserDatabase.GetUserRecord", "parameters": parameters})
    record = answer.get("parameters", {}).get("record", {})
    return [record["userName"]] if record.get("uid") == uid else []


def _call(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer, or an empty one where nobody gives any."""
    answer = b""
    with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(os.fspath(USERS_OF_SYSTEMD))
        sock.sendall(json.dumps(request).encode() + b"\0")
        while not answer.endswith(b"\0") and len(answer) < MAX_ANSWER and (chunk := sock.recv(4096)):
            answer += chunk
        made: dict[str, Any] = json.loads(answer.removesuffix(b"\0"))
        return made
    return {}
