"""The widgets: thin views over the package, each holding one public `value`. The only place that imports ipywidgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["FeaturePicker", "StructureView", "TrajectoryPicker", "Tuner"]

if TYPE_CHECKING:
    from mdnb.views.feature_picker import FeaturePicker as FeaturePicker
    from mdnb.views.structure_view import StructureView as StructureView
    from mdnb.views.trajectory_picker import TrajectoryPicker as TrajectoryPicker
    from mdnb.views.tuner import Tuner as Tuner

_HOME = {
    "FeaturePicker": "feature_picker",
    "StructureView": "structure_view",
    "TrajectoryPicker": "trajectory_picker",
    "Tuner": "tuner",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'mdnb.views' has no attribute {name!r}")
    return getattr(import_module(f"mdnb.views.{_HOME[name]}"), name)
