"""Origin: which model drew a structure, so that it can be drawn again and traced to its data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import mdnb
from mdnb.generation.asked import known_range
from mdnb.runs import Run
from mdnb.runs.storage import weights_sha256

__all__ = ["Origin"]


@dataclass(frozen=True)
class Origin:
    """The run that drew structures.

    Attributes
    ----------
    run : str
        Name of the folder it was saved to or loaded from last; empty where it never was.
    weights_sha256 : str
        Of the run's ``weights.safetensors``, saved or not.
    mdnb : str
        The version that drew them.
    spec : str
        Its family and the choices it was made with.
    data : tuple of str
        Names of the trajectories in its training part.
    data_sha256 : str
        Of all features that it was given, those of its validation and test part too.
    target : str
        What `requested` is of, with its unit.
    classes : tuple of str
        Names of the classes that are requested by number.
    target_range : tuple of float
        Both ends of the target's range in its training part; empty where it is no number.
    """

    run: str
    weights_sha256: str
    mdnb: str
    spec: str
    data: tuple[str, ...]
    data_sha256: str
    target: str = ""
    classes: tuple[str, ...] = ()
    target_range: tuple[float, ...] = ()

    @classmethod
    def of(cls, run: Run) -> Origin:
        """Return the origin of what a run draws now."""
        target = run.target
        unit = f" ({target.unit})" if target is not None and target.unit else ""
        return cls(
            run=run.folder,
            weights_sha256=weights_sha256(run),
            mdnb=mdnb.__version__,
            spec=repr(run.spec),
            data=tuple(run.split["train"]["names"]),
            data_sha256=run.provenance["data"]["sha256_of_values"],
            target="" if target is None else f"{target.name}{unit}",
            classes=() if target is None else target.classes,
            target_range=() if target is None or target.classes else known_range(run),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return asdict(self)
