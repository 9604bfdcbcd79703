"""Origin: which model drew a structure, so that it can be drawn again and traced to its data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import mdnb
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
        Names of the trajectories it was trained on.
    data_sha256 : str
        Of their features.
    target : str
        What `requested` is of, with its unit.
    classes : tuple of str
        Names of the classes that are requested by number.
    """

    run: str
    weights_sha256: str
    mdnb: str
    spec: str
    data: tuple[str, ...]
    data_sha256: str
    target: str = ""
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run) -> Origin:
        """Return the origin of what a run draws now."""
        data = run.provenance["data"]
        target = run.target
        unit = f" ({target.unit})" if target is not None and target.unit else ""
        return cls(
            run=run.folder,
            weights_sha256=weights_sha256(run),
            mdnb=mdnb.__version__,
            spec=repr(run.spec),
            data=tuple(data["trajectories"]),
            data_sha256=data["sha256_of_values"],
            target="" if target is None else f"{target.name}{unit}",
            classes=() if target is None else target.classes,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return asdict(self)
