"""Model families: one a file; importing this package makes their names known to `mdnb.specs.spec_class`."""

from mdnb.models.base import Batch, Model, ModelSpec, Predictor, Task
from mdnb.models.cnn import CNN
from mdnb.models.gan import GAN
from mdnb.models.rnn import RNN
from mdnb.models.vae import VAE

__all__ = ["CNN", "GAN", "RNN", "VAE", "Batch", "Model", "ModelSpec", "Predictor", "Task"]
