"""``mdnb bench reconstruct``: held-out reconstruction by a VAE beside principal components of as many dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import mdnb
from mdnb.errors import DataError
from mdnb.progress import progress_bar

__all__ = ["bench_reconstruct"]


def bench_reconstruct(
    features: Sequence[str] = ("torsions", "distances"), seeds: int = 3, epochs: int = 10, latent: int = 2
) -> str:
    """Train VAEs on the packaged dipeptide and return a table of their errors on held-out trajectories beside PCA's.

    Parameters
    ----------
    features : sequence of str
        As for `mdnb.featurize`, each on its own.
    seeds : int
        Of weights and order; the split stays the same.
    epochs : int
    latent : int
        Dimensions of the latent space, and principal components.

    Raises
    ------
    DataError
        When there is no seed or no epoch.
    """
    if seeds < 1 or epochs < 1:
        raise DataError(f"got {seeds} seeds and {epochs} epochs: expected at least 1 of each")
    trajectories = mdnb.example("alanine-dipeptide")
    lines = [
        f"Mean squared error of {latent} dimensions on held-out trajectories, of numbers of variance 1; {epochs} "
        "epochs; the difference with its paired 95% interval.",
        f"  {'features':<14}{'seed':>5}{'PCA':>8}{'VAE':>8}   difference",
    ]
    with progress_bar(total=seeds * len(features), description="VAE", unit="fit") as bar:
        for name in features:
            numbers = mdnb.featurize(trajectories, name)
            for seed in range(seeds):
                training = mdnb.Training(epochs=epochs, seed=seed, split_seed=0, threads=1, device="cpu")
                run = mdnb.fit(numbers, spec=mdnb.VAE(latent=latent), training=training)
                found = {who: scores["reconstruction error"] for who, scores in mdnb.baselines(run, numbers).items()}
                gap = found["VAE"].minus(found["PCA"])
                lines.append(
                    f"  {name:<14}{seed:>5}{found['PCA'].value:8.4f}{found['VAE'].value:8.4f}   "
                    f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
                )
                bar.update()
    return "\n".join(lines)
