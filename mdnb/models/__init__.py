"""Model families and objectives: one a file; importing this package makes their names known to `spec_class`."""

from mdnb.models.base import Batch, Model, ModelSpec, Objective, Predictor, Task
from mdnb.models.cnn import CNN
from mdnb.models.cnnrnn import CNNRNN
from mdnb.models.gan import GAN
from mdnb.models.mlp import MLP
from mdnb.models.objectives import Forecast, Labels, Propagate, SlowModes, TimeLagged
from mdnb.models.rnn import RNN
from mdnb.models.vae import VAE

__all__ = [
    "CNN", "CNNRNN", "GAN", "MLP", "RNN", "VAE", "Batch", "Forecast", "Labels", "Model", "ModelSpec", "Objective",
    "Predictor", "Propagate", "SlowModes", "Task", "TimeLagged",
]  # fmt: skip
