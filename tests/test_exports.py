"""Exported models return what the run returns: in TorchScript, in ONNX, and by the PLUMED input beside them."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache

import mdtraj
import numpy as np
import pytest
import torch
from learning_fixtures import FAST, families, family_spec, features, trained, trajectories

import mdnb
from mdnb.errors import DataError, MissingDependencyError, SpecError
from mdnb.exports.geometry import Geometry
from mdnb.features import DistanceMap, Distances, RadiusOfGyration, Torsions

FRAMES = np.arange(12)[:, None] * 23
MIXED = "torsions", "distances", "radius-of-gyration"


@cache
def data(kind: str) -> mdnb.Features:
    asked = {
        "torsions": "torsions",
        "mixed": MIXED,
        "angles": [Torsions(representation="angle"), Torsions(kinds=("psi",)), Distances("name CA CB N O", 1)],
        "map": DistanceMap("element != H"),
        "radius": [RadiusOfGyration("element != H"), Torsions(kinds=("phi",))],
    }
    return mdnb.featurize(trajectories(), asked[kind])


@cache
def fitted(family: str, kind: str = "torsions", target: object = "basin") -> mdnb.Run:
    """Return a run of single frames; do not change it."""
    own = target if family_spec(family).supervised else None
    training = mdnb.Training(epochs=2, threads=1, **FAST)
    return mdnb.fit(data(kind), own, family_spec(family), training, window=mdnb.Window(length=1))


def frames() -> mdtraj.Trajectory:
    return trajectories().frames(FRAMES[:, 0])


def positions(run: mdnb.Run, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return what a model of positions takes, (n_frames, 3 n_atoms)."""
    return torch.tensor(frames().xyz[:, list(Geometry(run).atoms)], dtype=dtype).flatten(1)


def by_plumed(path, inputs: torch.Tensor) -> np.ndarray:
    """Call a model as PLUMED's PYTORCH_MODEL does: first with zeros, then with one frame at a time, and gradients."""
    model = torch.jit.load(str(path))
    assert torch.isfinite(model(torch.zeros_like(inputs[:1]))).all()
    rows = []
    for row in inputs.split(1):
        taken = row.detach().clone().requires_grad_(True)
        output = model(taken)
        assert (output.ndim, output.dtype, output.is_contiguous()) == (2, torch.float32, True)
        for node in range(output.shape[1]):
            (gradient,) = torch.autograd.grad(output[:, node : node + 1], taken, torch.ones(1, 1), retain_graph=True)
            assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0
        rows.append(output.detach().numpy())
    return np.concatenate(rows)


@pytest.mark.parametrize("kind", ["torsions", "mixed", "angles", "map", "radius"])
def test_both_kinds_of_inputs_give_the_outputs_of_the_run(kind, tmp_path):
    run = fitted("CNN", kind)
    expected = run.outputs(data(kind), FRAMES)
    path = mdnb.export(run, tmp_path / "cv.pt")
    flat = torch.tensor(data(kind).flat()[FRAMES[:, 0]])
    assert np.allclose(by_plumed(path, flat), expected, atol=1e-5)
    path = mdnb.export(run, tmp_path / "from_positions.ptc", inputs="positions")
    assert np.allclose(by_plumed(path, positions(run)), expected, atol=1e-5)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "cv.dat", "cv.pt", "from_positions.dat", "from_positions.ptc"
    ]  # fmt: skip


@pytest.mark.parametrize("family", families())
def test_every_family_of_single_frames(family, tmp_path):
    run = fitted(family)
    path = run.export(tmp_path / "cv.pt", inputs="positions")
    assert np.allclose(by_plumed(path, positions(run)), run.outputs(data("torsions"), FRAMES), atol=1e-5)
    assert all(parameter.requires_grad for parameter in run.model.parameters()), "the run itself was changed"


OBJECTIVES = {
    "slow mode 2": mdnb.SlowModes(lag_time=20.0, modes=2),
    "latent 2": mdnb.TimeLagged(lag_time=20.0, latent=2),
    "foreseen number 8": mdnb.Forecast(steps=2),
    "expected number 4": mdnb.Propagate(components=4),
    "cos psi ALA2": mdnb.Labels(uncertainty=True),
}


@pytest.mark.parametrize("last", OBJECTIVES)
def test_every_objective(last, tmp_path):
    training = mdnb.Training(epochs=1, threads=1, batch_size=400)
    target = "torsions:cos psi ALA2" if last == "cos psi ALA2" else None
    run = mdnb.fit(data("torsions"), target, mdnb.CNN(channels=4, hidden=8), training, objective=OBJECTIVES[last])
    path = mdnb.export(run, tmp_path / "cv.pt", inputs="positions")
    expected = run.outputs(data("torsions"), FRAMES)
    assert np.allclose(by_plumed(path, positions(run)), expected, atol=1e-5)
    assert f"#   cv.node-{expected.shape[1] - 1}: {last}\n" in path.with_suffix(".dat").read_text()


def by_onnx(path, inputs: np.ndarray) -> np.ndarray:
    """Return what onnxruntime computes."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime runs ONNX; it comes with the test extra")
    (found,) = onnxruntime.InferenceSession(str(path)).run(["outputs"], {"inputs": inputs})
    return found


@pytest.mark.parametrize("target", ["basin", "radius-of-gyration"])
@pytest.mark.parametrize("family", ["VAE", "GAN"])
def test_conditional_generators(family, target, tmp_path):
    run = mdnb.fit(data("torsions"), target, family_spec(family), mdnb.Training(epochs=1, threads=1, **FAST))
    expected = run.outputs(data("torsions"), FRAMES)
    path = mdnb.export(run, tmp_path / "cv.pt")
    assert np.allclose(by_plumed(path, torch.tensor(data("torsions").values[FRAMES[:, 0]])), expected, atol=1e-5)
    assert ("latent 1" if family == "VAE" else "score of the critic 1") in path.with_suffix(".dat").read_text()
    path = mdnb.export(run, tmp_path / "cv.onnx")
    assert np.allclose(by_onnx(path, data("torsions").values[FRAMES]), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["mixed", "angles"])
def test_the_geometry_is_that_of_the_features(kind):
    found = Geometry(fitted("CNN", kind))(positions(fitted("CNN", kind))).numpy()
    assert np.allclose(found, data(kind).flat()[FRAMES[:, 0]], atol=2e-6)


@pytest.mark.parametrize("kind", ["mixed", "angles", "radius"])
def test_gradients_with_respect_to_positions(kind):
    """Against finite differences, in double precision."""
    geometry = Geometry(fitted("CNN", kind))
    weights = torch.randn(len(data(kind).columns), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def value(x: torch.Tensor) -> torch.Tensor:
        return (geometry.exact(x) * weights).sum(1)

    x = positions(fitted("CNN", kind), torch.float64)[:3].requires_grad_(True)
    assert torch.autograd.gradcheck(value, x, eps=1e-6, atol=1e-6)


def test_gradients_of_a_whole_model(tmp_path):
    """In single precision, as PLUMED has it: a step along the gradient raises the output by its square."""
    run = fitted("CNN", "mixed", "radius-of-gyration")
    model = torch.jit.load(str(mdnb.export(run, tmp_path / "cv.pt", inputs="positions")))
    for row in positions(run)[:4].split(1):
        x = row.requires_grad_(True)
        (gradient,) = torch.autograd.grad(model(x).sum(), x)
        step = 1e-3 * gradient / gradient.norm()
        rise = (model(x + step) - model(x - step)).item() / 2e-3
        assert rise == pytest.approx(gradient.norm().item(), rel=0.02)
        shift = torch.ones_like(x).reshape(-1, 3) * torch.tensor([0.1, -0.2, 0.3])
        assert model(x + shift.reshape(1, -1)).item() == pytest.approx(model(x).item(), abs=1e-5)


def arguments(text: str, trajectory: mdtraj.Trajectory, first: int = 1) -> np.ndarray:
    """Compute the ARG of a PLUMED input with mdtraj, (n_frames, n_arguments)."""
    values: dict[str, np.ndarray] = {}
    masses = np.array([atom.element.mass for atom in trajectory.topology.atoms])
    for line in text.partition("cv: PYTORCH_MODEL")[0].splitlines():
        if line.startswith(("#", "WHOLEMOLECULES")):
            continue
        label, action, rest = re.fullmatch(r"(\w+): (\w+) (.*)", line).groups()
        assert label not in values
        atoms = [int(n) - first for found in re.findall(r"ATOMS?=([\d,]+)", rest) for n in found.split(",")]
        if action == "TORSION":
            values[label] = mdtraj.compute_dihedrals(trajectory, [atoms])[:, 0]
        elif action == "DISTANCE":
            values[label] = mdtraj.compute_distances(trajectory, [atoms])[:, 0]
        elif action == "GYRATION":
            body, own = trajectory.xyz[:, atoms], masses[atoms]
            body = body - np.average(body, axis=1, weights=own)[:, None]
            values[label] = np.sqrt(np.average((body**2).sum(2), axis=1, weights=own))
        elif action == "CUSTOM":
            source, function = re.fullmatch(r"ARG=(\w+) FUNC=(sin|cos)\(x\) PERIODIC=NO", rest).groups()
            values[label] = getattr(np, function)(values[source])
        elif action == "CONSTANT":
            values[label] = np.zeros(len(trajectory))
        else:
            assert (action, "NOPBC" in rest) == ("POSITION", True)
            values |= {f"{label}.{axis}": trajectory.xyz[:, atoms[0], n] for n, axis in enumerate("xyz")}
    (listed,) = re.findall(r"  ARG=(\S+)\n", text)
    return np.stack([values[name] for name in listed.split(",")], axis=1).astype(np.float32)


@pytest.mark.parametrize("inputs", ["features", "positions"])
@pytest.mark.parametrize("kind", ["torsions", "mixed", "angles", "map", "radius"])
def test_the_plumed_input_computes_what_the_model_takes(kind, inputs, tmp_path):
    run = fitted("CNN", kind)
    path = mdnb.export(run, tmp_path / "cv.pt", inputs=inputs)
    taken = arguments(path.with_suffix(".dat").read_text(), frames())
    assert np.allclose(by_plumed(path, torch.tensor(taken)), run.outputs(data(kind), FRAMES), atol=1e-5)


def test_the_text_of_a_plumed_input(tmp_path):
    path = mdnb.export(fitted("CNN"), tmp_path / "my cv.pt", "plumed")
    assert path.with_suffix(".dat").read_text().splitlines()[3:] == [
        "#   cv.node-0: probability of 'extended'",
        "#   cv.node-1: probability of 'right-handed'",
        "#   cv.node-2: probability of 'left-handed'",
        "phi_ALA2: TORSION ATOMS=5,7,9,11",
        "sin_phi_ALA2: CUSTOM ARG=phi_ALA2 FUNC=sin(x) PERIODIC=NO",
        "cos_phi_ALA2: CUSTOM ARG=phi_ALA2 FUNC=cos(x) PERIODIC=NO",
        "psi_ALA2: TORSION ATOMS=7,9,11,17",
        "sin_psi_ALA2: CUSTOM ARG=psi_ALA2 FUNC=sin(x) PERIODIC=NO",
        "cos_psi_ALA2: CUSTOM ARG=psi_ALA2 FUNC=cos(x) PERIODIC=NO",
        "cv: PYTORCH_MODEL ...",
        "  FILE={my cv.pt}",
        "  ARG=sin_phi_ALA2,cos_phi_ALA2,sin_psi_ALA2,cos_psi_ALA2",
        "...",
        "PRINT ARG=cv.node-0,cv.node-1,cv.node-2 STRIDE=500 FILE=COLVAR",
    ]


@pytest.mark.parametrize("inputs", ["features", "positions"])
def test_numbers_of_the_atoms_in_the_simulation(inputs, tmp_path):
    run = fitted("CNN", "mixed")
    plain = mdnb.export(run, tmp_path / "a.pt", inputs=inputs).with_suffix(".dat").read_text()
    shifted = mdnb.export(run, tmp_path / "b.pt", inputs=inputs, atoms=range(101, 123)).with_suffix(".dat").read_text()
    assert np.array_equal(arguments(plain, frames()), arguments(shifted, frames(), first=101))
    assert ("WHOLEMOLECULES ENTITY0=101-122\n" in shifted) == (inputs == "positions")
    for wrong in ([1, 2], [0, *range(2, 23)], [1] * 22, [1.5, *range(2, 23)], []):
        with pytest.raises(
            DataError, match="atoms must hold the number in the simulation, from 1 on, of each of the 22"
        ):
            mdnb.export(run, tmp_path / "c.pt", atoms=wrong)
    assert not (tmp_path / "c.pt").exists()


def plumed_program() -> str:
    found = shutil.which("plumed")
    if found is None:
        pytest.skip("there is no program called plumed")
    return found


@pytest.mark.parametrize("kind", ["mixed", "angles", "map"])
def test_plumed_itself_computes_what_the_model_takes(kind, tmp_path):
    """All but PYTORCH_MODEL, which few builds of PLUMED have."""
    program = plumed_program()
    run = fitted("CNN", kind)
    path = mdnb.export(run, tmp_path / "cv.pt")
    head, _, rest = path.with_suffix(".dat").read_text().partition("cv: PYTORCH_MODEL")
    (listed,) = re.findall(r"  ARG=(\S+)\n", rest)
    (tmp_path / "plumed.dat").write_text(f"{head}PRINT ARG={listed} FILE=COLVAR FMT=%15.9f\n")
    frames().save_trr(str(tmp_path / "frames.trr"))
    masses = [atom.element.mass for atom in frames().topology.atoms]
    frames()[0].save_pdb(str(tmp_path / "top.pdb"))
    lines, numbers = (tmp_path / "top.pdb").read_text().splitlines(), iter(masses)
    lines = [f"{line[:54]}{next(numbers):6.3f}{line[60:]}" if line.startswith("ATOM") else line for line in lines]
    (tmp_path / "top.pdb").write_text("\n".join(lines))
    command = [program, "driver", "--plumed", "plumed.dat", "--mf_trr", "frames.trr", "--pdb", "top.pdb"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    taken = np.loadtxt(tmp_path / "COLVAR")[:, 1:].astype(np.float32)
    assert np.allclose(by_plumed(path, torch.tensor(taken)), run.outputs(data(kind), FRAMES), atol=1e-4)


def test_raw_scores_and_units(tmp_path):
    run = fitted("CNN")
    flat = torch.tensor(data("torsions").values[FRAMES[:, 0]])
    logits = torch.tensor(by_plumed(mdnb.export(run, tmp_path / "cv.pt", raw=True), flat))
    assert np.allclose(torch.softmax(logits, 1), run.outputs(data("torsions"), FRAMES), atol=1e-5)
    assert "logit of 'extended'" in (tmp_path / "cv.dat").read_text()
    run = fitted("CNN", "torsions", "radius-of-gyration")
    scaled = by_plumed(mdnb.export(run, tmp_path / "cv.pt", raw=True), flat)
    assert "cv.node-0: radius of gyration, scaled" in (tmp_path / "cv.dat").read_text()
    number = by_plumed(mdnb.export(run, tmp_path / "cv.pt"), flat)
    assert "cv.node-0: radius of gyration in nm" in (tmp_path / "cv.dat").read_text()
    assert np.allclose(scaled * run.target.scale + run.target.mean, number, atol=1e-6)


@pytest.mark.parametrize("family", families())
def test_onnx_of_every_family(family, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime runs ONNX; it comes with the test extra")
    run = trained(family)
    own = features("torsions" if family_spec(family).supervised else "internal-coordinates")
    path = mdnb.export(run, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(path))
    windows = run.samples(own).frames[::11]
    for n in (1, 7, len(windows)):
        (found,) = session.run(["outputs"], {"inputs": own.values[windows[:n]]})
        assert np.allclose(found, run.outputs(own, windows[:n]), atol=1e-5, rtol=1e-5)
    text = json.loads(session.get_modelmeta().custom_metadata_map["mdnb"])
    assert (text["family"], text["shape"]) == (family, [run.task.window, *own.shape])
    assert [name for name, _, _ in text["columns"]] == list(own.names)
    assert list(tmp_path.iterdir()) == [path]


def test_onnx_of_positions(tmp_path):
    run = fitted("CNN", "mixed")
    found = by_onnx(mdnb.export(run, tmp_path / "model.onnx", inputs="positions"), positions(run).numpy())
    assert np.allclose(found, run.outputs(data("mixed"), FRAMES), atol=1e-5)


def test_what_the_model_says_of_itself(tmp_path):
    extra = {"mdnb.json": ""}
    torch.jit.load(str(mdnb.export(fitted("CNN"), tmp_path / "cv.pt")), _extra_files=extra)
    text = json.loads(extra["mdnb.json"])
    assert text["columns"][0] == ["sin phi ALA2", "", [4, 6, 8, 10]]
    assert text["outputs"] == [f"probability of {name!r}" for name in ("extended", "right-handed", "left-handed")]


def test_hostile_names_stay_in_their_comment(tmp_path):
    run = fitted("CNN")
    target = replace(run.target, classes=("a\nRESTART", "b\r\nLOAD FILE=x.cpp", "c\u2028\x0b{"))
    text = mdnb.export(replace(run, target=target), tmp_path / "cv.pt").with_suffix(".dat").read_text()
    known = ("#", "phi_", "psi_", "sin_", "cos_", "cv:", "  FILE=cv.pt", "  ARG=", "...", "PRINT ARG=")
    assert all(line.startswith(known) for line in text.splitlines())


def test_a_failed_write_leaves_the_old_model(tmp_path, monkeypatch):
    path = mdnb.export(fitted("CNN"), tmp_path / "cv.pt")
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mdnb.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        mdnb.export(fitted("CNN", "mixed"), path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cv.dat", "cv.pt"]


def test_a_file_of_the_user_is_not_replaced(tmp_path):
    run = fitted("CNN")
    (tmp_path / "cv.dat").write_text("d: DISTANCE ATOMS=1,2\n")
    for name in ("cv.pt", "cv"):
        with pytest.raises(DataError, match=r"cv\.dat would be replaced by the PLUMED input .*; move it, or give"):
            mdnb.export(run, tmp_path / name, "plumed")
    with pytest.raises(DataError, match=r"cv\.DAT is the name of the PLUMED input .*; call the model cv\.pt"):
        mdnb.export(run, tmp_path / "cv.DAT", "plumed")
    with pytest.raises(DataError, match=r"torch cannot write to .*udcff.pt', which is no UTF-8; give another path"):
        mdnb.export(run, tmp_path / "\udcff.pt")
    assert [file.name for file in tmp_path.iterdir()] == ["cv.dat"]
    assert (tmp_path / "cv.dat").read_text() == "d: DISTANCE ATOMS=1,2\n"
    for _ in range(2):  # its own is replaced
        assert mdnb.export(run, tmp_path / "own.pt").with_suffix(".dat").is_file()


def test_refusals(tmp_path, monkeypatch):
    run = fitted("CNN")
    with pytest.raises(SpecError, match=r"unknown format '\.pb': known are 'onnx', 'plumed'"):
        mdnb.export(run, tmp_path / "cv.pb")
    with pytest.raises(SpecError, match="unknown kind of inputs 'position': did you mean 'positions'"):
        mdnb.export(run, tmp_path / "cv.pt", inputs="position")
    with pytest.raises(DataError, match=r"is a folder; give the file of the model, such as .*cv\.pt"):
        mdnb.export(run, tmp_path, "plumed")
    with pytest.raises(
        DataError, match="this RNN sees 4 frames at a time, PLUMED one; train it with a window of 1, or"
    ):
        mdnb.export(trained("RNN"), tmp_path / "cv.pt")
    with pytest.raises(DataError, match="this RNN sees 4 frames at a time, a model of positions one"):
        mdnb.export(trained("RNN"), tmp_path / "cv.onnx", inputs="positions")
    with pytest.raises(
        DataError, match="'internal-coordinates' cannot be written for PLUMED, which gets torsions, dist"
    ):
        mdnb.export(trained("VAE"), tmp_path / "cv.pt")
    with pytest.raises(DataError, match=r"PLUMED cannot read a file called 'a\{b.pt'; use letters, numbers, dots and"):
        mdnb.export(run, tmp_path / "a{b.pt")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        MissingDependencyError, match=r"exporting to ONNX needs the package 'onnxscript'.*'mdnb\[export\]'"
    ):
        mdnb.export(run, tmp_path / "cv.onnx")
    with pytest.raises(DataError, match=r"got 'str' to export, expected the Run of mdnb\.fit$"):
        mdnb.export("run", tmp_path / "cv.onnx")
    several = mdnb.Ensemble((run, run), 1.0, {}, {})
    with pytest.raises(DataError, match=r"got 'Ensemble' to export, .*; export each of its runs, such as made\.runs"):
        mdnb.export(several, tmp_path / "cv.onnx")
    assert list(tmp_path.iterdir()) == []


def test_slow_modes_that_begin_at_tica(tmp_path):
    """Their linear part goes into the export too."""
    objective = mdnb.SlowModes(lag_time=20.0, modes=2, linear=True)
    training = mdnb.Training(epochs=1, threads=1, batch_size=400)
    run = mdnb.fit(data("torsions"), spec=mdnb.MLP(hidden=8), training=training, objective=objective)
    path = mdnb.export(run, tmp_path / "cv.pt", inputs="positions")
    assert np.allclose(by_plumed(path, positions(run)), run.outputs(data("torsions"), FRAMES), atol=1e-5)
