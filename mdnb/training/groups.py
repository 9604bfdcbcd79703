"""Group: parameters that are updated together, and their optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mdnb.specs import Training

__all__ = ["Group"]


class Group:
    """The parameters of one group of a model, with their gradients and their optimizer.

    On a CPU the parameters become views of one vector, and their gradients of another, so that clipping, the update
    and the sum over processes are one call each and not one for each parameter: a sixth of the time of a step of a
    small network. On a GPU they stay as they are, since cuDNN wants an order of its own for recurrent layers.

    Parameters
    ----------
    parameters : list of Parameter
    training : Training
    betas : tuple of float
        Adam's two decays.
    alone : bool
        Whether the model has no other parameters.

    Attributes
    ----------
    optimizer : Optimizer
    """

    def __init__(
        self, parameters: list[nn.Parameter], training: Training, betas: tuple[float, float], alone: bool = False
    ) -> None:
        # To name the parameters costs time at each step; where they are all there are, it changes nothing.
        self._inputs = None if alone else parameters
        self._vectors = [_joined(parameters)] if parameters[0].device.type == "cpu" else parameters
        self._clip = training.gradient_clip
        self.optimizer = torch.optim.AdamW(
            self._vectors, lr=training.learning_rate, betas=betas, weight_decay=training.weight_decay, fused=True
        )

    def backward(self, loss: Tensor) -> None:
        """Find the gradients of a loss."""
        for vector in self._vectors:
            if vector.grad is not None:
                vector.grad.zero_()
        loss.backward(inputs=self._inputs)

    @property
    def gradients(self) -> Sequence[Tensor]:
        """What `backward` has found, in as few tensors as it takes."""
        return [vector.grad for vector in self._vectors if vector.grad is not None]

    def step(self, learning_rate: float) -> None:
        """Clip the gradients and update the parameters."""
        (settings,) = self.optimizer.param_groups
        settings["lr"] = learning_rate
        if len(self._vectors) == 1:  # the same as below, without what that does for many
            (gradient,) = self.gradients
            gradient.mul_((self._clip / (torch.linalg.vector_norm(gradient) + 1e-6)).clamp_(max=1.0))
        else:
            nn.utils.clip_grad_norm_(self._vectors, self._clip)
        if len(self._vectors) == 1 and self._vectors[0] in self.optimizer.state:
            _step(self.optimizer, settings, self._vectors[0])
        else:
            self.optimizer.step()


@torch.no_grad()
def _step(optimizer: torch.optim.AdamW, settings: dict[str, Any], vector: nn.Parameter) -> None:
    """Take the one step that `optimizer.step` takes of one vector on a CPU, to the same bits, in a tenth of its time.

    What that does around it, for hooks and for many tensors of many kinds, takes longer than a small network's
    whole step otherwise.
    """
    state, (beta1, beta2) = optimizer.state[vector], settings["betas"]
    assert vector.grad is not None
    state["step"] += 1
    torch._fused_adamw_(
        [vector], [vector.grad], [state["exp_avg"]], [state["exp_avg_sq"]], [], [state["step"]],
        lr=settings["lr"], beta1=beta1, beta2=beta2, weight_decay=settings["weight_decay"], eps=settings["eps"],
        amsgrad=False, maximize=False,
    )  # fmt: skip


def _joined(parameters: list[nn.Parameter]) -> nn.Parameter:
    """Return one vector that holds all parameters, and make them and their gradients views of it and its gradient."""
    vector = nn.Parameter(torch.empty(sum(parameter.numel() for parameter in parameters)))
    vector.grad = torch.zeros_like(vector)
    start = 0
    for parameter in parameters:
        own = (parameter.shape, parameter.stride(), start)  # the order in memory, such as channels last, is kept
        values = vector.detach().as_strided(*own)
        parameter.data = values.copy_(parameter.detach())
        parameter.grad = vector.grad.as_strided(*own)
        start += parameter.numel()
    return vector
