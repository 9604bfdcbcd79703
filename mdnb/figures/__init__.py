"""Results drawn as plotly figures; nothing is computed here that a result object does not offer."""

from mdnb.figures.explanations import contact_map_figure, explanation_figure, window_figure
from mdnb.figures.generation import checks_figure, ramachandran_figure
from mdnb.figures.learning import confusion_figure, learning_figure, scores_figure
from mdnb.figures.traces import free_energy_figure, trace_figure

__all__ = [
    "checks_figure",
    "confusion_figure",
    "contact_map_figure",
    "explanation_figure",
    "free_energy_figure",
    "learning_figure",
    "ramachandran_figure",
    "scores_figure",
    "trace_figure",
    "window_figure",
]
