"""Who trains: each function trains a new network for a number of epochs and returns it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import mdnb
from mdnb.bench.training.networks import Autoencoder, layers
from mdnb.bench.training.problems import Problem

__all__ = ["OURS", "contenders", "missing"]

OURS = "mdnb.fit"
#: Adam's, everywhere.
_RATE = 2e-3
_PEERS = ("lightning", "mlcolvar", "deeptime")
#: Trains for so many epochs.
Contender = Callable[[int], object]


def missing() -> list[str]:
    """Return the peers that are not installed."""
    return [name for name in _PEERS if find_spec(name) is None]


def contenders(problem: Problem, batch_size: int, threads: int) -> dict[str, Contender]:
    """Return who trains the network of a problem, by name, ours first.

    Parameters
    ----------
    problem : Problem
    batch_size : int
    threads : int
        Processor threads that ours is given; the others get torch's.
    """
    absent = missing()
    found: dict[str, Contender] = {
        OURS: lambda epochs: mdnb.fit(
            problem.features,
            problem.target,
            problem.spec,
            problem.training(epochs, batch_size, threads),
            window=mdnb.Window(length=problem.window),
            objective=problem.objective,
        ),
        "hand-written loop": lambda epochs: _by_hand(problem, batch_size, epochs),
        "torch DataLoader": lambda epochs: _with_loader(problem, batch_size, epochs),
    }
    if problem.kind == "reconstruction" and "lightning" not in absent:
        found["lightning + DataLoader"] = lambda epochs: _with_lightning(problem, batch_size, epochs)
    if problem.kind == "reconstruction" and "mlcolvar" not in absent:
        found["mlcolvar AutoEncoderCV"] = lambda epochs: _autoencoder_cv(problem, batch_size, epochs)
    if problem.kind == "slow modes" and "mlcolvar" not in absent:
        found["mlcolvar DeepTICA"] = lambda epochs: _deep_tica(problem, batch_size, epochs)
    if problem.kind == "slow modes" and "deeptime" not in absent:
        found["deeptime VAMPNet"] = lambda epochs: _vampnet(problem, batch_size, epochs)
    return found


def _vamp2(x: Tensor, y: Tensor) -> Tensor:
    """Return minus the VAMP-2 score, as one writes it down."""
    x, y = x - x.mean(0), y - y.mean(0)
    ridge = 1e-6 * torch.eye(x.shape[1])
    c00, c0t, ctt = x.T @ x / len(x) + ridge, x.T @ y / len(x), y.T @ y / len(x) + ridge
    return -torch.trace(torch.linalg.solve(c00, c0t) @ torch.linalg.solve(ctt, c0t.T)) - 1


def _loss(problem: Problem, network: nn.Module, batch: Sequence[Tensor]) -> Tensor:
    if problem.kind == "reconstruction":
        return nn.functional.mse_loss(network(batch[0]), batch[0])
    if problem.kind == "slow modes":
        return _vamp2(network(batch[0]), network(batch[1]))
    return nn.functional.cross_entropy(network(batch[0]), batch[1])


def _by_hand(problem: Problem, batch_size: int, epochs: int) -> nn.Module:
    """Train with indices into one tensor."""
    values, frames, labels = problem.samples
    network = problem.network()
    optimizer = torch.optim.Adam(network.parameters(), _RATE)
    for _ in range(epochs):
        for rows in torch.randperm(len(frames)).split(batch_size):
            own = frames[rows] if problem.window > 1 else frames[rows, 0]
            batch = [values[own]]
            if problem.kind == "slow modes":
                batch.append(values[own + 1])
            if labels is not None:
                batch.append(labels[rows])
            loss = _loss(problem, network, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


class _Windows(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, values: Tensor, first: Tensor, window: int, labels: Tensor) -> None:
        self._values, self._first, self._window, self._labels = values, first.tolist(), window, labels

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        first = self._first[number]
        return self._values[first : first + self._window], self._labels[number]


def _loader(problem: Problem, batch_size: int) -> DataLoader[Any]:
    values, frames, labels = problem.samples
    data: Dataset[Any]
    if labels is not None and problem.window > 1:
        data = _Windows(values, frames[:, 0], problem.window, labels)
    elif labels is not None:
        data = TensorDataset(values[frames[:, 0]], labels)
    elif problem.kind == "slow modes":
        data = TensorDataset(values[frames[:, 0]], values[frames[:, 0] + 1])
    else:
        data = TensorDataset(values[frames[:, 0]])
    return DataLoader(data, batch_size, shuffle=True)


def _with_loader(problem: Problem, batch_size: int, epochs: int) -> nn.Module:
    """Train as torch's tutorials do."""
    loader, network = _loader(problem, batch_size), problem.network()
    optimizer = torch.optim.Adam(network.parameters(), _RATE)
    for _ in range(epochs):
        for batch in loader:
            loss = _loss(problem, network, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


@contextmanager
def quiet() -> Iterator[None]:
    """Keep lightning's advice from the output."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [one.level for one in loggers]
    try:
        for one in loggers:
            one.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)


def trainer(epochs: int) -> Any:
    """Return lightning's trainer without what costs time and is no training."""
    import lightning

    return lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, limit_val_batches=0,
    )  # fmt: skip


def _with_lightning(problem: Problem, batch_size: int, epochs: int) -> object:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = problem.network()

        def training_step(self, batch: Sequence[Tensor], number: int) -> Tensor:
            return _loss(problem, self.network, batch)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), _RATE)

    with quiet():
        module = Module()
        trainer(epochs).fit(module, _loader(problem, batch_size))
    return module


def fit_cv(cv: Any, data: dict[str, Tensor], batch_size: int, epochs: int) -> object:
    from mlcolvar.data import DictDataset, DictModule

    module = DictModule(DictDataset(data), lengths=[1.0], batch_size=batch_size, shuffle=True)
    trainer(epochs).fit(cv, module)
    return cv


def _autoencoder_cv(problem: Problem, batch_size: int, epochs: int) -> object:
    with quiet():
        from mlcolvar.cvs import AutoEncoderCV

        values, frames, _ = problem.samples
        network = Autoencoder()
        cv: Any = AutoEncoderCV([45, 64, 32, 2], options={"norm_in": None, "optimizer": {"lr": _RATE}})
        cv.encoder.nn, cv.decoder.nn = network.encoder, network.decoder  # its own know no SiLU
        return fit_cv(cv, {"data": values[frames[:, 0]]}, batch_size, epochs)


def _deep_tica(problem: Problem, batch_size: int, epochs: int) -> object:
    with quiet():
        from mlcolvar.cvs import DeepTICA

        values, frames, _ = problem.samples
        now, later = values[frames[:, 0]], values[frames[:, 0] + 1]
        weights = torch.ones(len(now))
        cv: Any = DeepTICA([45, 64, 64, 3], options={"norm_in": None, "optimizer": {"lr": _RATE}})
        cv.nn.nn = layers((45, 64, 64, 3))
        data = {"data": now, "data_lag": later, "weights": weights, "weights_lag": weights}
        return fit_cv(cv, data, batch_size, epochs)


def _vampnet(problem: Problem, batch_size: int, epochs: int) -> object:
    from deeptime.decomposition.deep import VAMPNet
    from deeptime.util.data import TimeLaggedDataset

    values, frames, _ = problem.samples
    data = TimeLaggedDataset(values[frames[:, 0]].numpy(), values[frames[:, 0] + 1].numpy())
    estimator = VAMPNet(lobe=problem.network(), learning_rate=_RATE, optimizer="Adam")
    return estimator.fit(DataLoader(data, batch_size, shuffle=True), n_epochs=epochs)
