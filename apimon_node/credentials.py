"""Secrets: read from a file, a systemd credential or the environment at the moment of use, and kept nowhere."""

import os
from pathlib import Path

from apimon_node.errors import ConfigError


def read(name: str, file: Path | None) -> str | None:
    """Give the secret `name` (as `mqtt-password`), or None where there is none.

    It is the content of `file` where the configuration names one; else of the systemd credential of that name; else
    of the variable APIMON_<NAME>. A newline at the end does not count. Raises ConfigError where a file can't be read.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if file is None and directory and (Path(directory) / name).exists():
        file = Path(directory) / name
    if file is None:
        return os.environ.get("APIMON_" + name.upper().replace("-", "_"))
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(
            f"{file}: cannot read the secret {name}: {getattr(err, 'strerror', None) or 'no UTF-8'}"
        ) from None
