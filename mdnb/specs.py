"""Settings declared once: their type, default, bounds, unit and help.

From a `Spec` come the validation here, and in the layers above the form of a widget, the check of
papermill parameters, the search space and the JSON of saved results.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, get_type_hints

from mdnb.errors import SpecError, unknown_name

__all__ = ["Setting", "Spec", "Training", "setting", "spec_class"]

_KEY = "mdnb"


@dataclass(frozen=True)
class Setting:
    """What one field of a Spec declares.

    Attributes
    ----------
    name : str
    type : type
        `int`, `float`, `bool` or `str`.
    default : object
    help : str
        One line.
    low, high : float or None
        Inclusive bounds of a number.
    options : tuple or None
        The allowed values.
    unit : str
        Empty when the setting has none.
    log : bool
        Whether a slider or a search moves on a logarithmic scale.
    searched : bool
        Whether `mdnb.tune` searches it. Not so where it changes what the loss means, so that losses do not compare.
    """

    name: str
    type: type
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    options: tuple[Any, ...] | None = None
    unit: str = ""
    log: bool = False
    searched: bool = True

    def check(self, value: Any, owner: str) -> Any:
        """Return `value` as the declared type.

        Raises
        ------
        SpecError
            When it has another type, is out of bounds or is not one of the options.
        """
        where = f"{owner}.{self.name}"
        if self.type is bool:
            valid = isinstance(value, bool)
        elif self.type is int:
            valid = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        elif self.type is float:
            valid = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
        else:
            valid = isinstance(value, self.type)
        if not valid:
            raise SpecError(f"{where} = {value!r} is not a {self.type.__name__}; {self.help}")
        value = self.type(value)
        if self.options is not None and value not in self.options:
            raise unknown_name(f"value of {where}", value, map(str, self.options))
        unit = f" {self.unit}" if self.unit else ""
        if self.low is not None and value < self.low:
            raise SpecError(f"{where} = {value}{unit} is too small; the least is {self.low}{unit} ({self.help})")
        if self.high is not None and value > self.high:
            raise SpecError(f"{where} = {value}{unit} is too large; the most is {self.high}{unit} ({self.help})")
        return value


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    options: tuple[Any, ...] | None = None,
    unit: str = "",
    log: bool = False,
    searched: bool = True,
) -> Any:
    """Declare a field of a `Spec`; see `Setting` for the arguments."""
    extra = {"help": help, "low": low, "high": high, "options": options, "unit": unit, "log": log}
    extra["searched"] = searched
    return field(default=default, metadata={_KEY: extra})


_SPECS: dict[str, type[Spec]] = {}


@dataclass(frozen=True)
class Spec:
    """Base of the frozen dataclasses that hold a user's choices; every field is a `setting`."""

    kind: ClassVar[str] = "spec"

    def __init_subclass__(cls) -> None:
        _SPECS[cls.__name__] = cls

    def __new__(cls, *args: Any, **given: Any) -> Self:
        """Refuse a setting that does not exist, with the one that may be meant."""
        names = [entry.name for entry in dataclasses.fields(cls)]
        for name in given:
            if name not in names:
                raise unknown_name(f"setting of {cls.__name__}", name, names)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for declared in self.settings():
            value = declared.check(getattr(self, declared.name), type(self).__name__)
            object.__setattr__(self, declared.name, value)

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """Return the declaration of every field, in order."""
        types = get_type_hints(cls)
        return tuple(
            Setting(name=entry.name, type=types[entry.name], default=entry.default, **entry.metadata[_KEY])
            for entry in dataclasses.fields(cls)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"spec": class name, field: value, ...}``, ready for JSON."""
        return {"spec": type(self).__name__, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Make the spec that `to_dict` described.

        Raises
        ------
        SpecError
            For an unknown class, an unknown field or a value that is not allowed.
        """
        values = dict(content)
        target = spec_class(values.pop("spec", cls.__name__))
        if not issubclass(target, cls):
            raise SpecError(f"got the spec {target.__name__}, expected a {cls.__name__}")
        names = [declared.name for declared in target.settings()]
        for name in values:
            if name not in names:
                raise unknown_name(f"field of {target.__name__}", name, names)
        return target(**values)


@dataclass(frozen=True)
class Training(Spec):
    """How a model is trained."""

    epochs: int = setting(30, "passes over the training samples", low=1, high=100_000, log=True)
    batch_size: int = setting(
        0, "samples in one step; 0 takes what suits the objective (256, and 2048 for slow modes)", low=0, high=1_000_000
    )
    learning_rate: float = setting(
        0.0,
        "step size at the start, falling to zero as a cosine; 0 takes what suits the objective (0.002, for slow modes "
        "0.01)",
        low=0.0,
        high=1.0,
    )
    weight_decay: float = setting(1e-4, "decay of the weights", low=0.0, high=1.0)
    gradient_clip: float = setting(5.0, "largest norm of a gradient", low=1e-3, high=1e6, log=True)
    patience: int = setting(10, "epochs without a better validation loss before it stops", low=1, high=100_000)
    split: str = setting(
        "auto",
        "how samples are parted: by whole trajectory where there are three or more, else by contiguous block",
        options=("auto", "trajectory", "block", "leaky-random-frames"),
    )
    test: float = setting(
        0.25, "share of trajectories (or of each one's frames) held out for the test", low=0.01, high=0.9
    )
    validation: float = setting(0.125, "share held out for early stopping", low=0.01, high=0.9)
    folds: int = setting(0, "parts to cross-validate over, each the test part once; 0 for one split", low=0, high=1000)
    fold: int = setting(0, "which fold is the test part, where there are folds", low=0, high=999)
    balanced: bool = setting(False, "weigh rare classes up in the loss")
    seed: int = setting(0, "seed of the split, the weights and the order of the samples", low=0, high=2**31 - 1)
    split_seed: int = setting(
        -1, "seed of the split alone, to train several times on the same parts; -1 takes seed", low=-1, high=2**31 - 1
    )
    threads: int = setting(
        0, "processor threads; 0 tries out once whether more than one pays, and remembers it", low=0, high=1024
    )
    device: str = setting(
        "auto", "where to compute; auto takes a GPU where there is one", options=("auto", "cpu", "cuda")
    )


def spec_class(name: str, kind: str | None = None) -> type[Spec]:
    """Return the Spec subclass of that name.

    Raises
    ------
    SpecError
        When there is none (of that `kind`).
    """
    # The class that declares a kind is its base, and no member of it.
    known = {key: one for key, one in _SPECS.items() if kind is None or (one.kind == kind and "kind" not in vars(one))}
    if name not in known:
        raise unknown_name(kind or "spec", name, known)
    return known[name]
