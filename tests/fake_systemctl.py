"""A systemctl that remembers: what was asked of it, which units run, and how a release fares when it is started.

It knows units by their files below SYSTEMD_ROOT, and keeps its state in SYSTEMD_STATE. `fates` there tells, by version
of the release that is current, what becomes of what is started: it `holds`, `fails` at once, `flaps` (ends and is
started anew, again and again), or `hangs` (systemd does not answer). `refuse` there names verbs that fail.
"""

import fnmatch
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(os.environ["SYSTEMD_ROOT"])
STATE = Path(os.environ["SYSTEMD_STATE"])
UNITS = ROOT / "etc/systemd/system"


def main() -> int:
    verb, *args = sys.argv[1:]
    with (STATE / "history").open("a", encoding="utf-8") as history:
        history.write(f"{' '.join(sys.argv[1:])}\n")
    refused = STATE / "refuse"
    if refused.exists() and verb in refused.read_text(encoding="utf-8").split():
        print(f"Failed to {verb}: Connection timed out", file=sys.stderr)
        return 1
    loaded = read("loaded")
    code = VERBS[verb](args, loaded)
    (STATE / "loaded.json").write_text(json.dumps(loaded), encoding="utf-8")
    return code


def read(name: str) -> dict[str, Any]:
    path = STATE / f"{name}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content


def fate() -> str:
    current = ROOT / "opt/apimon-node/current"
    version = current.readlink().name.partition("-")[0] if current.is_symlink() else ""
    return str(read("fates").get(version, "holds"))


def names(args: list[str]) -> list[str]:
    return [arg for arg in args if not arg.startswith("-")]


def show(args: list[str], loaded: dict[str, Any]) -> int:
    blocks = []
    for pattern in names(args):
        for name in fnmatch.filter(sorted(loaded), pattern) or ([] if "*" in pattern else [pattern]):
            unit = loaded.get(name, {"state": "inactive", "restarts": 0})
            if unit["state"] == "active" and fate() == "flaps" and name.endswith(".service"):
                unit["restarts"] += 1
            there = "loaded" if (UNITS / name).exists() or "@" in name else "not-found"
            stale = "yes" if unit.get("stale") else "no"
            blocks.append(
                f"Id={name}\nLoadState={there}\nActiveState={unit['state']}\n"
                f"NRestarts={unit['restarts']}\nNeedDaemonReload={stale}"
            )
    print("\n\n".join(blocks))
    return 0


def start(args: list[str], loaded: dict[str, Any]) -> int:
    code = 0
    for name in names(args):
        bad = fate() == "fails" and name.endswith(".service")
        if fate() == "hangs":
            time.sleep(60)
        loaded[name] = {"state": "failed" if bad else "active", "restarts": 0}
        code = 1 if bad and "--no-block" not in args else code
        if bad and code:
            print(f"Job for {name} failed because the control process exited with error code.", file=sys.stderr)
    return code


def stop(args: list[str], loaded: dict[str, Any]) -> int:
    for name in names(args):
        loaded[name] = {"state": "inactive", "restarts": 0}
    return 0


def enable(args: list[str], loaded: dict[str, Any]) -> int:
    wants = UNITS / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    for name in names(args):
        link = wants / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"/etc/systemd/system/{name}")
    return start(args, loaded)


def disable(args: list[str], loaded: dict[str, Any]) -> int:
    for name in names(args):
        (UNITS / "multi-user.target.wants" / name).unlink(missing_ok=True)
        loaded.pop(name, None)
    return 0


def reload(_args: list[str], loaded: dict[str, Any]) -> int:
    for unit in loaded.values():
        unit.pop("stale", None)
    return 0


VERBS = {
    "show": show,
    "start": start,
    "restart": start,
    "stop": stop,
    "enable": enable,
    "disable": disable,
    "daemon-reload": reload,
}

if __name__ == "__main__":
    sys.exit(main())
