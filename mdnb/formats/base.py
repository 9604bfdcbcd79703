"""One trajectory file: what every format offers."""

from __future__ import annotations

import os
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar
from zipfile import BadZipFile

import numpy as np

from mdnb.errors import DataError, MdnbError

if TYPE_CHECKING:
    import mdtraj

__all__ = [
    "ONE_READER",
    "Frames",
    "TrajectoryFile",
    "first_time_step",
    "short_names",
    "time_rounding",
]

#: Held while a file is read whose format's library must not run in two threads.
ONE_READER = Lock()

#: What the readers of other packages raise on a damaged file.
UNREADABLE = (
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    BadZipFile,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Frames:
    """Some frames of one file, in nm, ps, nm/ps and kJ/mol/nm.

    Attributes
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    time : (n_frames,) float64 array
        NaN where the format has no time.
    velocities, forces : (n_frames, n_atoms, 3) float32 array or None
    box : (n_frames, 3, 3) float32 array or None
        Box vectors as rows.
    """

    positions: np.ndarray
    time: np.ndarray
    velocities: np.ndarray | None = None
    forces: np.ndarray | None = None
    box: np.ndarray | None = None


class TrajectoryFile(ABC):
    """An opened trajectory file: its size is known, its frames are read when asked for.

    Opening reads headers only. A file holds no open handle between reads, so thousands can be held.
    """

    path: Path
    n_atoms: int
    n_frames: int
    has_velocities: bool = False
    has_forces: bool = False
    #: Whether its class takes ``units=``, as the format does not say them.
    takes_units: ClassVar[bool] = False
    #: Whether a C library reads it, which a damaged file may crash: it is then tried in another process first.
    foreign: ClassVar[bool] = False
    #: Times in ps, where they are known without reading frames.
    _times: np.ndarray | None = None
    #: The units that were given for it, where the format does not say them.
    units: Any = None
    #: Why the tail of the file cannot be read; empty when all of it can.
    truncated: str = ""
    #: Whether several threads may read at once; false where a library below is not known to allow it.
    concurrent: ClassVar[bool] = False
    #: Whether what is read is known to be finite, so that nobody has to look again.
    finite: bool = False
    #: Which of the trajectories in the file it is, where a file holds several.
    member: str = ""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __getstate__(self) -> dict[str, Any]:
        """Travel to another process, which may work in another folder."""
        return {**vars(self), "path": self.path.absolute()}

    @abstractmethod
    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms (all when None)."""

    @classmethod
    def claims(cls, path: Path) -> bool:
        """Return whether a file is in this layout, of a class that shares its suffix with others."""
        return True

    def members(self) -> Sequence[TrajectoryFile]:
        """Return the trajectories that the file holds."""
        return (self,)

    @property
    def named(self) -> Path:
        """The path with the member in its name, which tells the trajectories of one file apart."""
        return self.path.with_name(f"{self.path.stem}-{self.member}{self.path.suffix}") if self.member else self.path

    def topology(self) -> mdtraj.Topology | None:
        """Return the topology that the file itself holds, or None."""
        return None

    def observables(self) -> dict[str, np.ndarray]:
        """Return what else the file holds per frame, such as ``potential_energy`` in kJ/mol."""
        return {}

    def times(self) -> np.ndarray | None:
        """Return the times of all frames in ps, or None where they are not known without reading the frames."""
        return None

    @property
    def time_step(self) -> float:
        """Time between frames in ps, NaN when unknown or when the frames are not evenly spaced."""
        if self.n_frames < 2:
            return float("nan")
        some, none = (0, 1, self.n_frames - 1), np.empty(0, int)
        if self._times is not None:
            first, second, last = (float(self._times[i]) for i in some)
        else:
            first, second, last = (float(self.read(i, i + 1, 1, none, False, False).time[0]) for i in some)
        mean = (last - first) / (self.n_frames - 1)
        rounding = time_rounding(max(abs(first), abs(last)))
        if not (mean > 0 and abs(second - first - mean) <= 0.05 * mean + 2 * rounding):
            return float("nan")
        known = min(rounding / (self.n_frames - 1), 1e-3 * mean)
        shorter = (float(f"{mean:.{digits}g}") for digits in range(1, 8))
        return next((number for number in shorter if abs(number - mean) <= known), mean)

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Turn what a damaged file leads to into one DataError that says what cannot be read."""
        try:
            yield
        except MdnbError:
            raise
        except UNREADABLE as error:
            raise self.error(f"its {what} cannot be read ({type(error).__name__}: {error}); is it damaged?") from error

    def size(self, shape: Sequence[int]) -> tuple[int, int]:
        """Return the numbers of frames and atoms of positions of that shape; refuse any other."""
        if len(shape) != 3 or shape[2] != 3 or shape[1] < 1:
            raise self.error(f"its positions have the shape {tuple(shape)}, expected (n_frames, n_atoms, 3)")
        return int(shape[0]), int(shape[1])

    def error(self, what: str) -> DataError:
        """Return a DataError that starts with the file's name."""
        return DataError(f"{self.path}: {what}")


class ArrayFile(TrajectoryFile):
    """Base of the formats whose arrays can be sliced: subclasses fill `arrays` in mdnb's units."""

    arrays: ClassVar[tuple[str, ...]] = ("positions", "velocities", "forces")

    @abstractmethod
    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return ``positions``, ``velocities``, ``forces``, ``time`` or ``box`` of those frames, or None."""

    def times(self) -> np.ndarray | None:
        """Return the times of all frames in ps, or None."""
        return self.slice("time", slice(None))

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms."""
        frames = slice(start, stop, stride)
        wanted = {"positions": True, "velocities": velocities, "forces": forces}
        found: dict[str, Any] = {}
        for name, wish in wanted.items():
            values = self.slice(name, frames) if wish else None
            if values is not None and atom_indices is not None:
                values = values[:, atom_indices]
            found[name] = None if values is None else np.ascontiguousarray(values, np.float32)
        time = self.slice("time", frames)
        if time is None:
            time = np.full(len(found["positions"]), np.nan)
        box = self.slice("box", frames)
        return Frames(
            time=np.asarray(time, np.float64), box=None if box is None else np.asarray(box, np.float32), **found
        )


def time_rounding(latest: float) -> float:
    """Return how far the times of a file, up to the latest one in ps, may be off: most formats keep them as float32."""
    return float(np.spacing(np.float32(latest)))


def first_time_step(files: Sequence[TrajectoryFile]) -> float:
    """Return the time between frames that all files agree on (5%), or NaN; files that do not say it are passed over."""
    steps = []
    for file in files:
        with file.reading("first frames"):
            found = file.time_step
        if np.isfinite(found):
            steps.append(found)
    same = bool(steps) and all(abs(step - steps[0]) <= 0.05 * abs(steps[0]) for step in steps)
    return steps[0] if same else float("nan")


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return names as short as they can be while they differ."""
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(Path(path.parent.name, path.stem)) for path in paths]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names)]
    return names
