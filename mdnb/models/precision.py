"""Half precision: for the networks only, never for what a loss makes of their outputs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["full_precision", "half_precision"]

_AS_IT_IS = nullcontext()


def half_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return what lets a GPU that can compute in bfloat16; a CPU is five to nine times slower so.

    Numbers of bfloat16 reach as far as those of float32, so that no gradient vanishes and none has to be scaled.

    Reference: Micikevicius et al., Mixed Precision Training (2018), https://doi.org/10.48550/arXiv.1710.03740
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", torch.bfloat16)
    return _AS_IT_IS


def full_precision(hidden: Tensor) -> AbstractContextManager[object]:
    """Return what turns half precision off on the device of a tensor, for covariances, logarithms and exponentials.

    bfloat16 has eight bits: what is left of it after a mean is taken off, or a likelihood's exponent, is noise.
    """
    kind = hidden.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else _AS_IT_IS
