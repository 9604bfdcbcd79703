"""Run: a trained model with all that is needed to use, explain, save and repeat it."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mdnb.datasets import Samples, Scaler, Window, make_samples
from mdnb.errors import DataError
from mdnb.features.base import Column, Features
from mdnb.models.autoencoder import Generator
from mdnb.models.base import Model, ModelSpec, Predictor, Task
from mdnb.models.objectives.labels import GaussianHead
from mdnb.scores import Score
from mdnb.specs import Training

__all__ = ["Run", "TargetInfo"]


@dataclass(frozen=True)
class TargetInfo:
    """What a run predicts: its name, classes or unit, the mean and scale of a number, and the name asked for."""

    name: str
    classes: tuple[str, ...] = ()
    unit: str = ""
    mean: float = 0.0
    scale: float = 1.0
    asked: str = ""


@dataclass
class Run:
    """A trained model; made by `mdnb.fit` or `Run.load`.

    Attributes
    ----------
    spec : ModelSpec
    training : Training
    window : Window
        The choices it was made with.
    task : Task
        The shape of its data.
    model : Model
        The network, in evaluation mode.
    scaler : Scaler
        Of the inputs.
    columns : tuple of Column
        What its inputs mean.
    featurizers : tuple of str
    target : TargetInfo or None
    history : list of dict
        One row for each epoch.
    scores : dict of Score
        On the held-out test samples.
    split : dict
        How the samples were parted, and the trajectories of each part; of classes also ``counts``, the samples of each.
    provenance : dict
        Versions, machine, seed, data.
    topology : dict
        As `mdnb.formats.topology_json` writes it.
    reference : (n_atoms, 3) array
        First frame of the data in nm.
    train_frames, test_frames : int array
        Frames of the training and the test part, in the features it was trained on.
    examples : (n_examples, *shape) array
        Up to 1,000 training frames in their own units, evenly spaced: what real frames look like.
    folder : str
        Name of the folder that it was saved to or loaded from last.
    """

    spec: ModelSpec
    training: Training
    window: Window
    task: Task
    model: Model
    scaler: Scaler
    columns: tuple[Column, ...]
    featurizers: tuple[str, ...]
    target: TargetInfo | None
    history: list[dict[str, float]]
    scores: dict[str, Score]
    split: dict[str, Any]
    provenance: dict[str, Any]
    topology: dict[str, Any]
    reference: np.ndarray
    train_frames: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    test_frames: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    examples: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    folder: str = ""

    @property
    def family(self) -> str:
        """Name of the model family, such as ``CNN``."""
        return type(self.spec).__name__

    def check(self, features: Features) -> None:
        """Refuse features that are not the ones this run was trained on.

        Raises
        ------
        DataError
            When the shape or a column differs, or these are no features.
        """
        if not isinstance(features, Features):
            raise DataError(
                f"got {type(features).__name__!r}, expected Features: give mdnb.featurize(trajectories, "
                f"{list(self.featurizers)!r})"
            )
        if features.shape != self.task.shape:
            raise DataError(
                f"this {self.family} was trained on frames of shape {self.task.shape} ({', '.join(self.featurizers)}), "
                f"got {features.shape} ({', '.join(features.featurizers)})"
            )
        names = tuple(column.name for column in self.columns)
        if features.names != names:
            first = next(i for i, (a, b) in enumerate(zip(names, features.names, strict=True)) if a != b)
            raise DataError(
                f"column {first} is {features.names[first]!r}, this {self.family} was trained on {names[first]!r}; "
                "featurize with the same names and the same topology"
            )

    def in_part(self, features: Features, windows: np.ndarray, part: str) -> np.ndarray:
        """Return which windows lie in one part of the split, (n_windows,) booleans.

        None does where the features are of other trajectories than those of the training.

        Parameters
        ----------
        features : Features
        windows : (n_windows, window) int array
            Of frames.
        part : {"train", "test"}
        """
        data = self.provenance["data"]
        if list(features.source.names) != data["trajectories"]:
            return np.zeros(len(windows), bool)
        inside = np.isin(features.trajectory[windows[:, -1]], self.split[part]["trajectories"])
        if set(self.split["train"]["trajectories"]) & set(self.split["test"]["trajectories"]):  # cut into blocks
            known = self.train_frames if part == "train" else self.test_frames
            inside &= np.isin(windows, known).all(1) & (len(features) == data["n_frames"])
        return inside

    def require_finished(self) -> None:
        """Refuse a run of a training that was not finished, where what is fitted at the end is needed.

        Raises
        ------
        DataError
            When it is one.
        """
        if self.provenance.get("unfinished"):
            raise DataError(
                f"the training of this {self.family} was not finished, and what is fitted at the end is missing; "
                "mdnb.resume(folder) finishes it where mdnb.fit got an out, else train again"
            )

    def inputs(self, features: Features, frames: np.ndarray) -> torch.Tensor:
        """Return the scaled samples (n_samples, window, *shape) of windows of frames."""
        return torch.from_numpy(self.scaler.transform(features.values[frames]))

    def samples(self, features: Features) -> Samples:
        """Return the samples of the features, every window or trajectory."""
        return make_samples(features, None, dataclasses.replace(self.window, stride=1))

    @torch.no_grad()
    def outputs(self, features: Features, frames: np.ndarray) -> np.ndarray:
        """Return the model's output of windows of frames, in the label's unit or as probabilities.

        Parameters
        ----------
        features : Features
        frames : (n_samples, window) int array

        Returns
        -------
        (n_samples, n_outputs) array
            Probabilities of the classes; the predicted number; slow modes; latents; the frames foreseen, scaled;
            a critic's score.
        """
        parts = [self.model.score(self.inputs(features, rows)) for rows in _batches(frames)]
        scores = torch.cat(parts)
        if not isinstance(self.model, Predictor):
            return scores.numpy()
        if self.task.kind == "class":
            scores = torch.softmax(scores, dim=1)
        elif self.task.kind == "real" and self.target is not None:
            scores = scores.double() * self.target.scale + self.target.mean  # beside a large mean too
        return scores.numpy()

    def predict(self, features: Features) -> np.ndarray:
        """Return what is predicted for every sample of the features (`samples`).

        Returns
        -------
        array
            Class numbers (n_samples,); numbers in the label's unit (n_samples,); or the frames that follow,
            (n_samples, steps, *shape) in the features' units, of a rollout's distribution its mean.

        Raises
        ------
        DataError
            When the features are not those of the training, or the family does not predict.
        """
        self.check(features)
        if not isinstance(self.model, Predictor) or self.task.kind in ("slow", "lagged"):
            raise DataError(f"a {self.family} predicts nothing here; use run.encode, mdnb.generate or mdnb.explain")
        outputs = self.outputs(features, self.samples(features).frames)
        if self.task.kind in ("forecast", "propagate"):
            return self.scaler.inverse(outputs.reshape(len(outputs), -1, *self.task.shape))
        return outputs.argmax(1) if self.task.kind == "class" else outputs[:, 0]

    def encode(self, features: Features) -> np.ndarray:
        """Return the slow modes or latents of every sample of the features, (n_samples, n_outputs).

        Raises
        ------
        DataError
            When the features are not those of the training, or the model has neither.
        """
        self.check(features)
        if self.task.kind not in ("slow", "lagged") and not isinstance(self.model, Generator):
            raise DataError(
                f"this {self.family} has no latents; use run.predict, or train a VAE, or with mdnb.SlowModes() or "
                "mdnb.TimeLagged() as the objective"
            )
        self.require_finished()
        frames = self.samples(features).frames
        if not isinstance(self.model, Generator):
            return self.outputs(features, frames)
        with torch.no_grad():
            coding = self.model.coding
            return torch.cat([coding.score(self.inputs(features, rows)) for rows in _batches(frames)]).numpy()

    def errors(self, features: Features) -> np.ndarray:
        """Return the standard deviation that is predicted for each number of `predict`, (n_samples,), in its unit.

        Raises
        ------
        DataError
            When the run was not trained with ``mdnb.Labels(uncertainty=True)``.
        """
        self.check(features)
        return self.output_errors(features, self.samples(features).frames)

    @torch.no_grad()
    def output_errors(self, features: Features, frames: np.ndarray) -> np.ndarray:
        """Return `errors` of windows of frames (n_samples, window), (n_samples,)."""
        model = self.model
        if not isinstance(model, Predictor) or not isinstance(model.head, GaussianHead) or self.target is None:
            raise DataError("this run predicts no errors; train with objective=mdnb.Labels(uncertainty=True)")
        self.require_finished()
        found = [model.head.error(model.encoder(self.inputs(features, own))) for own in _batches(frames)]
        return np.asarray(torch.cat(found).numpy() * self.target.scale)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``run.json`` and ``weights.safetensors`` into a folder, whole or not at all.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            When there is a folder of that name with anything else than a run in it.
        """
        from mdnb.runs.storage import save_run

        return save_run(self, folder)

    def export(self, path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Path:
        """Write the model for PLUMED or as ONNX; see `mdnb.export`."""
        from mdnb.exports import export

        return export(self, path, format, **options)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Run:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            When a file is missing or damaged, they contradict each other, or the weights are not those that
            were saved.
        """
        from mdnb.runs.storage import load_run

        return load_run(folder)

    def __repr__(self) -> str:
        what = f" for {self.target.name}" if self.target else ""
        lines = [f"Run: {self.spec}{what}", f"  split {self.split['description']}; {len(self.history)} epochs"]
        lines += [f"  {name} {score} on the test part" for name, score in self.scores.items()]
        lines += [f"  note: {note}" for note in self.split["notes"]]
        if self.provenance.get("unfinished"):
            lines.append("  note: its training was not finished; mdnb.resume(folder) finishes it")
        return "\n".join(lines)


def _batches(rows: np.ndarray, size: int = 2048) -> list[np.ndarray]:
    return np.array_split(rows, max(1, -(-len(rows) // size)))
