"""What a network can be trained for; one objective a file."""

from mdnb.models.objectives.forecast import Forecast
from mdnb.models.objectives.labels import Labels
from mdnb.models.objectives.propagate import Propagate
from mdnb.models.objectives.slow_modes import SlowModes
from mdnb.models.objectives.time_lagged import TimeLagged

__all__ = ["Forecast", "Labels", "Propagate", "SlowModes", "TimeLagged"]
