"""Secrets: read from a file, a systemd credential or the environment at the moment of use, and kept nowhere."""

import os
import stat
from pathlib import Path

from apimon_node.errors import ConfigError


def read(name: str, file: Path | None) -> str | None:
    """Return the secret `name` (as `mqtt-password`), or None where there is none.

    It is the content of `file` where the configuration names one; else of the systemd credential of that name; else
    of the variable APIMON_<NAME>. A newline at the end does not count, nor does a credential with nothing else: it
    stands for a file that is not there (systemd/README.md). Raises ConfigError where a file can't be read.
    """
    if file is not None:
        return _text(name, file)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory and (Path(directory) / name).exists() and (secret := _text(name, Path(directory) / name)):
        return secret
    return os.environ.get("APIMON_" + name.upper().replace("-", "_"))


def exposed(file: Path) -> str:
    """Return what everybody can do to the file of a secret: read, write or replace it; empty for nothing of these.

    What its group can do is its owner's choice, and so is a folder like /tmp, where only owners replace files.
    """
    try:
        mode, folder = file.stat().st_mode, file.parent.stat().st_mode
    except OSError:
        return ""  # whoever reads it says so
    if not stat.S_ISREG(mode):
        return ""  # such as /dev/null, which stands for no secret
    can = {
        "read": mode & stat.S_IROTH,
        "write": mode & stat.S_IWOTH,
        "replace": folder & stat.S_IWOTH and not folder & stat.S_ISVTX,
    }
    return " and ".join(verb for verb, possible in can.items() if possible)


def _text(name: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(
            f"{file}: cannot read the secret {name}: {getattr(err, 'strerror', None) or 'no UTF-8'}"
        ) from None
