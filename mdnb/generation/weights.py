"""Weights that bring structures from the distribution they were drawn from to another one, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdnb.errors import DataError, SpecError
from mdnb.generation.energy import Energies
from mdnb.sources.recipes import BOLTZMANN

__all__ = ["Weights", "match_energies", "reweight"]


@dataclass(frozen=True)
class Weights:
    """A weight for each structure, and how many independent structures they are worth.

    Attributes
    ----------
    weights : (n_structures,) array
        At least 0; they add up to 1.
    ess : float
        Kish's effective sample size, ``1 / sum(weights**2)``: between 1 and n.
    towards : str
        The distribution that the weighted structures stand for.
    notes : tuple of str
        What a reader has to know, such as that a few structures carry all of the weight.

    References
    ----------
    Kish, Survey Sampling, Wiley (1965); Kong, Liu, Wong, J. Am. Stat. Assoc. 89, 278 (1994),
    https://doi.org/10.1080/01621459.1994.10476469.
    """

    weights: np.ndarray
    ess: float
    towards: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.weights)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted mean over the structures of (n_structures, ...) values."""
        values = np.asarray(values, float)
        if values.ndim < 1 or len(values) != len(self):
            raise DataError(f"the values have the shape {values.shape}, there are weights of {len(self)} structures")
        used = self.weights > 0
        return np.asarray(np.tensordot(self.weights[used], values[used], 1))

    def resample(self, n: int | None = None, *, seed: int = 0) -> np.ndarray:
        """Return the numbers of n structures, each drawn as often as its weight says (again and again, if so).

        One random number places n evenly spaced ticks on the sum of the weights (systematic resampling), so that
        no structure comes less or more often than n times its weight by 1 or more.
        """
        n = len(self) if n is None else n
        ticks = (np.arange(n) + np.random.default_rng(seed).random()) / n
        rows = np.searchsorted(np.cumsum(self.weights), ticks, side="right")
        return np.minimum(rows, np.flatnonzero(self.weights)[-1])

    def accept(self, *, seed: int = 0) -> np.ndarray:
        """Return which structures rejection sampling keeps, (n_structures,): each with weight / largest weight."""
        return np.random.default_rng(seed).random(len(self)) < self.weights / self.weights.max()

    def __repr__(self) -> str:
        head = f"Weights of {len(self)} structures towards {self.towards}"
        size = f"  effective sample size (Kish) {self.ess:.1f} of {len(self)} ({self.ess / len(self):.1%})"
        return "\n".join([head, size, *(f"  note: {note}" for note in self.notes)])


def reweight(energies: Energies | Any, temperature: float, log_q: Any, *, clip: float | None = None) -> Weights:
    """Return importance weights from the density that structures were drawn with to Boltzmann's.

    The weight of a structure is ``exp(-E / kT) / q``. That is exact for structures as they were drawn, with the
    density that drew them. Energies after a minimization are of other structures than were drawn, and no weight
    makes them a Boltzmann sample: of `Energies`, those `before` are used.

    Parameters
    ----------
    energies : Energies or (n_structures,) array
        In kJ/mol. Structures without a finite energy get no weight.
    temperature : float
        In kelvin.
    log_q : (n_structures,) array
        Natural logarithm of the density that each structure was drawn with, up to one constant for all, in
        **Cartesian** positions. That of bonds, angles and torsions is to be divided by the volume element: subtract
        ``sum(2 log r + log sin(angle))`` from its logarithm. An estimated density makes the weights estimates.
    clip : float, optional
        No weight counts for more than `clip` times their mean; ``n ** 0.5`` is Ionides' choice. That trades variance
        for a bias towards the density they were drawn from.

    Returns
    -------
    Weights

    Raises
    ------
    DataError
        When the lengths differ, a density is not a number, or no structure has a weight.
    SpecError
        For a temperature that is not above 0 or a clip that is not at least 1.

    References
    ----------
    Noe et al., Science 365, eaaw1147 (2019), https://doi.org/10.1126/science.aaw1147 (of generated structures);
    Ionides, J. Comput. Graph. Stat. 17, 295 (2008), https://doi.org/10.1198/106186008X320456 (clipping).
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise SpecError(f"temperature = {temperature!r}: expected kelvin above 0")
    energy = _numbers(energies)
    density = np.asarray(log_q, float)
    if density.shape != energy.shape:
        raise DataError(f"log_q has the shape {density.shape}, expected one for each of {len(energy)} structures")
    usable = np.isfinite(energy)
    if (wrong := int((~np.isfinite(density[usable])).sum())) > 0:
        raise DataError(f"log_q is not a finite number for {wrong} structures; they cannot have been drawn so")
    log_weights = np.full(len(energy), -np.inf)
    log_weights[usable] = -energy[usable] / (BOLTZMANN * temperature) - density[usable]
    return _weights(log_weights, clip, f"the Boltzmann distribution at {temperature:g} K", int((~usable).sum()))


def match_energies(energies: Energies | Any, real: Energies | Any, *, bins: int = 20) -> Weights:
    """Return weights that give generated structures the distribution of energies that real ones have.

    For models without a density, of which no Boltzmann weight is to be had. The weight is the ratio of two
    histograms over the energy after minimization (before, where neither was minimized): structures with energies
    that real ones do not have get none, and too frequent energies get less. **This is not a Boltzmann weight**: where
    the energy does not tell basins apart, their populations stay what the model made them.

    Parameters
    ----------
    energies, real : Energies or arrays
        Of generated and of real structures, in kJ/mol; both in one force field and minimized alike.
    bins : int
        Of equal numbers of real structures.

    Returns
    -------
    Weights

    Raises
    ------
    DataError
        When the two are not comparable, or no generated structure has an energy that real ones have.
    SpecError
        For fewer than 2 bins.
    """
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 2:
        raise SpecError(f"bins = {bins!r}: expected a whole number of at least 2")
    if isinstance(energies, Energies) and isinstance(real, Energies):
        kinds = [(one.force_field, one.iterations) for one in (energies, real)]
        if kinds[0] != kinds[1]:
            raise DataError(
                f"the energies are of {kinds[0][0]} after {kinds[0][1]} iterations, the real ones of {kinds[1][0]} "
                f"after {kinds[1][1]}; compute both alike"
            )
    own, theirs = (_numbers(one, minimized=True) for one in (energies, real))
    theirs = theirs[np.isfinite(theirs)]
    if len(theirs) < 2 * bins:
        raise DataError(f"there are {len(theirs)} real energies for {bins} bins; give at least {2 * bins}")
    edges = np.unique(np.quantile(theirs, np.linspace(0, 1, bins + 1)))
    if len(edges) < 2:
        raise DataError("all real energies are the same; no distribution can be matched")
    usable = np.isfinite(own)
    inside = usable & (own >= edges[0]) & (own <= edges[-1])
    place = np.clip(np.searchsorted(edges, own[inside], side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1)
    wanted = np.histogram(theirs, edges)[0]
    log_weights = np.full(len(own), -np.inf)
    log_weights[inside] = np.log(wanted[place]) - np.log(counts[place])
    made = _weights(log_weights, None, "the energies of real structures (not Boltzmann's)", int((~usable).sum()))
    notes = list(made.notes)
    if (outside := int((usable & ~inside).sum())) > 0:
        notes.append(f"{outside} structures have an energy that no real one has, and no weight")
    if (missing := float(wanted[counts == 0].sum() / wanted.sum())) > 0:
        notes.append(f"{missing:.1%} of the real structures have energies that no generated one has")
    return Weights(made.weights, made.ess, made.towards, tuple(notes))


def _numbers(energies: Any, minimized: bool = False) -> np.ndarray:
    if isinstance(energies, Energies):
        energies = energies.after if minimized else energies.before
    found = np.asarray(energies, float)
    if found.ndim != 1 or not len(found):
        raise DataError(f"the energies have the shape {found.shape}, expected one number for each structure")
    return found


def _weights(log_weights: np.ndarray, clip: float | None, towards: str, lost: int) -> Weights:
    """Return normalized weights of their logarithms, and what is to be said about them."""
    if clip is not None and not clip >= 1:
        raise SpecError(f"clip = {clip!r}: expected a multiple of the mean weight, at least 1")
    most = log_weights.max()
    if most == -np.inf:
        raise DataError(f"none of the {len(log_weights)} structures has a weight towards {towards}")
    weights = np.exp(log_weights - most)
    notes = []
    if lost:
        notes.append(f"{lost} structures have no finite energy, and no weight")
    if clip is not None:
        bound = clip * weights.mean()
        if (cut := int((weights > bound).sum())) > 0:
            notes.append(f"{cut} weights were clipped to {clip:g} times the mean: a bias that makes them usable")
        weights = np.minimum(weights, bound)
    weights = weights / weights.sum()
    ess = float(1 / (weights**2).sum())
    if ess < max(10.0, 0.01 * len(weights)):
        notes.append(
            f"{ess:.1f} structures carry the weight (the largest {weights.max():.0%}): no average of them is to be "
            "trusted; draw from a density nearer to the target"
        )
    return Weights(weights, ess, towards, tuple(notes))
