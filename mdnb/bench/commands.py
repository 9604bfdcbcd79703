"""What ``mdnb bench`` can measure: the name of each benchmark, its function and its options.

The benchmarks themselves, and the libraries that they need, are imported when one is run.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["BENCHMARKS", "Benchmark", "Option"]


@dataclass(frozen=True)
class Option:
    """One option of a benchmark.

    Attributes
    ----------
    flag : str
        As it is written on the command line.
    help : str
        The default is added to it, where there is one.
    default : int, str, bool or None
        Its kind is that of the value: a number, names with commas, or a switch that is off (or on, and switched off).
    parameter : str
        Of the benchmark's function; the flag's own name when left out.
    metavar : str
        What the help calls the value; by default ``N`` for numbers and ``NAMES`` for text.
    kind : type
        Where the default is None.
    """

    flag: str
    help: str
    default: int | str | bool | None = None
    parameter: str = ""
    metavar: str = ""
    kind: type = int

    @property
    def name(self) -> str:
        """What the benchmark's function calls it."""
        return self.parameter or self.flag.lstrip("-").replace("-", "_")

    def add_to(self, parser: ArgumentParser) -> None:
        """Add the option to a parser, under the name of the function's parameter."""
        if isinstance(self.default, bool):
            action = "store_false" if self.default else "store_true"
            parser.add_argument(self.flag, dest=self.name, action=action, help=self.help)
            return
        shown = f"{self.default:,}" if isinstance(self.default, int) else self.default
        kind = self.kind if self.default is None else type(self.default)
        names = kind is str and not self.metavar
        parser.add_argument(
            self.flag, dest=self.name, default=self.default, type=_names if names else kind,
            help=self.help if shown is None else f"{self.help} (default: {shown})",
            metavar=self.metavar or ("NAMES" if names else "N"),
        )  # fmt: skip


def _names(text: str) -> list[str] | None:
    """Return names that are written with commas between them, None where there is none."""
    return [one.strip() for one in text.split(",") if one.strip()] or None


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes
    ----------
    name : str
    help : str
    function : str
        ``module:name``, taking what the options are called and returning the table as text.
    options : tuple of Option
    tells : bool
        Whether it says each line as soon as it is measured, by its parameter ``tell``, instead.
    """

    name: str
    help: str
    function: str
    options: tuple[Option, ...]
    tells: bool = False

    def add_to(self, parser: ArgumentParser) -> None:
        """Add all options to a parser."""
        for option in self.options:
            option.add_to(parser)

    def run(self, given: Namespace, tell: Callable[[str], None]) -> None:
        """Measure, and tell the result."""
        module, _, name = self.function.partition(":")
        measure = getattr(import_module(module), name)
        values = {option.name: getattr(given, option.name) for option in self.options}
        # What was not given and has no default here has one in the function.
        arguments: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
        if self.tells:
            measure(**arguments, tell=tell)
        else:
            tell(measure(**arguments))


#: In the order of the help.
BENCHMARKS = (
    Benchmark(
        "features", "read and featurize beside mdtraj and MDAnalysis; some minutes, 4 GB of disk",
        "mdnb.bench.features:bench_features",
        (
            Option("--frames", "frames of 3,341 atoms", 20_000, "n_frames"),
            Option("--small-frames", "frames of 22 atoms", 250_000, "n_small"),
            Option("--rounds", "runs of each contender", 3),
        ),
    ),
    Benchmark(
        "train", "train beside torch's DataLoader, lightning, mlcolvar and deeptime; some ten minutes",
        "mdnb.bench.training:bench_training",
        (
            Option("--frames", "training samples of the smallest networks", 200_000, "n_frames"),
            Option("--rounds", "runs of each contender", 3),
            Option("--threads", "processor threads for everyone", 1),
        ),
    ),
    Benchmark(
        "slow", "slow modes beside linear VAMP and deeptime's VAMPNet; some minutes a system",
        "mdnb.bench.slow:bench_slow",
        (
            Option("--systems", "sqrt, alanine, and msmb where MDNB_EXTRA_DATA holds it", "sqrt,alanine"),
            Option("--seeds", "seeds of each contender", 5),
            Option("--epochs", "passes over the pairs", 30),
            Option("--cnn", "the default CNN too, which takes longer", False),
        ),
    ),
    Benchmark(
        "reconstruct", "a VAE of two dimensions beside as many principal components",
        "mdnb.bench.reconstruction:bench_reconstruct",
        (Option("--seeds", "seeds of the VAE", 3), Option("--epochs", "passes over the frames", 10)),
    ),
    Benchmark(
        "generate", "VAE and GAN beside MD, baselines and other autoencoders; some ten minutes a seed",
        "mdnb.bench.generation:bench_generate",
        (
            Option("--systems", "alanine, msmb, chignolin, condition, dynamics (default: those with data)", kind=str),
            Option("--families", "VAE and GAN", "VAE,GAN"),
            Option("--seeds", "seeds of ours", 1),
            Option("--structures", "structures of each", 10_000, "n"),
            Option("--epochs", "passes over the frames, in place of everybody's own number"),
            Option("--threads", "processor threads for everyone", 2),
            Option("--no-peers", "leave other libraries out", True, "peers"),
            Option("--data", "folder of ala2_msmb_data (default: MDNB_EXTRA_DATA)", metavar="DIR", kind=str),
        ),
    ),
    Benchmark(
        "explain", "explanations beside shap's, exact values and known causes; some minutes",
        "mdnb.bench.explanations:bench_explain",
        (
            Option("--parts", "speed, agreement, toy and planted (default: all)", kind=str),
            Option("--systems", "systems of the toy part", 5),
        ),
    ),
    Benchmark(
        "widgets", "time from a click to its result in JupyterLab; needs Chromium",
        "mdnb.bench.widgets:bench_widgets",
        (Option("--rounds", "clicks of each kind", 15),),
        tells=True,
    ),
)  # fmt: skip
