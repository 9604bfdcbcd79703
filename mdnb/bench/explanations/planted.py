"""Planted truth: labels on real trajectories that depend on known torsions, which the methods are to find."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from mdnb.datasets import Window
from mdnb.explanation.explain import explain
from mdnb.explanation.methods import METHODS
from mdnb.features.base import Features
from mdnb.features.engine import featurize
from mdnb.models.cnn import CNN
from mdnb.progress import progress_bar
from mdnb.runs import Run
from mdnb.sources.packaged import example
from mdnb.specs import Training
from mdnb.training import fit

__all__ = ["KINDS", "Case", "Found", "planted_benchmark", "planted_cases", "planted_label", "rank"]

#: Methods that are ranked.
RANKED = ("expected-gradients", "permutation", "shap-gradient", "shap-deep", "captum-deeplift")
KINDS = ("linear", "interaction", "time-delayed")
_DELAY, _LENGTH = 3, 5


@dataclass(frozen=True)
class Case:
    """One label: its kind, the torsions that it is made of, and the model trained on it."""

    kind: str
    torsions: tuple[str, ...]
    run: Run
    features: Features

    @property
    def accuracy(self) -> float:
        """R2 on the test trajectories."""
        return self.run.scores["R2"].value


@dataclass(frozen=True)
class Found:
    """What one method found in one case.

    Attributes
    ----------
    kind : str
    torsions : tuple of str
        The truth.
    method : str
    accuracy : float
        R2 of the model on the test trajectories.
    first : bool
        Whether the true torsions rank before all others.
    margin : float
        The least importance of a true torsion over the largest of another one.
    residues : bool
        Whether the residues of the true torsions rank before all others.
    in_time : bool or None
        Whether the right frame of the window ranks first, where there is one.
    seconds : float
    """

    kind: str
    torsions: tuple[str, ...]
    method: str
    accuracy: float
    first: bool
    margin: float
    residues: bool
    in_time: bool | None
    seconds: float


def planted_label(features: Features, kind: str, torsions: tuple[str, ...]) -> np.ndarray:
    """Return a real label (n_frames,) that depends on the torsions alone.

    ``linear`` is the sum of the standardised sine and cosine of both; ``interaction`` the product of two of those;
    ``time-delayed`` the first torsion three frames before.
    """
    standard = []
    for name in torsions:
        pair = np.stack([features.column(f"{part} {name}").astype(float) for part in ("sin", "cos")])
        both = ((pair - pair.mean(1, keepdims=True)) / pair.std(1, keepdims=True)).sum(0)
        standard.append(np.asarray((both - both.mean()) / both.std()))
    if kind == "linear":
        return np.asarray(standard[0] + standard[1])
    if kind == "interaction":
        return np.asarray(standard[0] * standard[1])
    earlier = np.arange(len(features)) - _DELAY
    same = features.trajectory[np.maximum(earlier, 0)] == features.trajectory
    return np.asarray(standard[0][np.where((earlier >= 0) & same, earlier, np.arange(len(features)))])


def planted_cases(epochs: int = 40) -> list[Case]:
    """Train a model on each planted label of the packaged chignolin trajectories, 44 torsions in 10 residues."""
    features = featurize(example("chignolin"), "torsions")
    pairs: dict[str, list[tuple[str, ...]]] = {
        "linear": [("psi GLU5", "chi1 THR8"), ("phi ASP3", "chi1 TYR10"), ("psi THR6", "chi2 TRP9")],
        "interaction": [("psi GLU5", "chi1 THR8"), ("chi1 TYR2", "psi GLY7"), ("chi1 THR6", "psi ASP3")],
        "time-delayed": [("chi1 THR8",), ("psi GLY7",), ("chi1 ASP3",)],
    }
    cases = []
    for kind, several in pairs.items():
        for torsions in several:
            label = planted_label(features, kind, torsions)
            spec = CNN(channels=8, layers=1, hidden=64, dropout=0.0)
            window = Window(length=_LENGTH if kind == "time-delayed" else 1)
            training = Training(epochs=epochs, patience=epochs, batch_size=64, learning_rate=3e-3, weight_decay=1e-2)
            cases.append(Case(kind, torsions, fit(features, label, spec, training, window=window), features))
    return cases


def rank(case: Case, method: str, n: int = 15) -> Found:
    """Explain a case by one method and hold the result against the truth."""
    by = "feature" if method in ("permutation", "kernel") else "input"
    start = perf_counter()
    n = min(n, 4) if by == "feature" else n  # without gradients a sample takes a second
    explanation = explain(case.run, case.features, n=n, n_background=30, method=method, by=by)
    seconds = perf_counter() - start
    found = explanation.by_feature()
    true = [found[name] for name in case.torsions]
    others = [value for name, value in found.items() if name not in case.torsions]
    residues = {name.split()[-1] for name in case.torsions}
    by_residue: dict[str, float] = {}
    for name, value in found.items():
        by_residue[name.split()[-1]] = max(value, by_residue.get(name.split()[-1], 0.0))
    ranking = sorted(by_residue, key=lambda name: -by_residue[name])
    in_time = None
    if case.kind == "time-delayed" and by == "input":
        in_time = int(explanation.over_time().argmax()) == _LENGTH - 1 - _DELAY
    return Found(
        kind=case.kind,
        torsions=case.torsions,
        method=method,
        accuracy=case.accuracy,
        first=min(true) > max(others),
        margin=min(true) / max(max(others), 1e-12),
        residues=set(ranking[: len(residues)]) == residues,
        in_time=in_time,
        seconds=seconds,
    )


def planted_benchmark(methods: tuple[str, ...] = RANKED) -> list[Found]:
    """Rank the methods on all cases; those of a library that is not installed are left out."""
    from importlib.util import find_spec

    chosen = [one for one in methods if one in METHODS and (find_spec("captum") or not one.startswith("captum"))]
    cases = planted_cases()
    with progress_bar(total=len(cases) * len(chosen), description="planted", unit="explanations") as bar:
        found = []
        for case in cases:
            for method in chosen:
                found.append(rank(case, method))
                bar.update()
    return found
