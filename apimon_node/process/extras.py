"""Libraries that not everybody needs: said in one line where one is missing, before anything is started."""

from importlib.util import find_spec

from apimon_node.errors import InstallError


def need(extra: str, *modules: str) -> None:
    """Raise InstallError, with the command that mends it, unless all `modules` of an `extra` of ours are there."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise InstallError(f"{' and '.join(missing)} not installed: pip install 'apimon-node[{extra}]'")
