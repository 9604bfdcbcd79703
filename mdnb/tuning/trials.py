"""The trials of a study as optuna keeps them: which count, and what is known of each."""

from __future__ import annotations

from typing import Any

import optuna

__all__ = ["done", "finished", "importances", "loss", "rows"]


def loss(trial: optuna.trial.FrozenTrial) -> float:
    """Return the validation loss; infinity where there is none."""
    return float("inf") if trial.value is None else trial.value


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that were trained to their end."""
    return study.get_trials(states=[optuna.trial.TrialState.COMPLETE])


def done(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that count: those that finished, and those that were given up as bad."""
    states = optuna.trial.TrialState
    return study.get_trials(deepcopy=False, states=[states.COMPLETE, states.PRUNED])


_STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "RUNNING": "running", "FAIL": "failed", "WAITING": "waiting"}


def rows(study: optuna.Study) -> tuple[dict[str, Any], ...]:
    """Return every trial so far; of one that did not finish, the loss of its last epoch."""
    return tuple(
        {
            "trial": one.number,
            **one.params,
            "validation_loss": one.value if one.state.name == "COMPLETE" else _last(one),
            "state": _STATES[one.state.name],
        }
        for one in study.get_trials(deepcopy=False)
    )


def _last(trial: optuna.trial.FrozenTrial) -> float | None:
    return trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else None


def importances(study: optuna.Study) -> dict[str, float]:
    """Return the share of each setting in the variance of the loss; empty where there is too little to say."""
    known = finished(study)
    if len(known) < 4 or len({one.value for one in known}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}
