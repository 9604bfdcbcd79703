"""rollout: trajectories drawn frame by frame from a model of the dynamics."""

from __future__ import annotations

import numpy as np
import torch

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.generation.generate import structures_of
from mdnb.generation.latents import Region, latents_name, require_generator
from mdnb.generation.maker import Maker
from mdnb.generation.rolled import Rollout
from mdnb.models.base import Predictor
from mdnb.models.objectives.propagate import PropagateHead
from mdnb.runs import Run
from mdnb.trajectories import Trajectories

__all__ = ["rollout"]


@torch.no_grad()
def rollout(
    run: Run,
    start: Features,
    n_frames: int = 1000,
    n_trajectories: int = 16,
    *,
    decoder: Run | None = None,
    frames: np.ndarray | None = None,
    seed: int = 0,
    reference: Trajectories | Features | None = None,
    clean_up: bool | None = None,
) -> Rollout:
    """Draw trajectories: each next frame from the distribution that the model gives it, after the frames before.

    All trajectories are drawn at once, each from random numbers of its own. They are new, not averages: small
    errors of the model add up to other populations and rates, which `mdnb.compare_dynamics` holds against
    simulations.

    Parameters
    ----------
    run : Run
        Trained with ``objective=mdnb.Propagate()``, on latents (`mdnb.latents`) or any other features.
    start : Features
        Real frames, with the columns of the training: each trajectory begins after one of their windows.
    n_frames, n_trajectories : int
        Frames of each trajectory, and how many.
    decoder : Run, optional
        The VAE or GAN whose latents the run was trained on: the frames become structures, with what the latents do not
        hold drawn anew.
    frames : (n_trajectories,) int array, optional
        The last frame of each starting window. By default drawn from the windows of the training part, or where
        these are other features than those of the training, from all.
    seed : int
    reference, clean_up
        As for `mdnb.generate`; of the structures, where there is a decoder.

    Returns
    -------
    Rollout

    Raises
    ------
    SpecError
        When the run was not trained with `mdnb.Propagate`, or for counts below 1.
    DataError
        When the features are others, no window ends with a frame asked for, or the decoder is not that of the latents.

    References
    ----------
    Vlachas et al., J. Chem. Theory Comput. 18, 538 (2022), https://doi.org/10.1021/acs.jctc.1c00809; Tsai, Kuo,
    Tiwary, Nat. Commun. 11, 5115 (2020), https://doi.org/10.1038/s41467-020-18959-8
    """
    model, head = _propagator(run)
    for name, count in (("n_frames", n_frames), ("n_trajectories", n_trajectories)):
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise SpecError(f"{name} = {count!r}: expected a whole number of at least 1")
    run.check(start)
    maker = None if decoder is None else _decoder_maker(run, decoder, reference)
    windows = _windows(run, start, frames, int(n_trajectories), seed)
    generator = torch.Generator().manual_seed(seed)
    window, factors = run.inputs(start, windows), head.factors()
    drawn = torch.empty(int(n_frames), *window[:, 0].shape)
    for number in range(int(n_frames)):
        new = head.draw(model.encoder(window), window, factors, generator).reshape(window[:, 0].shape)
        drawn[number] = new
        window = torch.cat([window[:, 1:], new[:, None]], dim=1)
    scaled = drawn.swapaxes(0, 1).contiguous()
    flat = scaled.flatten(0, 1)
    real = run.scaler.transform(run.examples)
    outside = Region.of(real.reshape(len(real), -1)).outside(flat.flatten(1).numpy())
    values = run.scaler.inverse(flat.numpy())
    generated = None
    if maker is not None:
        scaled = _decoded(maker.run, values, generator)
        generated = structures_of(maker, scaled, None, seed, clean_up=clean_up)
    objective = run.task.objective
    return Rollout(
        values=values.reshape(int(n_trajectories), int(n_frames), *run.task.shape),
        time_step=getattr(objective, "lag_time", 0.0) or start.source.time_step,
        columns=run.columns,
        axes=run.task.axes,
        featurizers=run.featurizers,
        topology=start.topology,
        outside=outside.reshape(int(n_trajectories), int(n_frames)),
        starts=windows[:, -1],
        generated=generated,
        family=run.family,
        seed=seed,
    )


def _propagator(run: Run) -> tuple[Predictor, PropagateHead]:
    """Return the network and its head, or refuse the run."""
    if not isinstance(run, Run):
        raise DataError(f"got {type(run).__name__!r} as a run, expected what mdnb.fit or mdnb.Run.load returns")
    model = run.model
    if not isinstance(model, Predictor) or not isinstance(model.head, PropagateHead):
        raise SpecError(
            f"this {run.family} does not say what follows a frame; train one with objective=mdnb.Propagate()"
        )
    run.require_finished()
    return model, model.head


def _decoder_maker(run: Run, decoder: Run, reference: Trajectories | Features | None) -> Maker:
    """Return what makes structures of the latents that the run was trained on, or refuse the decoder."""
    require_generator(decoder)
    maker = Maker(decoder, reference)
    if run.featurizers != (latents_name(decoder),):
        raise DataError(
            f"the {run.family} was trained on {', '.join(run.featurizers)}, the decoder makes structures of "
            f"{latents_name(decoder)}; train on mdnb.latents(decoder, features)"
        )
    return maker


def _windows(run: Run, start: Features, frames: np.ndarray | None, n: int, seed: int) -> np.ndarray:
    """Return the starting windows, (n, window) frames."""
    known = run.samples(start).frames
    if frames is not None:
        asked = np.asarray(frames)
        place = {int(last): row for row, last in enumerate(known[:, -1])}
        missing = [int(one) for one in asked.ravel() if int(one) not in place]
        if asked.shape != (n,) or missing:
            what = f"no window of {run.window.length} ends with frame {missing[0]}" if missing else "they do not fit"
            raise DataError(f"got {asked.size} starting frames for {n} trajectories; {what}")
        return known[[place[int(one)] for one in asked]]
    train = run.in_part(start, known, "train")
    chosen = known[train] if train.any() else known
    rng = np.random.default_rng(seed)
    return chosen[rng.choice(len(chosen), n, replace=len(chosen) < n)]


def _decoded(decoder: Run, values: np.ndarray, generator: torch.Generator) -> torch.Tensor:
    """Return the scaled frames that latents stand for, with the noise of the decoder."""
    return require_generator(decoder).frames(torch.from_numpy(values), generator)
