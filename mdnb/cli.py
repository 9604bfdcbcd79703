"""The command line: ``mdnb demo``, ``mdnb lab``, ``mdnb report``, ``mdnb fetch``, ``mdnb bench``, ``mdnb cache``."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mdnb import __version__
from mdnb.errors import MdnbError, MissingDependencyError, SpecError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0, 1 for an error that is told in one sentence, 130 if interrupted."""
    options = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    try:
        status: int = options.run(options)
    except MdnbError as error:
        print(f"mdnb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mdnb: interrupted", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mdnb", description="Deep learning on molecular dynamics trajectories, from files to a report."
    )
    parser.add_argument("--version", action="version", version=f"mdnb {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="run the whole pipeline on a packaged example and write its report")
    demo.add_argument("--out", default="report", metavar="DIR", help="folder of the report (default: report)")
    _add_parameters(demo)
    demo.set_defaults(run=_report, notebook="demo")

    lab = commands.add_parser("lab", help="open JupyterLab on a copy of the notebooks")
    lab.add_argument(
        "--dir",
        default=None,
        metavar="DIR",
        help="folder to work in (default: the notebooks of a checkout, else mdnb-notebooks)",
    )
    lab.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="more arguments for jupyter lab, after --")
    lab.set_defaults(run=_lab)

    report = commands.add_parser("report", help="run a notebook and write it as one HTML file")
    report.add_argument("notebook", metavar="NOTEBOOK", help="an .ipynb file, or the name of a shipped notebook")
    report.add_argument("--out", default="report", metavar="DIR", help="folder of the report (default: report)")
    _add_parameters(report)
    report.set_defaults(run=_report)

    fetch = commands.add_parser("fetch", help="download an entry of a public database; without one, list the databases")
    fetch.add_argument("database", nargs="?", metavar="DATABASE", help="such as mdcath")
    fetch.add_argument("entry", nargs="?", metavar="ENTRY", help="such as 1r9lA02")
    fetch.add_argument(
        "--max-gb", type=float, default=2.0, metavar="GB", help="download no more than this (default: 2)"
    )
    _add_parameters(fetch, "option of the database")
    fetch.set_defaults(run=_fetch)

    bench = commands.add_parser("bench", help="measure mdnb beside other libraries on this machine")
    kinds = bench.add_subparsers(required=True, metavar="WHAT")
    features = kinds.add_parser(
        "features", help="read and featurize beside mdtraj and MDAnalysis; some minutes, 4 GB of disk"
    )
    for name, default, what in (
        ("--frames", 20_000, "frames of 3,341 atoms"),
        ("--small-frames", 250_000, "frames of 22 atoms"),
        ("--rounds", 3, "runs of each contender"),
    ):
        features.add_argument(name, type=int, default=default, metavar="N", help=f"{what} (default: {default:,})")
    features.set_defaults(run=_bench_features)
    train = kinds.add_parser(
        "train", help="train beside torch's DataLoader, lightning, mlcolvar and deeptime; some ten minutes"
    )
    for name, default, what in (
        ("--frames", 200_000, "training samples of the smallest networks"),
        ("--rounds", 3, "runs of each contender"),
        ("--threads", 1, "processor threads for everyone"),
    ):
        train.add_argument(name, type=int, default=default, metavar="N", help=f"{what} (default: {default:,})")
    train.set_defaults(run=_bench_train)
    slow = kinds.add_parser("slow", help="slow modes beside linear VAMP and deeptime's VAMPNet; some minutes a system")
    slow.add_argument(
        "--systems", default="sqrt,alanine", metavar="NAMES",
        help="sqrt, alanine, and msmb where MDNB_EXTRA_DATA holds it (default: sqrt,alanine)",
    )  # fmt: skip
    slow.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds of each contender (default: 5)")
    slow.add_argument("--epochs", type=int, default=30, metavar="N", help="passes over the pairs (default: 30)")
    slow.add_argument("--cnn", action="store_true", help="the default CNN too, which takes longer")
    slow.set_defaults(run=_bench_slow)
    reconstruct = kinds.add_parser("reconstruct", help="a VAE of two dimensions beside as many principal components")
    reconstruct.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of the VAE (default: 3)")
    reconstruct.add_argument("--epochs", type=int, default=10, metavar="N", help="passes over the frames (default: 10)")
    reconstruct.set_defaults(run=_bench_reconstruct)
    generate = kinds.add_parser(
        "generate", help="VAE and GAN beside MD, baselines and other autoencoders; some ten minutes a seed"
    )
    generate.add_argument(
        "--systems", default="", metavar="NAMES",
        help="alanine, msmb, chignolin, condition and dynamics (default: all whose data are here)",
    )  # fmt: skip
    generate.add_argument("--families", default="VAE,GAN", metavar="NAMES", help="VAE and GAN (default: both)")
    for name, count, what in (
        ("--seeds", 1, "seeds of ours (default: 1)"),
        ("--structures", 10_000, "structures of each (default: 10,000)"),
        ("--epochs", None, "passes over the frames, in place of everybody's own number"),
        ("--threads", 2, "processor threads for everyone (default: 2)"),
    ):
        generate.add_argument(name, type=int, default=count, metavar="N", help=what)
    generate.add_argument("--no-peers", dest="peers", action="store_false", help="leave other libraries out")
    generate.add_argument(
        "--data", default=None, metavar="DIR", help="folder of ala2_msmb_data (default: MDNB_EXTRA_DATA)"
    )
    generate.set_defaults(run=_bench_generate)
    explain = kinds.add_parser(
        "explain", help="explanations beside shap's, exact values and known causes; some minutes"
    )
    explain.add_argument(
        "--part", action="append", default=[], metavar="NAME", help="speed, agreement, toy or planted (default: all)"
    )
    explain.add_argument("--systems", type=int, default=5, metavar="N", help="systems of the toy part (default: 5)")
    explain.set_defaults(run=_bench_explain)

    widgets = kinds.add_parser("widgets", help="time from a click to its result in JupyterLab; needs Chromium")
    widgets.add_argument("--rounds", type=int, default=15, metavar="N", help="clicks of each kind (default: 15)")
    widgets.set_defaults(run=_bench_widgets)

    cache = commands.add_parser("cache", help="list the stored features: where, how large, of what, when last used")
    cache.add_argument("--dir", default=None, metavar="DIR", help="another folder than the user's or MDNB_CACHE")
    cache.set_defaults(run=_cache)
    return parser


def _add_parameters(parser: argparse.ArgumentParser, what: str = "parameter of the notebook") -> None:
    parser.add_argument(
        "-p", "--parameter", dest="parameters", action="append", default=[], metavar="NAME=VALUE",
        help=f"set a{'n' if what.startswith('o') else ''} {what}, as NAME=VALUE or NAME VALUE; repeat for more",
    )  # fmt: skip


def _joined(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with each ``-p NAME VALUE`` and ``-p NAME=VALUE`` as the one ``--parameter=NAME=VALUE``."""
    rest = list(arguments)
    joined: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "--" or (word == "lab" and not joined):  # what follows is not mdnb's
            return [*joined, word, *rest]
        if word not in ("-p", "--parameter"):
            joined.append(word)
            continue
        text = rest.pop(0) if rest and not _is_option(rest[0]) else ""
        if text and "=" not in text and rest and not _is_option(rest[0]):
            text = f"{text}={rest.pop(0)}"
        joined.append(f"--parameter={text}")
    return joined


def _is_option(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word.startswith("-") and word != "-"
    return False


def _split(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (sign and name):
        raise SpecError(f"-p {text}: expected a name and a value, such as -p n_frames 10 or -p n_frames=10")
    return name, value


def _report(options: argparse.Namespace) -> int:
    from mdnb.reports import find_notebook, report
    from mdnb.reports.notebooks import read_notebook
    from mdnb.reports.parameters import declared_parameters, parse_values

    notebook = find_notebook(options.notebook)
    declared = declared_parameters(read_notebook(notebook), notebook.name)
    values = parse_values(declared, [_split(text) for text in options.parameters], notebook.name)
    written = report(notebook, values, options.out)
    print(f"Report: {written.html.resolve()}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from mdnb.sources.fetching import databases, fetch

    known = databases()
    if options.database is None:
        print(known)
        return 0
    one = known[options.database]
    if options.entry is None:
        print(one.title, *(f"  {name}: {text}" for name, text in one.facts().items()), sep="\n")
        for declared in one.Options.settings():
            print(f"  -p {declared.name}={declared.default}  {declared.help}")
        print(f"  mdnb fetch {one.name} {one.example}")
        return 0
    types = {declared.name: declared.type for declared in one.Options.settings()}
    given: dict[str, Any] = {}
    for name, text in map(_split, options.parameters):
        try:
            given[name] = types.get(name, str)(text)
        except ValueError as error:
            raise SpecError(f"-p {name}={text}: expected the type {types[name].__name__}") from error
    found = fetch(options.database, options.entry, max_gb=options.max_gb, **given)
    print(found)
    print(*dict.fromkeys(found.recipe()["files"]), sep="\n")
    print(found.code)
    return 0


def _bench_features(options: argparse.Namespace) -> int:
    from mdnb.bench.features import bench_features

    print(bench_features(options.frames, options.small_frames, options.rounds))
    return 0


def _bench_train(options: argparse.Namespace) -> int:
    from mdnb.bench.training import bench_training

    print(bench_training(options.frames, options.rounds, options.threads))
    return 0


def _bench_slow(options: argparse.Namespace) -> int:
    from mdnb.bench.slow import bench_slow

    systems = [one.strip() for one in options.systems.split(",")]
    print(bench_slow(systems, options.seeds, options.epochs, options.cnn))
    return 0


def _bench_reconstruct(options: argparse.Namespace) -> int:
    from mdnb.bench.reconstruction import bench_reconstruct

    print(bench_reconstruct(seeds=options.seeds, epochs=options.epochs))
    return 0


def _bench_generate(options: argparse.Namespace) -> int:
    from mdnb.bench.generation import bench_generate

    systems, families = (
        [one.strip() for one in text.split(",") if one.strip()] for text in (options.systems, options.families)
    )
    print(
        bench_generate(
            systems or None,
            families,
            options.seeds,
            options.structures,
            epochs=options.epochs,
            peers=options.peers,
            threads=options.threads,
            data=options.data,
        )
    )
    return 0


def _bench_explain(options: argparse.Namespace) -> int:
    from mdnb.bench.explanations import bench_explain
    from mdnb.bench.explanations.tables import PARTS

    print(bench_explain(options.part or PARTS, options.systems))
    return 0


def _bench_widgets(options: argparse.Namespace) -> int:
    from mdnb.bench.widgets import bench_widgets

    bench_widgets(options.rounds, tell=partial(print, flush=True))
    return 0


def _lab(options: argparse.Namespace) -> int:
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise MissingDependencyError("jupyterlab", "mdnb lab", "lab")
    rest = options.rest[1:] if options.rest[:1] == ["--"] else options.rest
    folder = _lab_folder(options.dir)
    command = [sys.executable, "-m", "jupyterlab", *rest]
    print(f"{' '.join(command)}   (in {folder})")
    return subprocess.call(command, cwd=folder)


def _cache(options: argparse.Namespace) -> int:
    from datetime import datetime

    from mdnb.features.cache import stores
    from mdnb.features.store import cache_folder

    folder = cache_folder(options.dir or True)
    held = stores(folder)
    print(f"{folder}: {len(held)} stores, {sum(one.n_bytes for one in held) / 1e9:.2f} GB")
    for one in held:
        used = datetime.fromtimestamp(one.used).strftime("%Y-%m-%d %H:%M")
        more = f" and {len(one.files) - 1} more" if len(one.files) > 1 else ""
        print(f"  {one.path.name}  {one.n_bytes / 1e6:10,.1f} MB  {used}  {one.files[0] + more if one.files else '-'}")
    return 0


def _lab_folder(asked: str | None) -> Path:
    """Return the folder to work in: the checkout's own, or one that gets copies of the installed notebooks."""
    from mdnb.reports.notebooks import notebooks_folder

    shipped = notebooks_folder()
    in_checkout = (shipped.parent / "pyproject.toml").is_file()
    if asked is None and in_checkout:
        return shipped
    folder = Path(asked or "mdnb-notebooks")
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(shipped.glob("*.ipynb")):
        if not (folder / notebook.name).exists():  # a user's own changes stay
            shutil.copy(notebook, folder)
    return folder
