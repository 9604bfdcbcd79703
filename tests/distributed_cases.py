"""What two processes do in test_distributed.py, started by torchrun: python distributed_cases.py FOLDER WHAT."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from learning_fixtures import families, family_features, family_spec, features
from safetensors.torch import save_file

import mdnb
from mdnb.errors import MdnbError

EPOCHS, KILLED_AFTER = 3, 1
OBJECTIVES = {"slow modes": mdnb.SlowModes(lag_time=40.0), "forecast": mdnb.Forecast()}
CASES = [*families(), *OBJECTIVES]


def fit_case(case: str, out: Path | None = None, **options) -> mdnb.Run:
    """Train one case."""
    family = case if case in families() else "CNN"
    spec, objective = family_spec(family), OBJECTIVES.get(case)
    return mdnb.fit(
        family_features(family),
        "basin" if spec.supervised and objective is None else None,
        spec,
        mdnb.Training(epochs=EPOCHS, batch_size=256, learning_rate=5e-3),
        window=mdnb.Window(length=4) if family in ("RNN", "CNNRNN") else None,
        objective=objective,
        out=out,
        **options,
    )


def _errors(folder: Path) -> dict[str, str]:
    from mdnb.models.base import Predictor

    data = features()
    few = mdnb.featurize(data.source.frames(np.arange(0, 800, 80)))
    told = {}

    def told_by(name, train):
        try:
            train()
        except MdnbError as error:
            told[name] = str(error)

    lonely = mdnb.Training(split="leaky-random-frames", test=0.8)  # one sample to train on
    told_by("too few", lambda: mdnb.fit(few, None, family_spec("VAE"), lonely))
    right = Predictor.losses
    Predictor.losses = lambda self, batch, group: {"loss": right(self, batch, group)["loss"] * np.nan}
    told_by("not finite", lambda: fit_case("CNN"))
    Predictor.losses = right
    (folder / "a file").touch()
    told_by("unwritable", lambda: fit_case("CNN", out=folder / "a file" / "run"))
    fit_case("CNN")
    told["unwritable afterwards"] = "still together"
    return told


def main(folder: Path, what: str) -> None:
    """Do the cases and write what came out, each process its own."""
    import mdnb.training.loop

    mdnb.training.loop.SAVE_EVERY = 0
    rank = os.environ["RANK"]

    def keep(case: str, run: mdnb.Run) -> None:
        weights = {name: value.clone() for name, value in run.model.state_dict().items()}
        save_file(weights, folder / f"{case}-{rank}.safetensors")
        (folder / f"{case}-{rank}.json").write_text(json.dumps({"history": run.history, "notes": run.split["notes"]}))

    def die(row) -> None:
        if row["epoch"] == KILLED_AFTER:
            os._exit(9)

    (folder / "saved").mkdir(exist_ok=True)
    (folder / "killed").mkdir(exist_ok=True)
    if what == "one after another":
        for number in range(5):
            keep(f"fit-{number}", fit_case("MLP"))
    elif what == "killed":
        fit_case("CNN", out=folder / "killed" / "run", callback=die)
    else:
        torch.distributed.init_process_group("gloo")  # once, and not again for each case
        for case in CASES:
            keep(case, fit_case(case))
        keep("saved", fit_case("CNN", out=folder / "saved" / "run"))
        keep("resumed", mdnb.resume(folder / "killed" / "run"))
        (folder / f"errors-{rank}.json").write_text(json.dumps(_errors(folder)))
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
