"""Training: the one loop for every family and objective, its checkpoints, and what is measured at its end."""

from mdnb.specs import Training
from mdnb.training.ensembles import Ensemble, ensemble
from mdnb.training.fitting import fit, resume
from mdnb.training.folds import CrossValidation, cross_validate
from mdnb.training.threads import torch_threads

__all__ = ["CrossValidation", "Ensemble", "Training", "cross_validate", "ensemble", "fit", "resume", "torch_threads"]
