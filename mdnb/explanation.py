"""explain: how much each input moves a prediction away from the average one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.features.base import Column, Features, residue_labels
from mdnb.progress import progress_bar
from mdnb.runs import Run
from mdnb.training import torch_threads

if TYPE_CHECKING:
    import mdtraj
    import shap

__all__ = ["METHODS", "Explanation", "explain"]


@dataclass(frozen=True)
class Explanation:
    """Attributions of one output for some samples.

    Attributes
    ----------
    values : (n_samples, window, *shape) array
        How much each input moves the output; without the window axis where the window is one frame.
    base_value : float
        Mean output over the background.
    prediction : (n_samples,) array
        The output: a class's logit, or the predicted number in the label's unit.
    data : array like `values`
        The inputs, in their own units.
    columns : tuple of Column
        What the numbers of a frame mean.
    output : str
        Name of the output.
    frames : (n_samples,) int array
        The last frame of each sample, in the features.
    topology : mdtraj.Topology
        What the columns' atom indices point into.
    method : str
    background : str
        What the background is.
    """

    values: np.ndarray
    base_value: float
    prediction: np.ndarray
    data: np.ndarray
    columns: tuple[Column, ...]
    output: str
    frames: np.ndarray
    topology: mdtraj.Topology = field(repr=False)
    method: str
    background: str

    @property
    def _by_column(self) -> np.ndarray:
        """Attributions summed over the window, (n_samples, n_columns)."""
        return self.values.reshape(len(self.values), -1, len(self.columns)).sum(1)

    def _per_atom(self) -> np.ndarray:
        """Signed attributions of the atoms, (n_samples, n_atoms)."""
        shares = np.zeros((len(self.columns), self.topology.n_atoms))
        for number, column in enumerate(self.columns):
            shares[number, list(column.atom_indices)] = 1 / len(column.atom_indices)
        result: np.ndarray = self._by_column @ shares
        return result

    def additivity_error(self) -> float:
        """Return the largest ``|sum of values - (prediction - base_value)|`` over the range of the predictions.

        The range is that of the explained predictions and the base value together.
        """
        total = self.values.reshape(len(self.values), -1).sum(1)
        everything = np.append(self.prediction, self.base_value)
        spread = max(float(np.ptp(everything)), 1e-12)
        return float(np.abs(total - (self.prediction - self.base_value)).max() / spread)

    def by_feature(self) -> dict[str, float]:
        """Return the mean absolute attribution of each group of columns (sine and cosine together), largest first."""
        groups: dict[str, np.ndarray] = {}
        for number, column in enumerate(self.columns):
            name = column.group or column.name
            groups[name] = groups.get(name, 0) + self._by_column[:, number]
        means = {name: float(np.abs(values).mean()) for name, values in groups.items()}
        return dict(sorted(means.items(), key=lambda item: -item[1]))

    def by_residue(self) -> dict[str, float]:
        """Return the mean absolute attribution of each residue, in the order of the chain.

        What a column of several residues contributes is shared equally by its atoms.
        """
        per_atom = self._per_atom()
        return {
            name: float(np.abs(per_atom[:, [atom.index for atom in residue.atoms]].sum(1)).mean())
            for name, residue in zip(residue_labels(self.topology), self.topology.residues, strict=True)
        }

    def by_atom(self, sample: int | None = None) -> np.ndarray:
        """Return the attribution of each atom, (n_atoms,).

        Parameters
        ----------
        sample : int, optional
            The signed attribution in that sample; the mean absolute one over all samples when left out.
        """
        values = self._per_atom()
        return np.abs(values).mean(0) if sample is None else values[sample]

    def over_time(self) -> np.ndarray:
        """Return the mean absolute attribution of each frame of the window, (window,)."""
        by_frame = self.values.reshape(len(self.values), -1, len(self.columns)).sum(2)
        return np.abs(by_frame).mean(0)

    def to_shap(self) -> shap.Explanation:
        """Return a `shap.Explanation` of all inputs in one row, on which shap's plots work."""
        import shap

        rows = self.values.reshape(len(self.values), -1)
        window = rows.shape[1] // len(self.columns)
        suffix = [""] if window == 1 else [f" t{step - window + 1:+d}" for step in range(window)]
        names = [column.name + text for text in suffix for column in self.columns]
        base = np.full(len(rows), self.base_value)
        return shap.Explanation(rows, base, self.data.reshape(rows.shape), feature_names=names)

    def __repr__(self) -> str:
        top = ", ".join(f"{name} {value:.3g}" for name, value in list(self.by_feature().items())[:4])
        return (
            f"Explanation of {self.output}: {len(self.values)} samples by {self.method}\n"
            f"  background: {self.background}; base value {self.base_value:.4g}\n"
            f"  additivity error {self.additivity_error():.2%} of the range of the predictions\n"
            f"  most important: {top}"
        )


def explain(
    run: Run,
    features: Features,
    *,
    frames: Any = None,
    n: int = 100,
    output: str | int | None = None,
    background: np.ndarray | None = None,
    method: str = "expected-gradients",
    tolerance: float = 0.01,
    seed: int = 0,
) -> Explanation:
    """Attribute a model's output to its inputs.

    Parameters
    ----------
    run : Run
    features : Features
        Those of the training, or others with the same columns.
    frames : sequence of int, optional
        Last frames of the windows to explain. By default `n` windows spread over the test part.
    n : int
        How many, where `frames` is left out; all where there are fewer.
    output : str or int, optional
        A class by name or number, a latent dimension by number. By default the class that is predicted most
        often among the explained samples.
    background : (n_background, window) int array, optional
        Windows of frames that stand for "average". By default 50 drawn from the training part, spread
        evenly over its trajectories.
    method : {"expected-gradients", "permutation"}
    tolerance : float
        Additivity error, as a share of the predictions' range, at which the integration stops.
    seed : int
        Of the draw of the background.

    Returns
    -------
    Explanation

    Raises
    ------
    SpecError
        For an unknown method or output.
    DataError
        For frames that do not end a whole window, or features the model does not know.
    """
    if not isinstance(run, Run):
        raise DataError(f"got {type(run).__name__!r} as a run, expected what mdnb.fit or mdnb.Run.load returns")
    run.check(features)
    if method not in METHODS:
        raise unknown_name("explanation method", method, METHODS)
    all_windows = run.samples(features).frames
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise SpecError(f"n = {n!r}: expected the number of windows to explain, a whole number of at least 1")
    windows = _windows(run, features, all_windows, frames, n)
    behind, description = _background(run, features, all_windows, background, seed)
    number, name = _output(run, features, windows, output)
    x, base = run.inputs(features, windows), run.inputs(features, behind)

    def score(batch: Tensor) -> Tensor:
        out = run.model.score(batch)[:, number]
        if run.task.kind == "real" and run.target is not None:
            out = out * run.target.scale + run.target.mean
        return out

    with torch_threads(run.training.threads):
        with torch.no_grad():
            prediction = torch.cat([score(part) for part in x.split(2048)]).numpy()
            base_value = float(torch.cat([score(part) for part in base.split(2048)]).double().mean())
        values = METHODS[method](score, x, base, prediction, base_value, tolerance)
    if run.window.length == 1:
        values = values[:, 0]
    return Explanation(
        values=values,
        base_value=base_value,
        prediction=prediction,
        data=features.values[windows].reshape(values.shape),
        columns=features.columns,
        output=name,
        frames=windows[:, -1],
        topology=features.topology,
        method=method,
        background=description,
    )


_Method = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor, np.ndarray, float, float], np.ndarray]
METHODS: dict[str, _Method] = {}


def _method(name: str) -> Callable[[_Method], _Method]:
    def add(function: _Method) -> _Method:
        METHODS[name] = function
        return function

    return add


@_method("expected-gradients")
def expected_gradients(
    score: Callable[[Tensor], Tensor],
    x: Tensor,
    background: Tensor,
    prediction: np.ndarray,
    base_value: float,
    tolerance: float,
) -> np.ndarray:
    """Integrate the gradient along straight paths from every background sample, by Gauss-Legendre quadrature.

    The number of nodes is doubled, from 4 to 64, for the samples that miss the tolerance.

    References
    ----------
    Erion et al., Nat. Mach. Intell. 3, 620 (2021), https://doi.org/10.1038/s42256-021-00343-w;
    Sundararajan, Taly, Yan (2017), https://doi.org/10.48550/arXiv.1703.01365
    """
    spread = max(float(np.ptp(np.append(prediction, base_value))), 1e-12)
    values = np.zeros(tuple(x.shape), np.float64)
    todo, n_nodes = np.arange(len(x)), 4
    with progress_bar(total=len(x), description="explain", unit="samples") as bar:
        while len(todo):
            nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
            places = torch.from_numpy(((nodes + 1) / 2).astype(np.float32))
            shares = torch.from_numpy((weights / 2).astype(np.float32))
            for sample in todo:
                values[sample] = _integrate(score, x[sample], background, places, shares)
            error = np.abs(values[todo].reshape(len(todo), -1).sum(1) - (prediction[todo] - base_value)) / spread
            missed = error > tolerance if n_nodes < 64 else np.zeros(len(todo), bool)
            bar.update(len(todo) - int(missed.sum()))
            todo, n_nodes = todo[missed], 2 * n_nodes
    return values.astype(np.float32)


def _integrate(
    score: Callable[[Tensor], Tensor], x: Tensor, background: Tensor, places: Tensor, shares: Tensor
) -> np.ndarray:
    difference = x[None] - background
    path = background[None] + places.reshape(-1, 1, *[1] * x.ndim) * difference[None]
    points = path.flatten(0, 1).requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(points).sum(), points)
    gradient = gradient.reshape(path.shape)
    mean = (gradient * shares.reshape(-1, 1, *[1] * x.ndim)).sum(0)
    result: np.ndarray = (mean * difference).mean(0).double().numpy()
    return result


@_method("permutation")
def permutation(
    score: Callable[[Tensor], Tensor],
    x: Tensor,
    background: Tensor,
    prediction: np.ndarray,
    base_value: float,
    tolerance: float,
) -> np.ndarray:
    """Sample Shapley values with shap's PermutationExplainer: independent of gradients, slow.

    References
    ----------
    Lundberg, Lee (2017), https://doi.org/10.48550/arXiv.1705.07874
    """
    import shap

    shape = x.shape[1:]

    @torch.no_grad()
    def function(rows: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(np.asarray(rows, np.float32)).reshape(-1, *shape)
        return torch.cat([score(part) for part in batch.split(4096)]).numpy()

    masker = shap.maskers.Independent(background.flatten(1).numpy(), max_samples=len(background))
    n_inputs = x.flatten(1).shape[1]
    before = np.random.get_state()  # noqa: NPY002 - shap seeds and draws from the global one
    try:
        explainer = shap.PermutationExplainer(function, masker, seed=0)
        found = explainer(x.flatten(1).numpy(), max_evals=10 * (2 * n_inputs + 1), silent=True)
    finally:
        np.random.set_state(before)  # noqa: NPY002
    return np.asarray(found.values, np.float32).reshape(tuple(x.shape))


def _windows(run: Run, features: Features, all_windows: np.ndarray, frames: Any, n: int) -> np.ndarray:
    if frames is None:
        held_out = run.in_part(features, all_windows, "test")
        chosen = np.flatnonzero(held_out) if held_out.any() else np.arange(len(all_windows))
        return all_windows[chosen[np.linspace(0, len(chosen) - 1, min(n, len(chosen))).astype(int)]]
    asked = np.atleast_1d(np.asarray(frames))
    if not len(asked) or not np.issubdtype(asked.dtype, np.integer):
        raise DataError(f"got frames={frames!r}, expected one or more whole numbers")
    position = {int(row[-1]): number for number, row in enumerate(all_windows)}
    missing = [int(frame) for frame in asked if int(frame) not in position]
    if missing:
        raise DataError(
            f"frame {missing[0]} does not end a whole window of {run.window.length} frames of one trajectory; the "
            f"first that does is {int(all_windows[0, -1])}"
        )
    return all_windows[[position[int(frame)] for frame in asked]]


def _background(
    run: Run, features: Features, all_windows: np.ndarray, given: np.ndarray | None, seed: int
) -> tuple[np.ndarray, str]:
    if given is not None:
        chosen, length = np.asarray(given), run.window.length
        fits = chosen.shape[1:] == (length,) if chosen.ndim == 2 else chosen.ndim == 1 and chosen.size % length == 0
        if not (fits and chosen.size and np.issubdtype(chosen.dtype, np.integer)):
            raise DataError(f"got background={given!r}, expected (n_background, {length}) numbers of frames")
        if chosen.min() < 0 or chosen.max() >= len(features):
            wrong = int(chosen[(chosen < 0) | (chosen >= len(features))][0])
            raise DataError(f"frame {wrong} of the background does not exist; there are 0 to {len(features) - 1}")
        chosen = chosen.reshape(-1, length)
        return chosen, f"{len(chosen)} windows as given"
    inside = run.in_part(features, all_windows, "train")
    pool = all_windows[inside] if inside.any() else all_windows
    numbers = features.trajectory[pool[:, -1]]
    rng = np.random.default_rng(seed)
    drawn: list[np.ndarray] = []
    groups = np.unique(numbers)
    for share, number in zip(np.diff(np.linspace(0, 50, len(groups) + 1).astype(int)), groups, strict=True):
        own = np.flatnonzero(numbers == number)
        drawn.append(rng.choice(own, min(int(share), len(own)), replace=False))
    rows = np.concatenate(drawn)
    where = "training" if inside.any() else "all (the training ones are not among these features)"
    return pool[rows], f"{len(rows)} windows drawn from {len(groups)} {where} trajectories"


def _output(run: Run, features: Features, windows: np.ndarray, asked: str | int | None) -> tuple[int, str]:
    outputs = run.outputs(features, windows)
    n_outputs = outputs.shape[1]
    classes = run.target.classes if run.target else ()
    if isinstance(asked, str):
        if asked not in classes:
            raise unknown_name("class", asked, classes or ["(this model has none; give a number)"])
        number = classes.index(asked)
    elif asked is None:
        number = int(np.bincount(outputs.argmax(1), minlength=n_outputs).argmax()) if classes else 0
    elif 0 <= asked < n_outputs:
        number = int(asked)
    else:
        raise SpecError(f"output = {asked} does not exist; the model has outputs 0 to {n_outputs - 1}")
    if classes:
        return number, f"logit of {classes[number]!r} ({run.target.name if run.target else ''})"
    if run.target:
        return number, f"{run.target.name}{f' ({run.target.unit})' if run.target.unit else ''}"
    return number, f"{run.family} output {number}"
