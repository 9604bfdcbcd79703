"""``mdnb bench slow``: held-out VAMP-2 of slow modes beside linear VAMP and deeptime's VAMPNet, on the same pairs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

import mdnb
from mdnb.baseline.dynamics import fit_linear
from mdnb.errors import DataError, unknown_name
from mdnb.features.base import Column, Features
from mdnb.models.base import ModelSpec
from mdnb.models.layers import mlp
from mdnb.models.mlp import MLP
from mdnb.models.objectives import SlowModes
from mdnb.progress import progress_bar
from mdnb.scores import vamp_scores
from mdnb.specs import Training
from mdnb.training.plan import Plan
from mdnb.training.prepare import prepare
from mdnb.training.threads import torch_threads

__all__ = ["SYSTEMS", "System", "bench_slow", "sqrt_model"]

#: deeptime's own default of VAMPNet.
_PEER_RATE = 5e-4


@dataclass(frozen=True)
class System:
    """What is measured on.

    Attributes
    ----------
    title : str
    features : Features
    lag_time : float
        In ps.
    modes : int
    folds : int
        0 for one split.
    truth : (n_frames,) array or None
        The hidden function that cannot be beaten.
    """

    title: str
    features: Features
    lag_time: float
    modes: int
    folds: int = 0
    truth: np.ndarray | None = None


def sqrt_model(n_trajectories: int = 20, n_frames: int = 5000) -> System:
    """Return deeptime's model of two hidden states behind a curved boundary; its best possible VAMP-2 is 1.81."""
    import mdtraj
    from deeptime.data import sqrt_model as model
    from deeptime.markov.msm import MarkovStateModel

    chain = MarkovStateModel(model.transition_matrix)
    hidden, seen = [], []
    for number in range(n_trajectories):  # deeptime's own function draws the first state from numpy's global numbers
        states = chain.simulate(n_frames, start=number % 2, seed=number)
        values = model.states[states] + np.random.default_rng(number).normal(size=(n_frames, 2)) * np.sqrt(
            np.diag(model.cov)
        )
        values[:, 1] += np.sqrt(np.abs(values[:, 0]))
        hidden.append(states)
        seen.append(values)
    topology = mdtraj.Topology()
    topology.add_atom("C", mdtraj.element.carbon, topology.add_residue("X", topology.add_chain()))
    files = [mdtraj.Trajectory(np.zeros((n_frames, 1, 3), np.float32), topology) for _ in seen]
    features = Features(
        values=np.concatenate(seen).astype(np.float32),
        columns=(Column("x", "", (0,)), Column("y", "", (0,))),
        trajectory=np.repeat(np.arange(n_trajectories), n_frames),
        time=np.tile(np.arange(n_frames, dtype=float), n_trajectories),
        axes=("feature",),
        featurizers=("sqrt_model",),
        source=mdnb.load(files, time_step=1.0),
    )
    return System("deeptime's sqrt_model", features, 1.0, 1, truth=np.concatenate(hidden).astype(float))


def _alanine() -> System:
    features = mdnb.featurize(mdnb.example("alanine-dipeptide"), "torsions")
    return System("packaged alanine dipeptide at 500 K, torsions", features, 2.0, 2)


def _msmb() -> System:
    root = os.environ.get("MDNB_EXTRA_DATA")
    folder = Path(root or "") / "ala2_msmb_data"
    if not root or not folder.is_dir():
        raise DataError(
            "ala2_msmb_data (https://doi.org/10.6084/m9.figshare.1026131) is not here; put its folder where "
            "MDNB_EXTRA_DATA names it, or leave 'msmb' out"
        )
    files = [folder / f"trajectory-{number}.dcd" for number in range(10)]
    features = mdnb.featurize(mdnb.load(files, top=folder / "ala2.pdb", time_step=1.0), "torsions")
    return System("ala2_msmb_data at 300 K, torsions", features, 10.0, 3, folds=5)


#: Name -> how to make it.
SYSTEMS: Mapping[str, Callable[[], System]] = {"sqrt": sqrt_model, "alanine": _alanine, "msmb": _msmb}


def bench_slow(
    systems: Sequence[str | System] = ("sqrt", "alanine", "msmb"), seeds: int = 5, epochs: int = 30, cnn: bool = False
) -> str:
    """Train every contender on the same pairs and return tables of their scores on the same held-out pairs.

    Parameters
    ----------
    systems : sequence of str or System
        Names of `SYSTEMS`.
    seeds : int
        Of weights and order; the split stays the same.
    epochs : int
    cnn : bool
        The default CNN too, which takes several times as long.

    Raises
    ------
    SpecError
        For an unknown system.
    DataError
        When the data of a system are not here, or there is no seed.
    """
    if seeds < 1 or epochs < 1:
        raise DataError(f"got {seeds} seeds and {epochs} epochs: expected at least 1 of each")
    for name in systems:
        if not isinstance(name, System) and name not in SYSTEMS:
            raise unknown_name("system", name, SYSTEMS)
    parts = [
        f"VAMP-2 on held-out trajectories over {seeds} seeds; the same pairs, split, layers (64, 64), batch size and "
        f"{epochs} epochs for all, one thread.\ndeeptime's VAMPNet with its own learning rate ({_PEER_RATE:g}), and "
        "with mdnb's, fed faster than by torch's DataLoader; it has no early stopping and keeps its last weights."
    ]
    with torch_threads(1):
        for one in systems:
            system = one if isinstance(one, System) else SYSTEMS[one]()
            parts += [_table(system, fold, seeds, epochs, cnn) for fold in range(max(1, system.folds))]
    return "\n\n".join(parts)


def _table(system: System, fold: int, seeds: int, epochs: int, cnn: bool) -> str:
    objective = SlowModes(lag_time=system.lag_time, modes=system.modes)
    training = Training(epochs=epochs, split_seed=0, threads=1, folds=system.folds, fold=fold, device="cpu")
    plan = prepare(system.features, None, MLP(), training, None, objective)
    rate = plan.training.learning_rate
    specs: list[ModelSpec] = [MLP(), *([mdnb.CNN()] if cnn else [])]
    contenders: dict[str, Callable[[int], float]] = {
        f"mdnb {type(spec).__name__}": _ours(system, spec, objective, training) for spec in specs
    }
    contenders["deeptime VAMPNet"] = lambda seed: _vampnet(plan, seed, _PEER_RATE)
    contenders[f"deeptime VAMPNet ({rate:g})"] = lambda seed: _vampnet(plan, seed, rate)
    scores: dict[str, list[float]] = {name: [] for name in contenders}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    with progress_bar(total=seeds * len(contenders), description=system.title, unit="fit") as bar:
        for seed in range(seeds):
            for name, run in contenders.items():
                start = perf_counter()
                scores[name].append(run(seed))
                seconds[name].append(perf_counter() - start)
                bar.update()
    lines = [
        f"{system.title}: lag {system.lag_time:g} ps, {system.modes} mode{'s' * (system.modes > 1)}; "
        f"{plan.parts['description']}"
    ]
    lines.append(f"  {'':<24}{'mean':>8}{'least':>8}{'most':>8}{'std':>8}  seconds a fit")
    for name, found in scores.items():
        lines.append(_row(name, found) + f"{np.median(seconds[name]):10.1f}")
    lines.append(_row("linear VAMP", [_linear(plan, system.modes)]))
    if system.truth is not None:
        lines.append(_row("the hidden states", [_hidden(plan, system.truth)]))
    return "\n".join(lines)


def _row(name: str, scores: Sequence[float]) -> str:
    known = np.array([score for score in scores if np.isfinite(score)])
    lost = f"  {len(scores) - len(known)} diverged" if len(known) < len(scores) else ""
    if not len(known):
        return f"  {name:<24}  all diverged"
    spread = f"{known.std(ddof=1):8.4f}" if len(known) > 1 else f"{'':8}"
    return f"  {name:<24}{known.mean():8.4f}{known.min():8.4f}{known.max():8.4f}{spread}{lost}"


def _pairs(plan: Plan, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the scaled frames of the pairs of a part."""
    rows = getattr(plan.split, part)
    assert plan.samples.later is not None
    frames = plan.samples.frames[rows, 0], plan.samples.later[rows, 0]
    x, y = (plan.scaler.transform(plan.values[own]).reshape(len(rows), -1) for own in frames)
    return x, y


def _score(plan: Plan, now: np.ndarray, later: np.ndarray) -> float:
    """Return VAMP-2 of the test pairs; NaN where the outputs are none."""
    if not (np.isfinite(now).all() and np.isfinite(later).all()):
        return float("nan")
    where = plan.samples.trajectory[plan.split.test]
    return vamp_scores(now, later, np.zeros(now.shape[1]), where)["VAMP-2"].value


def _ours(system: System, spec: ModelSpec, objective: SlowModes, training: Training) -> Callable[[int], float]:
    def run(seed: int) -> float:
        trained = mdnb.fit(system.features, spec=spec, training=replace(training, seed=seed), objective=objective)
        return trained.scores["VAMP-2"].value

    return run


def _vampnet(plan: Plan, seed: int, learning_rate: float) -> float:
    """Return the score of deeptime's VAMPNet."""
    from deeptime.decomposition.deep import VAMPNet

    objective = plan.task.objective
    assert isinstance(objective, SlowModes)
    x, y = _pairs(plan, "train")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lobe = mlp([x.shape[1], 64, 64, objective.modes])
        loader = _Loader(torch.from_numpy(x), torch.from_numpy(y), plan.training.batch_size)
        net = VAMPNet(lobe=lobe, learning_rate=learning_rate, device=torch.device("cpu"))
        try:
            model = net.fit(loader, n_epochs=plan.training.epochs).fetch_model()
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # torch does not list it
            return float("nan")
        now, later = (np.asarray(model.transform(one)) for one in _pairs(plan, "test"))
    return _score(plan, now, later)


class _Loader:
    """Batches of pairs in random order, several times as fast as torch's DataLoader, which deeptime's examples use."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, batch_size: int) -> None:
        self._x, self._y, self._size = x, y, batch_size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for rows in torch.randperm(len(self._x)).split(self._size):
            yield self._x[rows], self._y[rows]


def _linear(plan: Plan, modes: int) -> float:
    model = fit_linear("linear VAMP", *_pairs(plan, "train"), modes)
    x, y = _pairs(plan, "test")
    return _score(plan, model.transform(x), model.backward(y, propagate=False))


def _hidden(plan: Plan, truth: np.ndarray) -> float:
    assert plan.samples.later is not None
    rows = plan.split.test
    return _score(plan, truth[plan.samples.frames[rows]], truth[plan.samples.later[rows]])
