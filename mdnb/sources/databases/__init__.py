"""Public databases of MD trajectories, one a file; importing this package registers every one in it."""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")
