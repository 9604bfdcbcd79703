"""judge: generated ensembles against held-out molecular dynamics, figure by figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import mdtraj
import numpy as np

from mdnb.errors import DataError, SpecError
from mdnb.generation.checks import CHECKS, Limits, check_structures
from mdnb.generation.draws import block_weights, interval
from mdnb.generation.ensemble import Ensemble
from mdnb.generation.generated import Generated
from mdnb.generation.histograms import Comparison, block_counts, comparisons
from mdnb.generation.judgement import Judgement, Ladder, Row
from mdnb.generation.ladder import pieces
from mdnb.generation.manifold import Manifolds
from mdnb.generation.mixture import pca_mixture
from mdnb.generation.novelty import NoveltyJudge, warning
from mdnb.generation.space import Described, Space
from mdnb.trajectories import Trajectories

__all__ = ["judge"]

_TRAINING, _MIXTURE = "training MD", "PCA mixture"
#: Samples of each kind whose neighbourhoods are compared, and frames that set the limits of the checks.
_NEIGHBOURS, _LIMITS = 2_000, 5_000

Structures: TypeAlias = Generated | mdtraj.Trajectory | Trajectories
Energies: TypeAlias = Mapping[str, Any] | Callable[[mdtraj.Trajectory], Any]


def judge(
    sets: Mapping[str, Structures] | Structures,
    reference: Any,
    train: Any = None,
    *,
    energies: Energies | None = None,
    lag_time: float | None = None,
    n_states: int | None = None,
    baselines: bool = True,
    n_draws: int = 100,
    max_frames: int = 50_000,
    seed: int = 0,
) -> Judgement:
    """Compare generated ensembles with held-out molecular dynamics, with intervals, floors and baselines.

    Jensen-Shannon (JS) distances are scipy's, to the base e (0.83 where nothing overlaps), of histograms as MDGen and
    JAMUN define them: 100 bins for a torsion, 50 x 50 for phi and psi of a residue, 100 and 50 x 50 for TICA-0 and
    TICA-0,1. Every figure is the mean over torsions, residues or distances. What a molecule does not have is left
    out, and said in the notes.

    Parameters
    ----------
    sets : mapping of Generated, mdtraj.Trajectory or Trajectories by name
        Structures of a `Generated` or an `mdtraj.Trajectory` are independent of each other; `Trajectories` are drawn
        in blocks for the intervals.
    reference : Trajectories, mdtraj.Trajectory, or list of them (one for each replica)
        Molecular dynamics that no model has seen.
    train : the same, optional
        What the models were trained on: for the floor, novelty, the checks and the baselines.
    energies : mapping of (n,) arrays by the names of the sets, "reference" and "train", or function, optional
        Potential energies in kJ/mol; the function takes an `mdtraj.Trajectory`.
    lag_time : float, optional
        Of TICA in ps; see `mdnb.generation.space.Space`.
    n_states : int, optional
        Metastable states (10 in MDGen's and JAMUN's tables); by default as many as there are slow processes.
    baselines : bool
        Also judge as many frames of the training MD, and the mixture of 20 Gaussians on principal components.
    n_draws : int
        Bootstrap draws.
    max_frames : int
        More frames of reference, training or a set are thinned evenly.
    seed : int

    Returns
    -------
    Judgement

    Raises
    ------
    DataError
        When the structures are of different molecules, or not structures.
    SpecError
        For a setting that cannot be.

    References
    ----------
    JS: Lin, IEEE Trans. Inf. Theory 37, 145 (1991), https://doi.org/10.1109/18.61115; MDGen: Jing et al. (2024),
    https://doi.org/10.48550/arXiv.2409.17808; JAMUN: Daigavane et al. (2024),
    https://doi.org/10.48550/arXiv.2410.14621; sliced Wasserstein: Bonneel et al., J. Math. Imaging Vis. 51, 22 (2015),
    https://doi.org/10.1007/s10851-014-0506-3; mode collapse by clusters: Richardson, Weiss, NeurIPS 31 (2018),
    https://doi.org/10.48550/arXiv.1805.12462
    """
    for name, number, least in (("n_draws", n_draws, 10), ("max_frames", max_frames, 100), ("n_states", n_states, 2)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
            raise SpecError(f"{name} = {number!r}: expected a whole number of at least {least}")
    if not isinstance(sets, Mapping):
        sets = {sets.family if isinstance(sets, Generated) else "generated": sets}
    if not sets:
        raise DataError("there are no structures to judge; give sets = {'VAE': mdnb.generate(run, 10_000)}")
    taken = {"held-out MD", "reference", "train", *([_TRAINING, _MIXTURE] if baselines else [])} & set(sets)
    if taken:
        raise SpecError(f"a set of structures is named {sorted(taken)[0]!r}, which is the name of something else here")
    real = Ensemble.dynamics(reference, "the reference", max_frames)
    seen = None if train is None else Ensemble.dynamics(train, "the training data", max_frames)
    made = {name: Ensemble.of(one, f"{name!r}", max_frames, seed) for name, one in sets.items()}
    for name, one in (*made.items(), *([] if seen is None else [("the training data", seen)])):
        one.require_like(real, name)
    if seen is not None and baselines:
        n = max(len(one) for one in made.values())
        made[_TRAINING] = seen.take(np.linspace(0, len(seen) - 1, min(n, len(seen))).astype(int))
        made[_MIXTURE] = Ensemble.of(pca_mixture(seen.take(_even(seen, 5000)), n, seed), _MIXTURE, max_frames, seed)
    return _Court(real, seen, made, energies, lag_time, n_states, n_draws, seed).judgement()


class _Court:
    """All that one judgement needs."""

    def __init__(
        self,
        real: Ensemble,
        seen: Ensemble | None,
        made: dict[str, Ensemble],
        energies: Energies | None,
        lag_time: float | None,
        n_states: int | None,
        n_draws: int,
        seed: int,
    ) -> None:
        self.space = Space(real, lag_time=lag_time, n_states=n_states, seed=seed)
        self.notes = list(self.space.notes)
        self.warnings: list[str] = []
        self.seed, self.n_draws = seed, n_draws
        self.real = self.space.describe(real, _energies(energies, "reference", real))
        self.seen = None if seen is None else self.space.describe(seen, _energies(energies, "train", seen))
        self.made = {
            name: self.space.describe(one, _energies(energies, name, one) if name != _TRAINING else None)
            for name, one in made.items()
        }
        if self.seen is not None and _TRAINING in self.made:
            self.made[_TRAINING] = self.seen.thinned(len(self.made[_TRAINING]))
        self.weights = block_weights(real.n_blocks, n_draws, seed)
        self.rows: list[Row] = []
        self.populations: list[Row] = []
        self.ladders: dict[str, Ladder] = {}
        self._halves: tuple[Described, Described] | None = None

    def judgement(self) -> Judgement:
        for comparison in comparisons(self.space, self.real, self.seed):
            self.compare(comparison)
        self.neighbourhoods()
        self.states()
        self.check()
        self.novelty()
        self.say()
        sets = {name: len(one) for name, one in self.made.items()}
        order = {name: number for number, name in enumerate(sets)}
        metrics = {metric: number for number, metric in enumerate(dict.fromkeys(row.metric for row in self.rows))}
        rows = sorted(self.rows, key=lambda row: (order[row.structures], metrics[row.metric]))
        return Judgement(
            rows=tuple(rows),
            populations=tuple(self.populations),
            ladders=self.ladders,
            sizes=sets,
            notes=tuple(self.notes),
            warnings=tuple(self.warnings),
            time_known=bool(np.isfinite(self.real.ensemble.time_step)),
        )

    # --- what comes from histograms -----------------------------------------------------------------------------------

    def compare(self, comparison: Comparison) -> None:
        """Add the rows of one comparison of histograms, and its ladder."""
        counts = self.counts(comparison, self.real)
        total = counts.sum(0)
        ladder = self.climb(comparison, counts)
        if ladder is not None:
            self.ladders[comparison.metric] = ladder
        floors: dict[int, np.ndarray] = {}
        for number, (name, one) in enumerate(self.made.items()):
            if comparison.metric.startswith("energy") and one.energies is None:
                continue
            if len(one) not in floors:
                floors[len(one)] = self.floor(comparison, len(one), total)
            floor = floors[len(one)]
            own = self.counts(comparison, one)
            weights = block_weights(len(own), self.n_draws, self.seed + 1 + number)
            values = comparison.distance(total, own.sum(0))
            draws = np.array([
                comparison.distance(a, b)
                for a, b in zip(self.drawn(counts, self.weights), self.drawn(own, weights), strict=True)
            ])  # fmt: skip
            n_blocks = min(len(counts), len(own))
            md = ladder.read(float(values.mean())) if ladder is not None else (float("nan"), "")
            low, high = interval(float(values.mean()), draws.mean(1), n_blocks)
            self.add(name, comparison.metric, "", values.mean(), low, high, floor.mean(), "lower", *md)
            if comparison.shown:
                for part, label in enumerate(comparison.parts):
                    low, high = interval(float(values[part]), draws[:, part], n_blocks)
                    self.add(name, comparison.metric, label, values[part], low, high, floor[part], "lower")

    def counts(self, comparison: Comparison, one: Described) -> np.ndarray:
        ensemble = one.ensemble
        return block_counts(comparison.codes(one), ensemble.blocks, ensemble.n_blocks, comparison.n_bins)

    @staticmethod
    def drawn(counts: np.ndarray, weights: np.ndarray) -> Any:
        """Yield the histograms of each draw of blocks, (n_parts, n_bins)."""
        flat = counts.reshape(len(counts), -1).astype(np.float64)
        return ((draw @ flat).reshape(counts.shape[1:]) for draw in weights)

    def floor(self, comparison: Comparison, n: int, total: np.ndarray) -> np.ndarray:
        """Return the figures of n frames of real MD, (n_parts,); NaN where there are none."""
        if self.seen is not None:
            if comparison.metric.startswith("energy") and self.seen.energies is None:
                return np.full(len(comparison.parts), np.nan)
            return comparison.distance(total, self.counts(comparison, self.seen.thinned(n)).sum(0))
        first, second = self.halves()
        return comparison.distance(
            self.counts(comparison, second).sum(0), self.counts(comparison, first.thinned(n)).sum(0)
        )

    def halves(self) -> tuple[Described, Described]:
        """Return two parts of the reference: every other replica, or the first and the second half of the only one."""
        if self._halves is None:
            replica = self.real.ensemble.replica
            first = replica % 2 == 0 if len(np.unique(replica)) > 1 else np.arange(len(replica)) < len(replica) // 2
            self._halves = self.real.take(np.flatnonzero(first)), self.real.take(np.flatnonzero(~first))
        return self._halves

    def climb(self, comparison: Comparison, counts: np.ndarray) -> Ladder | None:
        """Return the figure of ever longer MD: of the training data, or of each replica against the other ones."""
        source = self.real if self.seen is None else self.seen
        if comparison.metric.startswith("energy") and source.energies is None:
            return None
        ensemble = source.ensemble
        if self.seen is None and ensemble.n_replicas < 2:
            return None
        codes, total = comparison.codes(source), counts.sum(0)
        lengths, values = [], []
        for length, rows in pieces(ensemble.replica, whole=self.seen is not None):
            found = []
            for piece in rows:
                own = block_counts(codes[piece], np.zeros(len(piece), int), 1, comparison.n_bins)[0]
                against = total
                if self.seen is None:
                    blocks = np.unique(ensemble.blocks[np.isin(ensemble.replica, ensemble.replica[piece])])
                    against = total - counts[blocks].sum(0)
                found.append(comparison.distance(against, own).mean())
            lengths.append(length)
            values.append(np.mean(found))
        step = self.real.ensemble.time_step
        scale = step if np.isfinite(step) else 1.0
        if self.seen is not None and np.isfinite(step):
            scale = self.seen.ensemble.time_step
        return Ladder(comparison.metric, np.array(lengths) * scale, np.array(values)) if len(lengths) > 1 else None

    # --- what needs the samples themselves ----------------------------------------------------------------------------

    def neighbourhoods(self) -> None:
        """Add precision, recall, density and coverage."""
        real = self.real.thinned(_NEIGHBOURS)
        against, floors = (self.halves()[1].thinned(_NEIGHBOURS) if self.seen is None else real), {}
        weights = self.weights[:, np.unique(self.real.ensemble.blocks[_even(self.real.ensemble, _NEIGHBOURS)])]
        for number, (name, one) in enumerate(self.made.items()):
            chosen = one.thinned(len(real))
            if len(chosen) not in floors:
                source = self.halves()[0] if self.seen is None else self.seen
                floors[len(chosen)] = Manifolds(against.features, source.thinned(len(chosen)).features).scores()
            manifolds = Manifolds(real.features, chosen.features)
            values = manifolds.scores()
            own = block_weights(chosen.ensemble.n_blocks, self.n_draws, self.seed + 1 + number)
            draws = [
                manifolds.scores(a[real.ensemble.blocks], b[chosen.ensemble.blocks])
                for a, b in zip(weights, own, strict=True)
            ]
            n_blocks = min(real.ensemble.n_blocks, chosen.ensemble.n_blocks)
            for metric, value in values.items():
                bounds = (0.0, np.inf if metric == "density" else 1.0)
                low, high = interval(value, np.array([draw[metric] for draw in draws]), n_blocks, bounds)
                self.add(name, metric, "", value, low, high, floors[len(chosen)][metric], "higher")

    def states(self) -> None:
        """Add how often each metastable state was seen."""
        every = {"held-out MD": self.real, **self.made}
        for name, one in every.items():
            n_blocks = one.ensemble.n_blocks
            counts = block_counts(one.states[:, None], one.ensemble.blocks, n_blocks, self.space.n_states)[:, 0]
            drawn = block_weights(n_blocks, self.n_draws, self.seed) @ counts
            drawn = drawn / drawn.sum(1, keepdims=True)
            for state, value in enumerate(counts.sum(0) / len(one)):
                low, high = interval(float(value), drawn[:, state], n_blocks, (0.0, 1.0))
                floor = float("nan") if self.seen is None else float((self.seen.states == state).mean())
                row = Row(name, "population", f"state {state}", float(value), low, high, floor, "equal")
                self.populations.append(row)

    def check(self) -> None:
        """Add the shares of structures that are chemically possible."""
        source = self.halves()[0] if self.seen is None else self.seen
        other = self.halves()[1] if self.seen is None else self.real
        limits = Limits.measure(source.thinned(_LIMITS).ensemble.structures)
        expected = _checked(check_structures(other.thinned(_LIMITS).ensemble.structures, limits))
        if self.seen is None:
            limits = Limits.measure(self.real.thinned(_LIMITS).ensemble.structures)
        for number, (name, one) in enumerate(self.made.items()):
            blocks = one.ensemble.blocks
            weights = block_weights(one.ensemble.n_blocks, self.n_draws, self.seed + 1 + number)[:, blocks]
            for part, passed in _checked(check_structures(one.ensemble.structures, limits)).items():
                draws = weights @ passed / weights.sum(1)
                low, high = interval(float(passed.mean()), draws, one.ensemble.n_blocks, (0.0, 1.0))
                self.add(
                    name, "passes all checks", part, passed.mean(), low, high, float(expected[part].mean()), "higher"
                )

    def novelty(self) -> None:
        """Add how new the structures are."""
        if self.seen is None:
            return
        novelty = NoveltyJudge(self.seen.ensemble, self.real.ensemble, self.space.coordinates.heavy)
        lines = novelty.lines(self.weights)
        for number, (name, one) in enumerate(self.made.items()):
            if name == _TRAINING:
                continue
            one = one.thinned(10_000)
            found = novelty.judge(one.ensemble.structures.xyz)
            blocks, n_blocks = one.ensemble.blocks, min(one.ensemble.n_blocks, self.real.ensemble.n_blocks)
            weights = block_weights(one.ensemble.n_blocks, self.n_draws, self.seed + 1 + number)[:, blocks]
            weights /= weights.sum(1, keepdims=True)
            share, preference = float(found.below.mean()), float(found.prefers.mean())
            draws = np.array([w @ (found.nearest < line) for w, line in zip(weights, lines, strict=True)])
            low, high = interval(share, draws, n_blocks, (0.0, 1.0))
            self.add(name, "below the memorization line", "", share, low, high, 0.05, "lower")
            between = interval(preference, weights @ found.prefers, n_blocks, (0.0, 1.0))
            self.add(name, "nearer to training than to held-out", "", preference, *between, novelty.fair, "lower")
            middle = float(np.median(found.nearest))
            self.add(
                name, "RMSD to training (nm)", "", middle, float("nan"), float("nan"),
                float(np.median(novelty.expected)), "higher",
            )  # fmt: skip
            text = warning(name, share, low, preference, novelty.fair)
            if text:
                self.warnings.append(text)

    def say(self) -> None:
        """Note what was left out, and how figures were made."""
        coordinates = self.space.coordinates
        if not coordinates.residues:
            self.notes.append("no residue has phi and psi: there is no Ramachandran row")
        if not len(coordinates.torsions):
            self.notes.append("no bond can turn: distances take the place of torsions")
        if self.seen is None:
            self.notes.append(
                "without train = ... the floor is one half of the held-out MD against the other, and nothing can be "
                "said about novelty or baselines"
            )
        step = self.real.ensemble.time_step
        lag = f"{self.space.lag * step:g} ps" if np.isfinite(step) else f"{self.space.lag} frames"
        self.notes.append(f"TICA at a lag of {lag}, {self.space.n_states} metastable states")

    def add(
        self, name: str, metric: str, part: str, value: Any, low: float, high: float, floor: Any, better: str,
        md: float = float("nan"), beyond: str = "",
    ) -> None:  # fmt: skip
        """Add a row."""
        self.rows.append(Row(name, metric, part, float(value), low, high, float(floor), better, md, beyond))


def _even(ensemble: Ensemble, n: int) -> np.ndarray:
    return np.linspace(0, len(ensemble) - 1, min(n, len(ensemble))).astype(int)


def _checked(passed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the checks by name, and all together under the empty name."""
    every = {"": np.logical_and.reduce(list(passed.values())), **{name: passed[name] for name in CHECKS}}
    return {name: values.astype(float) for name, values in every.items()}


def _energies(energies: Energies | None, name: str, ensemble: Ensemble) -> np.ndarray | None:
    """Return the energy of each structure of a set, or None where it is not known."""
    if energies is None or (isinstance(energies, Mapping) and name not in energies):
        return None
    found = energies[name] if isinstance(energies, Mapping) else energies(ensemble.structures)
    values = np.asarray(found, float)
    if values.shape != (len(ensemble),):
        raise DataError(
            f"the energies of {name!r} have the shape {values.shape}, expected one for each of {len(ensemble)} "
            "structures"
        )
    return values
