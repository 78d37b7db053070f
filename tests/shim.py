"""A Pi that is none, for processes that preload shim.c: what goes out on its wires, and the faults that it is given."""

import ctypes
import hashlib
import mmap
import os
import shutil
import subprocess
import tempfile
from enum import IntEnum, auto
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
COMPILER = ("gcc", "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")

ZERO_W = 0x9000C1
"""The revision of a Pi Zero W."""

WIRE_BYTES, RAW_BYTES, BLOCKS = 16384, 65536, 4096

Word = ctypes.c_uint32


class Fault(IntEnum):
    """What can go wrong, by the names of shim.c."""

    NO_VCIO = 0
    ALLOC = auto()
    LOCK = auto()
    MAP_BUFFER = auto()
    MAP_REGISTERS = auto()
    WRONG_BOARD = auto()
    DMA_ERROR = auto()
    DMA_STUCK = auto()
    CLOCK_STUCK = auto()
    SPI_OPEN = auto()
    SPI_IOCTL = auto()
    SPI_TRANSFER = auto()
    SEGV_OPEN = auto()
    SEGV_RENDER = auto()
    EMFILE = auto()
    ENOMEM = auto()
    EACCES = auto()


class _Fault(ctypes.Structure):
    _fields_ = (("times", ctypes.c_int32), ("after", ctypes.c_int32))


class _Line(ctypes.Structure):
    _fields_ = (("frames", Word), ("pins", Word), ("length", Word), ("wire", ctypes.c_uint8 * WIRE_BYTES))


class _State(ctypes.Structure):
    _fields_ = (
        *((name, Word) for name in ("revision", "bufsiz", "gpu_limit")),
        ("faults", _Fault * len(Fault)),
        *((name, Word) for name in ("opens", "renders", "gpu_blocks", "gpu_bytes", "bad_bits", "hertz", "raw_length")),
        ("lines", _Line * 2),
        ("raw", ctypes.c_uint8 * RAW_BYTES),
        ("blocks", Word * BLOCKS),
    )


class FakePi:
    """A Pi, for all processes that have its `environment`. It outlives them, as the memory of its GPU does."""

    def __init__(self, folder: Path, revision: int = ZERO_W) -> None:
        path = folder / "fakepi.state"
        path.write_bytes(bytes(ctypes.sizeof(_State)))
        with path.open("r+b") as file:
            self._state = _State.from_buffer(mmap.mmap(file.fileno(), 0))
        self._state.revision = revision
        self._state.bufsiz = 4096
        self._state.gpu_limit = 16 * 2**20
        self.environment = {"LD_PRELOAD": str(library()), "FAKEPI_STATE": str(path)}

    def fault(self, fault: Fault, times: int = -1, after: int = 0) -> None:
        """Let it strike so many times, -1 for ever, after so many occasions that pass."""
        self._state.faults[fault].after = after
        self._state.faults[fault].times = times

    def heal(self) -> None:
        """End all faults."""
        for fault in Fault:
            self.fault(fault, 0)

    def wire(self, line: int = 0) -> bytes:
        """Give the last frame that went out on a line, as the strip reads it."""
        return bytes(self._state.lines[line].wire[: self._state.lines[line].length])

    def pins(self, line: int = 0) -> set[int]:
        """Give the pins that were switched to a line at its last frame (BCM numbers)."""
        return {pin for pin in range(32) if self._state.lines[line].pins >> pin & 1}

    def frames(self, line: int = 0) -> int:
        """Count the frames that went out on a line."""
        return int(self._state.lines[line].frames)

    @property
    def raw(self) -> bytes:
        """The last transfer of SPI."""
        return bytes(self._state.raw[: self._state.raw_length])

    @property
    def opens(self) -> int:
        """How often a clock was started, or a spidev opened."""
        return int(self._state.opens)

    @property
    def renders(self) -> int:
        """How often sending was begun."""
        return int(self._state.renders)

    @property
    def gpu_blocks(self) -> int:
        """Blocks of the GPU's memory that nobody has given back."""
        return int(self._state.gpu_blocks)

    @property
    def gpu_bytes(self) -> int:
        """Their size."""
        return int(self._state.gpu_bytes)

    @property
    def bad_bits(self) -> int:
        """How often something on a wire was no bit of a strip."""
        return int(self._state.bad_bits)

    @property
    def hertz(self) -> int:
        """The clock of SPI."""
        return int(self._state.hertz)

    def set_bufsiz(self, size: int) -> None:
        """Set the bytes that its spidev takes at once."""
        self._state.bufsiz = size

    def set_gpu_limit(self, size: int) -> None:
        """Set the bytes that its GPU has for others."""
        self._state.gpu_limit = size


def library(source: Path = SOURCE) -> Path:
    """Build a library, once for each version of its source; tests that run in parallel may meet here."""
    compiler = shutil.which(COMPILER[0])
    assert compiler, "gcc is missing: make test installs it"
    name = hashlib.sha256(source.read_bytes() + " ".join(COMPILER).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"apimon-shim-{os.getuid()}"
    folder.mkdir(mode=0o755, exist_ok=True)
    built = folder / f"{name}.so"
    if not built.exists():
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".so", delete=False) as file:
            draft = Path(file.name)
        subprocess.run([compiler, *COMPILER[1:], "-o", str(draft), str(source), "-ldl"], check=True)
        draft.chmod(0o755)
        draft.replace(built)
    return built
