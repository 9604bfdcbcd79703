"""export: write a trained model for another program."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from mdnb.errors import DataError, MissingDependencyError, unknown_name
from mdnb.exports.geometry import Geometry, terms
from mdnb.exports.network import Flat, FromPositions, Network, describe, example, output_names
from mdnb.exports.plumed import atom_numbers, is_plumed_input, plumed_input
from mdnb.files import user_path, write_whole
from mdnb.runs import Run

__all__ = ["FORMATS", "export"]

#: Format -> the suffixes that stand for it.
FORMATS = {"plumed": (".pt", ".ptc", ".pth"), "onnx": (".onnx",)}


def export(
    run: Run,
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    inputs: str = "features",
    atoms: Sequence[int] | None = None,
    raw: bool = False,
) -> Path:
    """Write a trained model for another program: PLUMED, or whatever reads ONNX.

    What goes in are features in their own units (nm, radian), or positions in nm: the scaling is part of the model.
    What comes out is what `Run.outputs` returns: probabilities of classes, a number in the label's unit, slow modes,
    the latents of a VAE, the score of a GAN's critic.

    - ``"plumed"``: a TorchScript module for PLUMED's ``PYTORCH_MODEL``, with gradients, and beside it a PLUMED input
      with the same name and the suffix ``.dat``, which computes the features (``TORSION``, ``DISTANCE``,
      ``GYRATION``, with the nearest image) or hands over positions. It takes one frame, as (1, n_inputs).
    - ``"onnx"``: an ONNX model of any number of samples (batch, window, *shape).

    To use a model in mdnb again, save it with `Run.save`.

    Parameters
    ----------
    run : Run
    path : path
        File of the model.
    format : {"plumed", "onnx"}, optional
        By default what the suffix says: ``.pt``, ``.ptc`` or ``.onnx``.
    inputs : {"features", "positions"}
        With positions, the features are part of the model, whose inputs are x, y and z of each atom that one of them
        needs, in order. For torsions, distances, distance maps and the radius of gyration. Molecules have to be whole.
    atoms : sequence of int, optional
        For PLUMED: the number in the simulation, from 1 on, of each atom that the run was trained on; by default they
        are its first ones.
    raw : bool
        Logits instead of probabilities, and numbers as the network scales them: the better variables for a bias,
        since probabilities hardly change within a state.

    Returns
    -------
    Path
        The file of the model.

    Raises
    ------
    SpecError
        For an unknown format or kind of inputs.
    DataError
        When it is no run, the features cannot be computed there, PLUMED would need more than one frame, or the PLUMED
        input would replace a file that mdnb did not write.
    MissingDependencyError
        For ONNX without its packages.

    References
    ----------
    Bonati, Rizzi, Parrinello, J. Phys. Chem. Lett. 11, 2998 (2020), https://doi.org/10.1021/acs.jpclett.0c00535
    (neural networks in PLUMED); Tribello et al., Comput. Phys. Commun. 185, 604 (2014),
    https://doi.org/10.1016/j.cpc.2013.09.018 (PLUMED 2).
    """
    if not isinstance(run, Run):
        several = "; export each of its runs, such as made.runs[0]" if hasattr(run, "runs") else ""
        raise DataError(f"got {type(run).__name__!r} to export, expected the Run of mdnb.fit{several}")
    path = user_path(path)
    if format is None:
        format = next((name for name, suffixes in FORMATS.items() if path.suffix.lower() in suffixes), path.suffix)
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if inputs not in ("features", "positions"):
        raise unknown_name("kind of inputs", inputs, ("features", "positions"))
    if run.task.window > 1 and (format == "plumed" or inputs == "positions"):
        raise DataError(
            f"this {run.family} sees {run.task.window} frames at a time, "
            f"{'PLUMED' if format == 'plumed' else 'a model of positions'} one; train it with a window of 1, or export "
            "its features to ONNX"
        )
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the file of the model, such as {path / 'cv.pt'}")
    if format == "plumed":
        _refuse_path(path)
    network, sample = _module(run, inputs, raw)
    outputs = output_names(run, raw)
    text = describe(run, inputs, outputs)
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "onnx":
        _write_onnx(network, sample, path, text)
        return path
    numbers = atom_numbers(run, atoms)
    usage = plumed_input(run, path.name, terms(run), outputs, numbers, inputs == "positions")
    traced = _traced(Flat(network, run.task.shape) if isinstance(network, Network) else network, sample.flatten(1))
    write_whole(path, lambda place: traced.save(str(place), _extra_files={"mdnb.json": text}))
    write_whole(path.with_suffix(".dat"), lambda place: place.write_text(usage, encoding="utf-8"))
    return path


def _refuse_path(path: Path) -> None:
    """Raise a DataError where a TorchScript module and its PLUMED input cannot be written."""
    if path.suffix.lower() == ".dat":
        raise DataError(f"{path.name} is the name of the PLUMED input that goes with a model; call the model cv.pt")
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"torch cannot write to {os.fspath(path)!r}, which is no UTF-8; give another path") from error
    beside = path.with_suffix(".dat")
    if beside.exists() and not is_plumed_input(beside):
        raise DataError(
            f"{beside} would be replaced by the PLUMED input of the model, and mdnb did not write it; move it, or give "
            "the model another name"
        )


def _module(run: Run, inputs: str, raw: bool) -> tuple[nn.Module, Tensor]:
    """Return a module and two samples of what it takes."""
    network = Network(run, raw)
    if inputs == "features":
        return network, example(run)
    geometry = Geometry(run)
    positions = torch.tensor(run.reference[list(geometry.atoms)], dtype=torch.float32).reshape(1, -1)
    return FromPositions(geometry, network, run.task.shape), positions.repeat(2, 1)


def _traced(module: nn.Module, samples: Tensor) -> torch.jit.ScriptModule:
    """Return a module as TorchScript, which has been seen to return the same."""
    with warnings.catch_warnings():
        # TorchScript is what PLUMED loads, however old torch says it is; the result is compared below.
        warnings.filterwarnings("ignore", "`torch.jit", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]  # not in its __all__
        traced = torch.jit.trace(module.eval(), samples[:1])
    for sample in samples.split(1):
        error = float((traced(sample) - module(sample)).abs().max())
        if not error < 1e-4:
            raise DataError(f"the traced model differs from its original by {error:g}; this is a fault of mdnb")
    assert isinstance(traced, torch.jit.ScriptModule)
    return traced


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep a logger to errors: torch.onnx tells of packages that it would know how to export."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _write_onnx(module: nn.Module, samples: Tensor, path: Path, text: str) -> None:
    for package in ("onnx", "onnxscript"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingDependencyError(package, "exporting to ONNX", "export") from error
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        # torch, onnxscript and onnx warn of what the others of them deprecate.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        program = torch.onnx.export(
            module.eval(),
            (samples,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            input_names=["inputs"],
            output_names=["outputs"],
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props["mdnb"] = text
    write_whole(path, lambda place: program.save(str(place)))
