"""The widgets: thin views over the package, each holding one public `value`. The only place that imports ipywidgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = [
    "ExplanationView",
    "Explorer",
    "FeaturePicker",
    "GenerationView",
    "StructureView",
    "TrajectoryPicker",
    "Tuner",
]

if TYPE_CHECKING:
    from mdnb.views.explanation_view import ExplanationView as ExplanationView
    from mdnb.views.explorer import Explorer as Explorer
    from mdnb.views.feature_picker import FeaturePicker as FeaturePicker
    from mdnb.views.generation_view import GenerationView as GenerationView
    from mdnb.views.structure_view import StructureView as StructureView
    from mdnb.views.trajectory_picker import TrajectoryPicker as TrajectoryPicker
    from mdnb.views.tuner import Tuner as Tuner

_HOME = {
    "ExplanationView": "explanation_view",
    "Explorer": "explorer",
    "FeaturePicker": "feature_picker",
    "GenerationView": "generation_view",
    "StructureView": "structure_view",
    "TrajectoryPicker": "trajectory_picker",
    "Tuner": "tuner",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'mdnb.views' has no attribute {name!r}")
    return getattr(import_module(f"mdnb.views.{_HOME[name]}"), name)
