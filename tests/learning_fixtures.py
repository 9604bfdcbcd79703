"""Small real data and quickly trained models that the tests of the learning layer share."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

import mdnb
from mdnb import specs
from mdnb.models.base import ModelSpec

FAST = {"batch_size": 64, "learning_rate": 5e-3}
#: Small versions of the families, so that their tests take seconds. A family that is missing here is tested as it is.
SMALL = {
    "CNN": {"channels": 4, "layers": 1, "hidden": 16},
    "MLP": {"hidden": 16},
    "RNN": {"hidden": 12},
    "CNNRNN": {"channels": 4, "convolutions": 1, "hidden": 12},
    "VAE": {"hidden": 32, "latent": 4, "components": 4},
    "GAN": {"hidden": 32, "layers": 2},
}


def families() -> list[str]:
    """Return the model families that mdnb registers, so that a new one is tested without being named here."""
    return sorted(
        name
        for name, value in specs._SPECS.items()
        if issubclass(value, ModelSpec) and "kind" not in vars(value) and value.__module__.startswith("mdnb.models.")
    )


@cache
def trajectories(stride: int = 10) -> mdnb.Trajectories:
    """Return the eight packaged replicas of alanine dipeptide, thinned."""
    folder = Path(str(files("mdnb") / "sources" / "data" / "alanine-dipeptide"))
    return mdnb.load(sorted(folder.glob("*.h5md")), top=folder / "alanine-dipeptide.pdb", stride=stride)


@cache
def features(name: str = "torsions", stride: int = 10) -> mdnb.Features:
    """Return features of `trajectories`."""
    return mdnb.featurize(trajectories(stride), name)


def family_spec(family: str) -> ModelSpec:
    """Return a small model of a family."""
    spec = specs.spec_class(family, kind="model")(**SMALL.get(family, {}))
    assert isinstance(spec, ModelSpec)
    return spec


def family_features(family: str) -> mdnb.Features:
    """Return what the family is trained on in these tests."""
    return features("torsions" if family_spec(family).supervised else "internal-coordinates")


def fit_family(
    family: str, *, seed: int = 0, epochs: int = 5, data: mdnb.Features | None = None, **options
) -> mdnb.Run:
    """Train a small model of a family on real data."""
    spec = family_spec(family)
    training = mdnb.Training(epochs=epochs, seed=seed, **FAST)
    options.setdefault("target", "basin" if spec.supervised else None)
    options.setdefault("window", mdnb.Window(length=4) if family in ("RNN", "CNNRNN") else None)
    return mdnb.fit(data or family_features(family), spec=spec, training=training, **options)


@cache
def trained(family: str) -> mdnb.Run:
    """Return `fit_family` of a family, trained once for all tests; do not change it."""
    return fit_family(family)


def weights(run: mdnb.Run) -> dict[str, np.ndarray]:
    """Return the weights by name."""
    return {name: value.numpy().copy() for name, value in run.model.state_dict().items()}


def same_weights(one: mdnb.Run, other: mdnb.Run) -> bool:
    """Return whether two runs have exactly the same weights."""
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
