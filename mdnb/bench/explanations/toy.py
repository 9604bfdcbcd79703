"""The toy benchmark of Fleetwood et al.: 40 atoms, three states, four atoms that move in each, which are to be found.

Written anew after the paper and the settings and scores of its published program (delemottelab/demystifying), none
of whose code is used: 480 frames of each state, shifts of 0.1, noise of 0.01 in a box of side 2. The published
figures are those of the paper, not measured here.

References
----------
Fleetwood, Kasimova, Westerlund, Delemotte, Biophys. J. 118, 765 (2020), https://doi.org/10.1016/j.bpj.2019.12.016
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.bench.explanations.networks import problem_of
from mdnb.explanation.methods import METHODS
from mdnb.explanation.summary import culprits, sure_part
from mdnb.models.layers import mlp
from mdnb.progress import progress_bar

__all__ = ["PUBLISHED", "ToyCell", "importance_scores", "toy_benchmark", "toy_frames"]

#: Inputs -> the best score of any method in the paper at finding all atoms, and at ignoring the irrelevant ones.
PUBLISHED = {"inverse distances": (0.94, 0.87), "rotated Cartesian": (0.62, 0.83)}

_N_ATOMS, _N_STATES, _N_MOVED, _N_FRAMES = 40, 3, 4, 480
_SHIFT, _NOISE = 0.1, 0.01


@dataclass(frozen=True)
class ToyCell:
    """One kind of motion and of inputs: mean scores over several made systems."""

    motion: str
    inputs: str
    finding: float
    ignoring: float
    equal: tuple[float, float]
    accuracy: float


def toy_frames(motion: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions (n_frames, 40, 3), states (n_frames,) and the atoms that move, (3, 4).

    In each state four atoms of its own move: all by one vector (``linear``), or the first by a vector of the
    state and each further one on circles around the one before (``non-linear``).
    """
    rng = np.random.default_rng(seed)
    moved = rng.permutation(_N_ATOMS)[: _N_STATES * _N_MOVED].reshape(_N_STATES, _N_MOVED)
    start = rng.uniform(-1, 1, (_N_ATOMS, 3))
    frames = []
    for state, atoms in enumerate(moved):
        shape = start.copy()
        for number, atom in enumerate(atoms):
            if motion == "linear":
                shape[atom] += _SHIFT
            elif number == 0:
                shape[atom] += [state * _SHIFT, 0, _SHIFT - state * _SHIFT]
            else:
                for plane, sign in (([0, 1], (-1) ** number), ([1, 2], (-1) ** state)):
                    arm = shape[atom, plane] - shape[atoms[number - 1], plane]
                    angle = sign * _SHIFT / np.linalg.norm(arm)
                    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
                    shape[atom, plane] = shape[atoms[number - 1], plane] + turn @ arm
        frames.append(shape + rng.uniform(-_NOISE, _NOISE, (_N_FRAMES, _N_ATOMS, 3)))
    return np.concatenate(frames), np.repeat(np.arange(_N_STATES), _N_FRAMES), moved


def importance_scores(importance: np.ndarray, relevant: np.ndarray) -> tuple[float, float]:
    """Return how well all relevant atoms are found and how well the irrelevant ones are ignored; 1 is best.

    With importances stretched to 0 to 1: 1 less the squared error to the truth (1 for the relevant atoms) over
    the sum of both squares, and the share of all importance that the relevant atoms have.
    """
    scaled = (importance - importance.min()) / max(float(np.ptp(importance)), 1e-9)
    truth = np.zeros(len(scaled))
    truth[relevant] = 1
    finding = 1 - np.square(scaled - truth).sum() / (np.square(truth).sum() + np.square(scaled).sum())
    return float(finding), float(scaled[relevant].sum() / max(float(scaled.sum()), 1e-9))


def toy_benchmark(n_systems: int = 10) -> list[ToyCell]:
    """Measure all cells: finding and ignoring with mdnb's culprits, and with equal shares beside them."""
    cells = []
    inputs: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
        "inverse distances": _inverse_distances,
        "rotated Cartesian": _superposed,
    }
    with progress_bar(total=4 * n_systems, description="toy", unit="systems") as bar:
        for motion in ("linear", "non-linear"):
            for name, make in inputs.items():
                rows = []
                for seed in range(n_systems):
                    positions, states, moved = toy_frames(motion, seed)
                    values, needs = make(_rotated(positions, np.random.default_rng(seed)))
                    sure, plain, accuracy = _importance(values, needs, states, seed)
                    relevant = moved.ravel()
                    rows.append((*importance_scores(sure, relevant), *importance_scores(plain, relevant), accuracy))
                    bar.update()
                finding, ignoring, equal, other, accuracy = np.mean(rows, 0).tolist()
                cells.append(ToyCell(motion, name, finding, ignoring, (equal, other), accuracy))
    return cells


def _rotated(positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return every frame in an orientation of its own."""
    from scipy.spatial.transform import Rotation

    turns = Rotation.random(len(positions), random_state=rng).as_matrix()
    return np.asarray(np.einsum("fij,faj->fai", turns, positions))


def _inverse_distances(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.triu_indices(_N_ATOMS, 1)
    needs = np.eye(_N_ATOMS, dtype=bool)
    values = 1 / np.linalg.norm(positions[:, first] - positions[:, second], axis=-1)
    return (values - values.mean(0)) / values.std(0), needs[first] | needs[second]


def _superposed(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions superposed on the first frame, with one scale, as mdnb's feature does it."""
    centred = positions - positions.mean(1, keepdims=True)
    left, _, right = np.linalg.svd(np.einsum("fai,aj->fij", centred, centred[0]))
    right[:, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    values = np.einsum("fai,fij->faj", centred, left @ right).reshape(len(positions), -1)
    values = values - values.mean(0)
    return values / np.sqrt(values.var(0).mean()), np.repeat(np.eye(_N_ATOMS, dtype=bool), 3, 0)


def _importance(
    values: np.ndarray, needs: np.ndarray, states: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Train a network on the states, explain each state in its own frames, and return importances of the atoms.

    Returns
    -------
    tuple
        By culprits of what is beyond doubt, the largest over the states; by equal shares of the mean absolute
        attributions, the mean over the states; and the accuracy of the network on the other half of the frames.
    """
    torch.manual_seed(seed)
    x = torch.from_numpy(values.astype(np.float32))
    y = torch.from_numpy(states)
    train = torch.arange(len(x)) % 2 == 0
    network = mlp([x.shape[1], 64, _N_STATES])
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    rows = torch.nonzero(train)[:, 0]
    for _ in range(20):
        for batch in rows[torch.randperm(len(rows))].split(64):
            loss = nn.functional.cross_entropy(network(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        accuracy = float((network(x[~train]).argmax(1) == y[~train]).float().mean())
    background = x[rows[torch.randperm(len(rows))[:50]]][:, None]
    sure, plain = [], []
    for state in range(_N_STATES):
        own = x[(~train) & (y == state)][:, None]

        def logit(model: nn.Module, batch: Tensor, state: int = state) -> Tensor:
            out: Tensor = model(batch.flatten(1))
            return out[:, state]

        problem = replace(problem_of(network, own, background, head=logit), tolerance=0.01)
        found = METHODS["expected-gradients"](problem).reshape(len(own), -1)
        beyond_doubt = culprits(needs, sure_part(found, np.zeros(len(own), int)))
        sure.append(beyond_doubt / max(beyond_doubt.max(), 1e-12))
        shares = needs / needs.sum(1, keepdims=True)
        plain.append(np.abs(found).mean(0) @ shares)
    return np.max(sure, 0), np.mean([one / one.sum() for one in plain], 0), accuracy
