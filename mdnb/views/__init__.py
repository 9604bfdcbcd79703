"""The widgets: thin views over the package, each holding one public `value`. The only place that imports ipywidgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["StructureView", "TrajectoryPicker"]

if TYPE_CHECKING:
    from mdnb.views.structure_view import StructureView as StructureView
    from mdnb.views.trajectory_picker import TrajectoryPicker as TrajectoryPicker

_HOME = {"StructureView": "structure_view", "TrajectoryPicker": "trajectory_picker"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'mdnb.views' has no attribute {name!r}")
    return getattr(import_module(f"mdnb.views.{_HOME[name]}"), name)
