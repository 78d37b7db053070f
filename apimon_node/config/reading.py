"""How the nodes of a YAML file become values, and every problem a line with its place. The only user of yaml.

A `Reader` turns a node into a value or a problem; the functions here make readers of readers.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml

from apimon_node.config.scalars import one_of, optional, text
from apimon_node.errors import ApimonError, ConfigError

Node: TypeAlias = yaml.Node
"""A place in a YAML file."""

MISSING: Any = object()
"""What a reader gives where it has reported a problem."""


NULL = "tag:yaml.org,2002:null"
"""What YAML calls an empty value."""


class Problems:
    """Collects what is wrong, and knows the file that is being read."""

    def __init__(self, file: str, folder: Path) -> None:
        self._file = file
        self._lines: list[tuple[int, str]] = []
        self.folder = folder
        self.warnings: list[str] = []

    def add(self, node: Node | None, path: str, text: str) -> Any:
        """Note a problem at a node; return what stands for the missing value."""
        line = node.start_mark.line + 1 if node else 1
        self._lines.append((line, f"{self._file}:{line}: {path}{': ' if path else ''}{text}"))
        return MISSING

    def warn(self, node: Node, path: str, text: str) -> None:
        """Note what works, but should be known."""
        self.warnings.append(f"{self._file}:{node.start_mark.line + 1}: {path}: {text}")

    def check(self) -> None:
        """Raise ConfigError if there is any problem; they come in the order of the file."""
        if self._lines:
            raise ConfigError(*(text for _, text in sorted(self._lines, key=lambda line: line[0])))


class UnreadError(ApimonError):
    """A check asked for a value that has a problem of its own."""


class Values(dict[str, Any]):
    """The values of a mapping, for a check, which ends at UnreadError. A key that does not exist is a bug."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if value is MISSING:
            raise UnreadError(name)
        return value


Reader: TypeAlias = Callable[[Node, str, Problems], Any]
"""From a node and its path (`strips[0].pixels`) to a value. Problems go to the third argument."""


class Key(NamedTuple):
    """A key of a mapping: how its value is read, and its default: without one the setting's own, if it has one."""

    read: Reader
    default: Any = MISSING


def read(text: str, file: str, folder: Path, root: Reader) -> tuple[Any, list[str]]:
    """Read a YAML file with the reader of its root; return the value and the warnings. Raises ConfigError."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else 1
        raise ConfigError(f"{file}:{line}: not YAML: {err.problem or err.context}") from None
    except yaml.YAMLError as err:
        raise ConfigError(f"{file}: not YAML: {str(err).splitlines()[0]}") from None
    except RecursionError:
        raise ConfigError(f"{file}: expected the keys of config.yaml, got a file that is nested too deeply") from None
    problems = Problems(file, folder)
    value = problems.add(None, "", "it is empty") if node is None else root(node, "", problems)
    problems.check()
    return value, problems.warnings


def scalar(convert: Callable[[Any], Any]) -> Reader:
    """Read a single value; `convert` raises ValueError with what it expected."""

    def read(node: Node, path: str, problems: Problems) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            return problems.add(node, path, "expected a single value, got a list or a mapping")
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except ValueError:
            value = node.value  # a date that is none, or a number with too many digits
        except (yaml.YAMLError, LookupError, AttributeError):
            return problems.add(node, path, f"the tag {node.tag} means nothing here")
        try:
            return convert(value)
        except ValueError as err:
            written = "nothing" if value is None else repr(value) if isinstance(value, str) else node.value
            return problems.add(node, path, f"expected {err}, got {written}")

    return read


def mapping(
    make: Callable[..., Any],
    keys: Mapping[str, Key],
    *checks: Callable[[Values, Node, str, Problems], None],
    settings: Any = None,
) -> Reader:
    """Read a mapping with these keys; `make` gets their values by name, `checks` look at them together before.

    `settings` is the NamedTuple whose defaults hold, where `make` is not itself that.
    """
    own = getattr(settings or make, "_field_defaults", {})
    defaults = {name: own.get(name, MISSING) if key.default is MISSING else key.default for name, key in keys.items()}

    def read(node: Node, path: str, problems: Problems) -> Any:
        entries = _entries(node, path, problems)
        if entries is None:
            return problems.add(node, path, f"expected a mapping with {one_of(keys)}")
        values = Values(defaults)
        for name, (at, value) in entries.items():
            if name in keys:
                values[name] = keys[name].read(value, _join(path, name), problems)
            else:
                problems.add(at, _join(path, name), f"unknown key: {_hint(name, keys)}")
        for name, default in defaults.items():
            if name not in entries and default is MISSING:
                problems.add(node, _join(path, name), "is missing")
        for check in checks:
            with suppress(UnreadError):
                check(values, node, path, problems)
        return MISSING if MISSING in values.values() else make(**values)

    return read


def nullable(item: Reader) -> Reader:
    """Read null as None, and all else as before."""
    return lambda node, path, problems: None if node.tag == NULL else item(node, path, problems)


def sequence(item: Reader) -> Reader:
    """Read a list, as a tuple."""

    def read(node: Node, path: str, problems: Problems) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return problems.add(node, path, "expected a list")
        items = tuple(item(child, f"{path}[{index}]", problems) for index, child in enumerate(node.value))
        return MISSING if MISSING in items else items

    return read


def one_or_more(item: Reader) -> Reader:
    """Read a list of different values, or a single value that stands for a list of one."""
    several = sequence(item)

    def read(node: Node, path: str, problems: Problems) -> Any:
        if isinstance(node, yaml.SequenceNode):
            values = several(node, path, problems)
            if not node.value:
                return problems.add(node, path, "expected at least one")
            if values is not MISSING and len(set(values)) != len(values):
                return problems.add(node, path, "expected each once")
            return values
        value = item(node, path, problems)
        return MISSING if value is MISSING else (value,)

    return read


def any_number(item: Reader) -> Reader:
    """Read a list of different values or a single value, or null or an empty list for none."""
    several = one_or_more(item)

    def read(node: Node, path: str, problems: Problems) -> Any:
        none = node.tag == NULL or (isinstance(node, yaml.SequenceNode) and not node.value)
        return () if none else several(node, path, problems)

    return read


def table(item: Reader) -> Reader:
    """Read a mapping whose keys are free, as a dict."""

    def read(node: Node, path: str, problems: Problems) -> Any:
        entries = _entries(node, path, problems)
        if entries is None:
            return problems.add(node, path, "expected a mapping")
        values = {name: item(value, f"{path}.{name}", problems) for name, (_, value) in entries.items()}
        return MISSING if MISSING in values.values() else values

    return read


def _entries(node: Node, path: str, problems: Problems) -> dict[str, tuple[Node, Node]] | None:
    """Return the key and value nodes of a mapping by the key's text; None where it is none."""
    if not isinstance(node, yaml.MappingNode):
        return None
    entries: dict[str, tuple[Node, Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.add(key, path, "expected a word before the colon, got a list or a mapping")
            continue
        name = key.value
        if name in entries:
            problems.add(key, _join(path, name), "comes twice")
        entries[name] = (key, value)
    return entries


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _hint(name: str, known: Mapping[str, Any]) -> str:
    import difflib  # noqa: PLC0415 - for the rare typing error, and not for the life of a node

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"expected {one_of(known)}"


def file(node: Node, path: str, problems: Problems) -> Any:
    """Read the name of a file, relative to the folder of the configuration."""
    name = scalar(optional(text))(node, path, problems)
    return problems.folder / name if isinstance(name, str) else name
