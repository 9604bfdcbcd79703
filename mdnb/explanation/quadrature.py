"""Expected gradients by nested quadrature along the paths, each refined only as far as its own error asks."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from mdnb.explanation.problem import Problem
from mdnb.progress import progress_bar

__all__ = ["clenshaw_curtis", "expected_gradients"]

#: Finest rule: 2**10 + 1 points of a path; only kinks (ReLU, max pooling) and small tolerances need it.
_FINEST = 10
#: Levels that are summed at once; after so many a path starts anew, so that few sums are kept.
_AHEAD = 3
#: Bytes of the sums that are kept while the paths of some samples are integrated.
_MEMORY = 2**25


@cache
def clenshaw_curtis(level: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of the Clenshaw-Curtis rule of ``2**level + 1`` nodes on [0, 1], ends included.

    The nodes of each level are among those of the next.

    References
    ----------
    Clenshaw, Curtis, Numer. Math. 2, 197 (1960), https://doi.org/10.1007/BF01386223;
    Trefethen, SIAM Rev. 50, 67 (2008), https://doi.org/10.1137/060659831
    """
    n = 2**level
    k = np.arange(n + 1)
    nodes = (1 - np.cos(np.pi * k / n)) / 2
    if n == 1:
        return nodes, np.array([0.5, 0.5])
    j = np.arange(1, n // 2 + 1)
    factor = np.where(j == n // 2, 1.0, 2.0) / (4 * j**2 - 1)
    weights = np.where((k == 0) | (k == n), 1.0, 2.0) / n * (1 - np.cos(2 * np.pi * np.outer(k, j) / n) @ factor)
    return nodes, weights / 2


def expected_gradients(problem: Problem) -> np.ndarray:
    """Integrate the gradient along the straight paths from every background sample to every explained one.

    Nested Clenshaw-Curtis rules: the gradients at the two ends of a path are shared by all paths that end
    there, and those at inner points serve the next finer rules too. What the integral of a path must be is known,
    the difference of the outputs at its ends; the paths with the largest errors are refined until the mean over the
    background is met within the tolerance, by the sum of their errors and by their root mean square.

    References
    ----------
    Expected gradients: Erion et al., Nat. Mach. Intell. 3, 620 (2021), https://doi.org/10.1038/s42256-021-00343-w;
    integrated gradients: Sundararajan, Taly, Yan (2017), https://doi.org/10.48550/arXiv.1703.01365
    """
    x, behind = problem.x.flatten(1), problem.background.flatten(1)
    values = np.zeros((len(x), problem.n_inputs), np.float64)
    ends = _gradients(problem, x), _gradients(problem, behind)
    rows = max(1, _MEMORY // (4 * (_AHEAD + 3) * problem.n_inputs * len(behind)))
    with progress_bar(total=len(x), description="explain", unit="samples") as bar:
        for start in range(0, len(x), rows):
            chosen = np.arange(start, min(start + rows, len(x)))
            values[chosen] = _integrate(problem, x, behind, ends, chosen)
            bar.update(len(chosen))
    return values.reshape(tuple(problem.x.shape))


def _integrate(
    problem: Problem, x: Tensor, behind: Tensor, ends: tuple[Tensor, Tensor], chosen: np.ndarray
) -> np.ndarray:
    """Return the attributions of the chosen samples, (n_chosen, n_inputs)."""
    n, n_behind = len(chosen), len(behind)
    own, other = np.repeat(chosen, n_behind), np.tile(np.arange(n_behind), n)  # the paths
    start, difference = behind[other], x[own] - behind[other]
    weights = torch.from_numpy(problem.weights)
    limit = problem.tolerance * problem.spread
    values = np.zeros((n, problem.n_inputs))
    done_error, done_size, done_square = np.zeros((3, n))  # of the paths that are finished, by sample
    sums: Tensor | None = None  # (this level and the next, n_paths, n_inputs): inner nodes, weighted for each level
    for level in range(1, _FINEST + 1):
        sums = _add_nodes(problem, start, difference, level, sums if sums is not None and len(sums) else None)
        end_weight = float(clenshaw_curtis(level)[1][0])
        parts = (ends[0][own] + ends[1][other]).mul_(end_weight).add_(sums[0]).mul_(difference)
        error = parts.sum(1, dtype=torch.float64).numpy() - (problem.prediction[own] - problem.base[other])
        share, place = problem.weights[other], own - chosen[0]
        total = done_error + np.bincount(place, share * error, n)
        square = done_square + np.bincount(place, (share * error) ** 2, n)
        met = (np.abs(total) <= limit) & (np.sqrt(square) <= limit)
        finished = met[place] | _may_rest(place, share * np.abs(error), limit * (1 - 0.2**level) - done_size)
        finished |= level == _FINEST
        at = torch.from_numpy(place[finished])
        weighted = parts[torch.from_numpy(finished)].double() * weights[other[finished]][:, None]
        values += torch.zeros(values.shape, dtype=torch.float64).index_add_(0, at, weighted).numpy()
        done_error += np.bincount(place[finished], (share * error)[finished], n)
        done_size += np.bincount(place[finished], (share * np.abs(error))[finished], n)
        done_square += np.bincount(place[finished], (share * error)[finished] ** 2, n)
        if finished.all():
            break
        own, other, left = own[~finished], other[~finished], torch.from_numpy(~finished)
        start, difference, sums = start[left], difference[left], sums[1:, left]
    return values


def _may_rest(place: np.ndarray, size: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return the paths with the smallest errors of each sample, as many as together stay below what is allowed.

    Parameters
    ----------
    place : (n_paths,) int array
        The sample of each path.
    size : (n_paths,) array
        Of its error.
    allowed : (n_samples,) array
    """
    order = np.lexsort((size, place))
    grouped, running = place[order], np.cumsum(size[order])
    _, first, which = np.unique(grouped, return_index=True, return_inverse=True)
    before = np.concatenate([[0.0], running])[first][which]
    rest = np.empty(len(place), bool)
    rest[order] = running - before <= allowed[grouped]
    return rest


def _add_nodes(problem: Problem, start: Tensor, difference: Tensor, level: int, sums: Tensor | None) -> Tensor:
    """Add the gradients at the nodes that a level has more than the one before, weighted for it and the finer ones."""
    new = np.arange(1, 2**level, 1 if sums is None else 2)
    if sums is None:
        sums = torch.zeros(min(_AHEAD, _FINEST + 1 - level), len(start), problem.n_inputs)
    nodes = torch.from_numpy(clenshaw_curtis(level)[0][new].astype(np.float32))
    weights = [
        torch.from_numpy(clenshaw_curtis(finer)[1][new * 2 ** (finer - level)].astype(np.float32))
        for finer in range(level, level + len(sums))
    ]
    path, node = (one.ravel() for one in np.meshgrid(np.arange(len(start)), np.arange(len(new)), indexing="ij"))
    for first in range(0, len(path), problem.pass_size):
        rows = torch.from_numpy(path[first : first + problem.pass_size])
        at = torch.from_numpy(node[first : first + problem.pass_size])
        gradient = _gradients(problem, torch.addcmul(start[rows], nodes[at, None], difference[rows]))
        for own, weight in zip(sums, weights, strict=True):
            own.index_add_(0, rows, gradient * weight[at, None])
    return sums


def _gradients(problem: Problem, points: Tensor) -> Tensor:
    """Return the gradient of the output at points (n_points, n_inputs), of that shape."""
    found = []
    for part in points.split(problem.pass_size):
        part = part.reshape(-1, *problem.x.shape[1:]).detach().requires_grad_(True)
        # cuDNN has no backward pass of recurrent networks in evaluation mode.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            (gradient,) = torch.autograd.grad(problem.module(part).sum(), part)
        found.append(gradient.flatten(1))
    return torch.cat(found)
