"""The registry of explanation methods: one name, one function of a problem, one kind of result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mdnb.explanation.others import captum_deep, captum_gradient, captum_integrated, shap_deep, shap_gradient
from mdnb.explanation.problem import Problem
from mdnb.explanation.quadrature import expected_gradients
from mdnb.explanation.shapley import exact, kernel, permutation

__all__ = ["METHODS", "OF_PLAYERS"]

#: Name -> function that returns (n_samples, n_players) for those in `OF_PLAYERS`, else (n_samples, ...inputs).
METHODS: dict[str, Callable[[Problem], np.ndarray]] = {
    "expected-gradients": expected_gradients,
    "exact": exact,
    "permutation": permutation,
    "kernel": kernel,
    "shap-gradient": shap_gradient,
    "shap-deep": shap_deep,
    "captum-integrated-gradients": captum_integrated,
    "captum-deeplift": captum_deep,
    "captum-gradientshap": captum_gradient,
}

#: Methods that see only what coalitions of players are worth; the others attribute to inputs, which are then summed.
OF_PLAYERS = frozenset({"exact", "permutation", "kernel"})
