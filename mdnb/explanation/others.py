"""Explainers of other libraries that look into the network: shap's Gradient and Deep, captum's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mdnb.errors import MissingDependencyError
from mdnb.explanation.problem import Problem
from mdnb.explanation.shapley import own_randomness

__all__ = ["captum_deep", "captum_gradient", "captum_integrated", "shap_deep", "shap_gradient"]


def _even(problem: Problem) -> Tensor:
    """Return a background in which each sample counts the same: the heavier ones several times."""
    times = np.maximum(1, np.round(problem.weights / problem.weights.min()).astype(int))
    return problem.background if times.max() == 1 else problem.background[np.repeat(np.arange(len(times)), times)]


def shap_gradient(problem: Problem) -> np.ndarray:
    """Use shap's GradientExplainer: expected gradients by random points of random paths, 1,000 for each sample.

    References
    ----------
    Erion et al., Nat. Mach. Intell. 3, 620 (2021), https://doi.org/10.1038/s42256-021-00343-w
    """
    import shap

    with own_randomness():
        explainer = shap.GradientExplainer(problem.module, _even(problem))
        return _shaped(problem, explainer.shap_values(problem.x, nsamples=1000, rseed=problem.seed))


def shap_deep(problem: Problem) -> np.ndarray:
    """Use shap's DeepExplainer (DeepLIFT): wrong for recurrent layers, SiLU, LayerNorm and reused activations.

    Its additivity error says so: look at it.

    References
    ----------
    Shrikumar, Greenside, Kundaje (2017), https://doi.org/10.48550/arXiv.1704.02685
    """
    import shap

    explainer = shap.DeepExplainer(problem.module, _even(problem))
    return _shaped(problem, explainer.shap_values(problem.x, check_additivity=False))


def captum_integrated(problem: Problem) -> np.ndarray:
    """Use captum's IntegratedGradients from each background sample, 32 Gauss-Legendre nodes a path.

    References
    ----------
    Sundararajan, Taly, Yan (2017), https://doi.org/10.48550/arXiv.1703.01365
    """
    attribution = _captum("IntegratedGradients")(problem.module)
    values = np.zeros((len(problem.x), problem.n_inputs))
    for weight, behind in zip(problem.weights, problem.background, strict=True):
        found = attribution.attribute(problem.x, behind[None].expand_as(problem.x), target=0, n_steps=32)
        values += weight * found.detach().flatten(1).numpy()
    return values


def captum_deep(problem: Problem) -> np.ndarray:
    """Use captum's DeepLiftShap: wrong wherever an activation is no module of its own, and does not say so.

    Its additivity error does: look at it.

    References
    ----------
    Shrikumar, Greenside, Kundaje (2017), https://doi.org/10.48550/arXiv.1704.02685
    """
    return _shaped(problem, _captum("DeepLiftShap")(problem.module).attribute(problem.x, _even(problem), target=0))


def captum_gradient(problem: Problem) -> np.ndarray:
    """Use captum's GradientShap: expected gradients by 200 random points for each sample.

    References
    ----------
    Erion et al., Nat. Mach. Intell. 3, 620 (2021), https://doi.org/10.1038/s42256-021-00343-w
    """
    with own_randomness(), torch.random.fork_rng(devices=[]):
        np.random.seed(problem.seed)  # noqa: NPY002 - captum draws from the global state, which is put back
        torch.manual_seed(problem.seed)
        attribution = _captum("GradientShap")(problem.module)
        return _shaped(problem, attribution.attribute(problem.x, _even(problem), target=0, n_samples=200))


def _captum(name: str) -> Callable[[Any], Any]:
    try:
        import captum.attr
    except ImportError as error:
        raise MissingDependencyError("captum", f"the explanation method {name}", "explain") from error
    found: Callable[[Any], Any] = getattr(captum.attr, name)
    return found


def _shaped(problem: Problem, found: Any) -> np.ndarray:
    """Return what a library gave, with or without an axis for the output, as (n_samples, n_inputs)."""
    values = found.detach().cpu().numpy() if isinstance(found, Tensor) else np.asarray(found)
    return np.asarray(values, np.float64).reshape(len(problem.x), -1)
