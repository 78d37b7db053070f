"""Where the program comes from, and what it brings along: read from the files of an installation."""

import json
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from urllib.parse import unquote, urlsplit

from apimon_node.errors import InstallError
from apimon_node.install import pip
from apimon_node.install.host import Shipped

PACKAGE = Path(__file__).parent.parent

SHARE = "apimon_node/share"
"""Where the wheel has what lies outside the package in the repository (pyproject.toml)."""

SUFFIXES = frozenset([".service", ".socket", ".target", ".timer", ".path", ".slice"])


def named(source: str) -> str:
    """Return what somebody has named as pip takes it, wherever they stand. Raises InstallError."""
    if not pip.is_local(source):
        return _without_secret(source)
    path = Path(source).expanduser().absolute()
    if not path.exists():
        raise InstallError(
            f"{source} does not exist: expected a folder or a wheel of apimon-node, a git URL, or apimon-node==VERSION"
        )
    return path.as_uri()


def _without_secret(source: str) -> str:
    """Refuse an address with a name or a password: each user of the machine could read it. Raises InstallError."""
    parts = urlsplit(source)
    if parts.scheme.removeprefix("git+") in ("http", "https") and "@" in parts.netloc:
        raise InstallError(f"{OPEN}: leave it out, and have root's ~/.netrc tell it")
    return source


OPEN = "what stands before the @ of this URL would lie open in /opt and in logs"


def own() -> str:
    """Return where this program itself was installed from (PEP 610)."""
    try:
        text = Distribution.from_name(pip.PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        return PACKAGE.parent.as_uri()  # it runs in its repository
    return from_record(text) if text else pip.PACKAGE


def from_record(text: str) -> str:
    """Read direct_url.json: a folder or a wheel as it is, of a repository the revision that was asked for."""
    record = json.loads(text)
    url: str = record["url"]
    vcs = record.get("vcs_info", {})
    if vcs:
        url = f"{vcs['vcs']}+{url}" + (f"@{vcs['requested_revision']}" if "requested_revision" in vcs else "")
    return url + (f"#subdirectory={record['subdirectory']}" if "subdirectory" in record else "")


def existing(source: str) -> str:
    """Return a source whose files are there. Raises InstallError."""
    parts = urlsplit(source)
    if parts.scheme == "file" and not Path(unquote(parts.path)).exists():
        raise InstallError(f"{unquote(parts.path)}, where this program came from, is gone: name another source")
    return source


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def shipped(packages: Path | None = None) -> Shipped:
    """Read the configuration and the units of a release, by its folder of packages; else our own."""
    share = PACKAGE / "share" if packages is None else packages / SHARE
    if packages is None and not share.is_dir():
        share = PACKAGE.parent  # it runs in its repository
    try:
        units = [path for path in sorted((share / "systemd").iterdir()) if path.suffix in SUFFIXES]
        texts = {path.name: _read(path) for path in units}
        config, spi = (_read(share / name) for name in ("config.yaml", "systemd/spi.conf"))
        return Shipped(config, texts, spi)
    except OSError as err:
        raise InstallError(f"this release is not whole: {err.filename}: {err.strerror}") from None
