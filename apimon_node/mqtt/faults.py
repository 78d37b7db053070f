"""Faults: what is wrong just now, by name. One record of each feeds MQTT, STATUS= and the log. Pure."""

from collections.abc import Collection, Iterator

from apimon_node.clock import Instant
from apimon_node.contract.faults import Fault
from apimon_node.process.remarks import Remark


class Faults:
    """All faults of a program. `subject` tells faults of one name apart: which board, which strip."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str], Fault] = {}
        self._remarks: list[Remark] = []

    def set(
        self,
        name: str,
        subject: str,
        text: str | None,
        now: Instant,
        *,
        code: int | str | None = None,
        attempts: int = 0,
        retry_at: float | None = None,
    ) -> None:
        """Raise a fault, or clear it where `text` is None. Only what is new makes a line in the log."""
        key = (name, subject)
        old = self._faults.get(key)
        if text is None:
            if self._faults.pop(key, None):
                self._remarks.append(Remark(f"{_label(*key)}: well again", fault=name, subject=subject))
            return
        self._faults[key] = Fault(name, text, old.since if old else now.wall, subject, code, attempts, retry_at)
        if old is None or old.text != text:
            self._remarks.append(Remark(text, bad=True, fault=name, subject=subject))

    def forget(self, name: str, *, keep: Collection[str] = ()) -> None:
        """Drop the faults of a name without a word, but for some subjects: they are about to be looked at anew."""
        self._faults = {
            key: fault for key, fault in self._faults.items() if fault.name != name or fault.subject in keep
        }

    def shift(self, seconds: float) -> None:
        """Put the times of all faults right: the wall clock was set."""
        self._faults = {key: fault.shifted(seconds) for key, fault in self._faults.items()}

    def remark(self, text: str, *, bad: bool = False) -> None:
        """Add a line to the log that is no fault."""
        self._remarks.append(Remark(text, bad))

    def remarks(self) -> list[Remark]:
        """Take the lines that have collected."""
        remarks, self._remarks = self._remarks, []
        return remarks

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults.values()))

    def __contains__(self, name: str) -> bool:
        return any(fault.name == name for fault in self)


def _label(name: str, subject: str) -> str:
    return f"{name} {subject}" if subject else name
