"""Results drawn as plotly figures; nothing is computed here that a result object does not offer."""

from mdnb.figures.agreement import agreement_figure
from mdnb.figures.attributions import attributions_figure
from mdnb.figures.ensembles import ensemble_figure
from mdnb.figures.explanations import contact_map_figure, explanation_figure, window_figure
from mdnb.figures.generation import checks_figure, ramachandran_figure
from mdnb.figures.judgement import control_figure, judgement_figure, ladder_figure, populations_figure
from mdnb.figures.kinetics import chapman_kolmogorov_figure, lag_scan_figure, timescales_figure
from mdnb.figures.landscapes import landscape_figure
from mdnb.figures.learning import confusion_figure, learning_figure, scores_figure
from mdnb.figures.modes import mode_trace_figure, modes_figure
from mdnb.figures.paths import path_figure
from mdnb.figures.traces import free_energy_figure, trace_figure

__all__ = [
    "agreement_figure",
    "attributions_figure",
    "chapman_kolmogorov_figure",
    "checks_figure",
    "confusion_figure",
    "contact_map_figure",
    "control_figure",
    "ensemble_figure",
    "explanation_figure",
    "free_energy_figure",
    "judgement_figure",
    "ladder_figure",
    "lag_scan_figure",
    "landscape_figure",
    "learning_figure",
    "mode_trace_figure",
    "modes_figure",
    "path_figure",
    "populations_figure",
    "ramachandran_figure",
    "scores_figure",
    "timescales_figure",
    "trace_figure",
    "window_figure",
]
