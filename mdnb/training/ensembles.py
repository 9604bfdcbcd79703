"""ensemble: several networks that differ by their seed, whose disagreement is part of the error they predict."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.datasets import Window
from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.files import user_path, write_whole
from mdnb.models.base import ModelSpec
from mdnb.models.objectives import Labels
from mdnb.runs import UNUSABLE, Run, check_folder, weights_sha256
from mdnb.scores import Score, interval_scores, likelihood_scores
from mdnb.specs import Training
from mdnb.training.fitting import carry_out
from mdnb.training.folder import TrainingFolder
from mdnb.training.loop import Callback
from mdnb.training.plan import Plan
from mdnb.training.prepare import prepare

__all__ = ["Ensemble", "ensemble"]

_FILE = "ensemble.json"


@dataclass(frozen=True)
class Ensemble:
    """Networks that learned the same numbers from the same samples; made by `mdnb.ensemble` or `Ensemble.load`.

    Attributes
    ----------
    runs : tuple of Run
        The members.
    width_factor : float
        What the errors are multiplied by, so that the mean squared standardised error of the validation part is 1.
    scores : dict of Score
        On the test part, with ``within 95% interval`` and the ``log likelihood`` of the scaled labels in nats.
    single : dict of float
        The same scores of one member alone, whose errors are calibrated too: the mean over the members.
    """

    runs: tuple[Run, ...]
    width_factor: float
    scores: dict[str, Score]
    single: dict[str, float]

    def predict(self, features: Features) -> np.ndarray:
        """Return the mean prediction for every sample of the features, (n_samples,), in the label's unit.

        Raises
        ------
        DataError
            When the features are not those of the training.
        """
        return np.asarray(np.mean([run.predict(features) for run in self.runs], axis=0))

    def errors(self, features: Features) -> np.ndarray:
        """Return the standard deviation of each number of `predict`, (n_samples,), within and between the members.

        Raises
        ------
        DataError
            When the features are not those of the training.
        """
        means = np.array([run.predict(features) for run in self.runs])
        return self.width_factor * _moments(means, np.array([run.errors(features) for run in self.runs]))[1]

    def disagreement(self, features: Features) -> np.ndarray:
        """Return the standard deviation among the members, (n_samples,): large where training samples are few."""
        return np.asarray(np.std([run.predict(features) for run in self.runs], axis=0))

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write a folder of a run for each member, and then ``ensemble.json``.

        Raises
        ------
        DataError
            When the folder holds something else, or is a file.
        """
        folder = user_path(folder)
        _check(folder, len(self.runs))
        for number, run in enumerate(self.runs):
            run.save(folder / f"member-{number}")
        _write(self, folder)
        return folder

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Ensemble:
        """Read what `save` wrote, or `mdnb.ensemble` with ``out=``.

        Raises
        ------
        DataError
            When a member is missing or damaged, or not all are trained.
        """
        folder = user_path(folder)
        if not (folder / _FILE).is_file():
            raise DataError(
                f"{folder} has no {_FILE}; give the folder of a whole ensemble, or repeat the same "
                "mdnb.ensemble(..., out=...), which goes on there"
            )
        try:
            content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            scores = {name: Score(**{**one, "draws": tuple(one["draws"])}) for name, one in content["scores"].items()}
            known, factor = [str(one) for one in content["members"]], float(content["width_factor"])
            single = {str(name): float(value) for name, value in content["single"].items()}
        except UNUSABLE as error:
            raise DataError(f"{folder / _FILE} is damaged ({error!r}); save the ensemble again") from error
        runs = tuple(Run.load(folder / f"member-{number}") for number in range(len(known)))
        if [weights_sha256(run) for run in runs] != known:
            raise DataError(f"{folder} holds other members than {_FILE} says; save the ensemble again")
        return cls(runs, factor, scores, single)

    def __repr__(self) -> str:
        lines = [f"Ensemble: {len(self.runs)} members, {self.runs[0].spec}"]
        lines += [
            f"  {name} {score} on the test part; of one member {self.single[name]:.3f}"
            for name, score in self.scores.items()
        ]
        return "\n".join(lines)


def ensemble(
    features: Features,
    target: Any,
    spec: ModelSpec | str = "CNN",
    training: Training | None = None,
    *,
    members: int = 5,
    window: Window | None = None,
    out: str | os.PathLike[str] | None = None,
    callback: Callback | None = None,
) -> Ensemble:
    """Train several networks on the same parts of the data, from other weights and in another order each.

    Each predicts a number and its error (``mdnb.Labels(uncertainty=True)``). Together they are a mixture of
    Gaussians with equal weights: its mean is what is predicted, and its variance the mean of theirs and the variance
    among their means. As of one network, the errors are calibrated on the validation part.

    Parameters
    ----------
    features, target, spec, training, window
        As for `mdnb.fit`; the target is a number. The members' seeds are ``training.seed`` and those that follow; the
        split is that of the first.
    members : int
        At least 2.
    out : path, optional
        Folder that gets a run for each member. The same call again goes on after a crash, to the same weights bit
        for bit, and takes members that are done as they are.
    callback : function, optional
        As for `mdnb.fit`, of each member.

    Returns
    -------
    Ensemble

    Raises
    ------
    SpecError
        For fewer than two members, a target that is a class, and as `mdnb.fit` does.
    DataError
        As `mdnb.fit` does, or when `out` holds something else.
    KeyboardInterrupt
        When it is interrupted; what was trained is in the folder.

    References
    ----------
    Lakshminarayanan, Pritzel, Blundell, Adv. Neural Inf. Process. Syst. 30 (2017),
    https://doi.org/10.48550/arXiv.1612.01474. After it is mixed, it is calibrated once more: Rahaman, Thiery, Adv.
    Neural Inf. Process. Syst. 34 (2021), https://doi.org/10.48550/arXiv.2007.08792
    """
    if isinstance(members, bool) or not isinstance(members, int) or members < 2:
        raise SpecError(f"members = {members!r}: expected a whole number of at least 2")
    training = training or Training()
    split_seed = training.seed if training.split_seed < 0 else training.split_seed
    folder = None if out is None else user_path(out)
    if folder is not None:
        _check(folder, members)
    plans = [
        prepare(features, target, spec, replace(training, seed=seed, split_seed=split_seed), window, Labels(True))
        for seed in range(training.seed, training.seed + members)
    ]
    runs: list[Run] = []
    for number, plan in enumerate(plans):
        run = _member(plan, None if folder is None else folder / f"member-{number}", callback)
        if run.provenance.get("interrupted"):
            raise KeyboardInterrupt
        runs.append(run)
    made = _joined(runs, features, plans[0])
    if folder is not None:
        _write(made, folder)
    return made


def _member(plan: Plan, where: Path | None, callback: Callback | None) -> Run:
    """Return a trained member, the one that is there where it is of the same plan."""
    if where is None or TrainingFolder(where).unfinished or not where.exists():
        return carry_out(plan, where, callback, None)
    run = Run.load(where)
    training = replace(run.training, threads=plan.training.threads, device=plan.training.device)
    same = (run.spec, training, run.window, run.task, run.provenance["data"]) == (
        plan.spec, plan.training, plan.window, plan.task, plan.provenance["data"]
    )  # fmt: skip
    return run if same else carry_out(plan, where, callback, None)


def _joined(runs: Sequence[Run], features: Features, plan: Plan) -> Ensemble:
    """Return the ensemble, calibrated on the validation part and judged on the test part."""
    labels, target = plan.samples.labels, plan.target
    assert labels is not None
    assert target is not None
    found = {}
    for part in ("validation", "test"):
        frames = plan.samples.frames[getattr(plan.split, part)]
        means = np.array([run.outputs(features, frames)[:, 0] for run in runs])
        found[part] = means, np.array([run.output_errors(features, frames) for run in runs])
    mean, error = _moments(*found["validation"])
    factor = float(np.sqrt(np.mean(((labels[plan.split.validation] - mean) / error) ** 2)))
    test, where = labels[plan.split.test], plan.samples.unit[plan.split.test]

    def judged(mean: np.ndarray, error: np.ndarray) -> dict[str, Score]:
        apart = (test - mean) / error
        density = -0.5 * apart**2 - np.log(error / target.scale) - 0.5 * np.log(2 * np.pi)
        return interval_scores(test, mean, error, where, plan.samples.whole) | likelihood_scores(density, where)

    mean, error = _moments(*found["test"])
    scores = judged(mean, factor * error)
    each = [judged(*one) for one in zip(*found["test"], strict=True)]
    return Ensemble(tuple(runs), factor, scores, {n: float(np.mean([one[n].value for one in each])) for n in scores})


def _moments(means: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of mixtures of Gaussians (n_members, n_samples)."""
    return means.mean(0), np.sqrt((errors**2).mean(0) + means.var(0))


def _check(folder: Path, members: int) -> None:
    """Refuse a folder in which something else lies."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; give the folder of an ensemble, which is made when it is not there")
    names = {f"member-{number}" for number in range(members)}
    known = {_FILE, ".DS_Store", *names, *(f"{name}.training" for name in names)}
    others = sorted(path.name for path in folder.iterdir() if path.name not in known and path.name[0] != ".") if (
        folder.exists()
    ) else []  # fmt: skip
    if others:
        raise DataError(f"{folder} holds other things than this ensemble ({others[0]}); give a folder of its own")
    for name in names:
        check_folder(folder / name)


def _write(made: Ensemble, folder: Path) -> None:
    content = {
        "members": [weights_sha256(run) for run in made.runs],
        "width_factor": made.width_factor,
        "scores": {name: asdict(score) for name, score in made.scores.items()},
        "single": made.single,
    }
    write_whole(folder / _FILE, lambda path: path.write_text(json.dumps(content, indent=1), encoding="utf-8"))
