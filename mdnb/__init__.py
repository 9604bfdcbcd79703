"""mdnb: deep learning on molecular dynamics trajectories, from the trajectory to an explained result.

The public names below are imported when they are first used, so that ``import mdnb`` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Public name -> the module that defines it.
_PUBLIC = {
    "load": "mdnb.loading",
    "Trajectories": "mdnb.trajectories",
    "example": "mdnb.sources.packaged",
    "simulate": "mdnb.sources.simulate",
    "fetch": "mdnb.sources.fetching",
    "databases": "mdnb.sources.fetching",
    "featurize": "mdnb.features.engine",
    "Features": "mdnb.features.base",
    "join": "mdnb.features.joined",
    "Window": "mdnb.datasets",
    "fit": "mdnb.training",
    "resume": "mdnb.training",
    "cross_validate": "mdnb.training",
    "ensemble": "mdnb.training",
    "Ensemble": "mdnb.training",
    "Training": "mdnb.specs",
    "CNN": "mdnb.models.cnn",
    "MLP": "mdnb.models.mlp",
    "RNN": "mdnb.models.rnn",
    "CNNRNN": "mdnb.models.cnnrnn",
    "VAE": "mdnb.models.vae",
    "GAN": "mdnb.models.gan",
    "Labels": "mdnb.models.objectives",
    "SlowModes": "mdnb.models.objectives",
    "TimeLagged": "mdnb.models.objectives",
    "Forecast": "mdnb.models.objectives",
    "Propagate": "mdnb.models.objectives",
    "Run": "mdnb.runs",
    "baselines": "mdnb.baseline",
    "compare": "mdnb.baseline.paired",
    "linear_modes": "mdnb.baseline",
    "timescales": "mdnb.kinetics",
    "chapman_kolmogorov": "mdnb.kinetics",
    "compare_dynamics": "mdnb.kinetics",
    "lag_scan": "mdnb.kinetics",
    "metastable_states": "mdnb.kinetics",
    "tune": "mdnb.tuning",
    "explain": "mdnb.explanation.explain",
    "faithfulness": "mdnb.explanation.explain",
    "Explanation": "mdnb.explanation.result",
    "export": "mdnb.exports",
    "generate": "mdnb.generation.generate",
    "Generated": "mdnb.generation.generated",
    "energies": "mdnb.generation.energy",
    "Energies": "mdnb.generation.energy",
    "reweight": "mdnb.generation.weights",
    "match_energies": "mdnb.generation.weights",
    "Weights": "mdnb.generation.weights",
    "interpolate": "mdnb.generation.interpolate",
    "around": "mdnb.generation.around",
    "latents": "mdnb.generation.latents",
    "rollout": "mdnb.generation.rollout",
    "Rollout": "mdnb.generation.rolled",
    "control": "mdnb.generation.controlled",
    "asked_range": "mdnb.generation.asked",
    "measured": "mdnb.generation.measure",
    "judge": "mdnb.generation.judge",
    "Judgement": "mdnb.generation.judgement",
    "md_piece": "mdnb.generation.ensemble",
    "pca_mixture": "mdnb.generation.mixture",
    "landscape": "mdnb.landscapes",
    "Landscape": "mdnb.landscapes",
    "report": "mdnb.reports",
    "FeaturePicker": "mdnb.views",
    "ExplanationView": "mdnb.views",
    "GenerationView": "mdnb.views",
    "Explorer": "mdnb.views",
    "StructureView": "mdnb.views",
    "TrajectoryPicker": "mdnb.views",
    "Tuner": "mdnb.views",
}
_MODULES = {"figures", "scores", "targets", "errors", "features", "views"}

__all__ = ["__version__", *sorted(_PUBLIC), *sorted(_MODULES)]

if TYPE_CHECKING:
    from mdnb.baseline import baselines as baselines
    from mdnb.baseline import linear_modes as linear_modes
    from mdnb.baseline.paired import compare as compare
    from mdnb.datasets import Window as Window
    from mdnb.explanation.explain import explain as explain
    from mdnb.explanation.explain import faithfulness as faithfulness
    from mdnb.explanation.result import Explanation as Explanation
    from mdnb.exports import export as export
    from mdnb.features.base import Features as Features
    from mdnb.features.engine import featurize as featurize
    from mdnb.features.joined import join as join
    from mdnb.generation.around import around as around
    from mdnb.generation.asked import asked_range as asked_range
    from mdnb.generation.controlled import control as control
    from mdnb.generation.energy import Energies as Energies
    from mdnb.generation.energy import energies as energies
    from mdnb.generation.ensemble import md_piece as md_piece
    from mdnb.generation.generate import generate as generate
    from mdnb.generation.generated import Generated as Generated
    from mdnb.generation.interpolate import interpolate as interpolate
    from mdnb.generation.judge import judge as judge
    from mdnb.generation.judgement import Judgement as Judgement
    from mdnb.generation.latents import latents as latents
    from mdnb.generation.measure import measured as measured
    from mdnb.generation.mixture import pca_mixture as pca_mixture
    from mdnb.generation.rolled import Rollout as Rollout
    from mdnb.generation.rollout import rollout as rollout
    from mdnb.generation.weights import Weights as Weights
    from mdnb.generation.weights import match_energies as match_energies
    from mdnb.generation.weights import reweight as reweight
    from mdnb.kinetics import chapman_kolmogorov as chapman_kolmogorov
    from mdnb.kinetics import compare_dynamics as compare_dynamics
    from mdnb.kinetics import lag_scan as lag_scan
    from mdnb.kinetics import metastable_states as metastable_states
    from mdnb.kinetics import timescales as timescales
    from mdnb.landscapes import Landscape as Landscape
    from mdnb.landscapes import landscape as landscape
    from mdnb.loading import load as load
    from mdnb.models.cnn import CNN as CNN
    from mdnb.models.cnnrnn import CNNRNN as CNNRNN
    from mdnb.models.gan import GAN as GAN
    from mdnb.models.mlp import MLP as MLP
    from mdnb.models.objectives import Forecast as Forecast
    from mdnb.models.objectives import Labels as Labels
    from mdnb.models.objectives import Propagate as Propagate
    from mdnb.models.objectives import SlowModes as SlowModes
    from mdnb.models.objectives import TimeLagged as TimeLagged
    from mdnb.models.rnn import RNN as RNN
    from mdnb.models.vae import VAE as VAE
    from mdnb.reports import report as report
    from mdnb.runs import Run as Run
    from mdnb.sources.fetching import databases as databases
    from mdnb.sources.fetching import fetch as fetch
    from mdnb.sources.packaged import example as example
    from mdnb.sources.simulate import simulate as simulate
    from mdnb.specs import Training as Training
    from mdnb.training import Ensemble as Ensemble
    from mdnb.training import cross_validate as cross_validate
    from mdnb.training import ensemble as ensemble
    from mdnb.training import fit as fit
    from mdnb.training import resume as resume
    from mdnb.trajectories import Trajectories as Trajectories
    from mdnb.tuning import tune as tune
    from mdnb.views import ExplanationView as ExplanationView
    from mdnb.views import Explorer as Explorer
    from mdnb.views import FeaturePicker as FeaturePicker
    from mdnb.views import GenerationView as GenerationView
    from mdnb.views import StructureView as StructureView
    from mdnb.views import TrajectoryPicker as TrajectoryPicker
    from mdnb.views import Tuner as Tuner


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
    elif name in _MODULES:
        value = import_module(f"mdnb.{name}")
    else:
        raise AttributeError(f"module 'mdnb' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
