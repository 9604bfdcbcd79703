"""Every format gives what was written, in nm, ps, nm/ps and kJ/mol/nm, whatever is read at a time."""

import struct
import warnings

import h5py
import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writers import WRITERS, everything, read_mdanalysis

import mdnb
from mdnb.formats import FORMATS, open_trajectory
from mdnb.formats.h5md_writer import ATOM_DATA, write_h5md

#: Largest error of what is read, from what the format keeps. XTC was written with a precision of 1e-3 nm, PDB
#: has three decimals of Angstrom; forces (up to about 4,000 kJ/mol/nm) are float32 in units of their own.
TOLERANCE = {"positions": 3e-7, "velocities": 2e-6, "forces": 2e-3, "box": 1e-6, "time": 1e-3}
COARSE = {
    "xtc": {"positions": 0.51e-3},
    "pdb": {"positions": 0.51e-4},
    "cif": {"positions": 0.51e-5},
    "xyz": {"velocities": 5e-4, "box": 2e-6},  # ASE's masses differ in the fifth digit from mdtraj's
    "lammpstrj": {"box": 2e-6},
    "nc": {"box": 2e-5},  # MDAnalysis writes its boxes through lengths and angles in float32
    "h5md": {"box": 2e-5},
}
NAMES = tuple(TOLERANCE)
HAS = {
    "xtc": {"positions", "time", "box"},
    "trr": {"positions", "velocities", "forces", "time", "box"},
    "dcd": {"positions", "box"},
    "nc": {"positions", "velocities", "forces", "time", "box"},
    "h5": {"positions", "velocities", "time", "box"},
    "h5md": {"positions", "velocities", "forces", "time", "box"},
    "npz": {"positions", "velocities", "forces", "time"},
    "pdb": {"positions", "box"},
    "cif": {"positions", "box"},
    "xyz": {"positions", "velocities", "forces", "box"},
    "lammpstrj": {"positions", "velocities", "forces", "time", "box"},
}


@pytest.fixture(scope="session")
def written(sample, tmp_path_factory):
    """Return suffix -> path of a file written by another library."""
    paths = {suffix: tmp_path_factory.mktemp(suffix) / f"alanine.{suffix}" for suffix in WRITERS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MDAnalysis, about what an empty universe lacks
        for suffix, write in WRITERS.items():
            write(paths[suffix], sample)
    return paths


def test_every_registered_format_is_tested():
    assert {FORMATS[f".{suffix}"] for suffix in WRITERS} == set(FORMATS.values())


@pytest.mark.parametrize("suffix", WRITERS)
class TestFormat:
    def test_gives_what_was_written(self, written, sample, pdb, suffix):
        loaded = mdnb.load(written[suffix], top=pdb)
        found = everything(loaded, 7)
        found = {name: values for name, values in found.items() if not np.isnan(values).any()}
        assert set(found) == HAS[suffix]
        assert (len(loaded), loaded.n_frames, loaded.n_atoms) == (1, 30, 22)
        for name, values in found.items():
            fixed = name == "box" and suffix in ("pdb", "cif")
            expected = np.tile(3 * np.eye(3), (30, 1, 1)) if fixed else getattr(sample, name)
            difference = np.abs(values - expected).max()
            assert values.dtype == (np.float64 if name == "time" else np.float32)
            assert difference <= COARSE.get(suffix, {}).get(name, TOLERANCE[name]), (name, difference)

    def test_chunk_size_does_not_matter(self, written, pdb, suffix):
        loaded = mdnb.load(written[suffix], top=pdb)
        whole = everything(loaded, 100)
        for size in (1, 4, 30):
            part = everything(loaded, size)
            assert all(np.array_equal(part[name], whole[name], equal_nan=True) for name in whole)

    @settings(max_examples=12, deadline=None)
    @given(data=st.data())
    def test_stride_chunks_and_selection_only_choose(self, written, pdb, suffix, data):
        stride = data.draw(st.integers(1, 31), "stride")
        size = data.draw(st.integers(1, 12), "size")
        atoms = sorted(data.draw(st.sets(st.integers(0, 21), min_size=1), "atoms"))
        chosen = everything(mdnb.load(written[suffix], top=pdb, stride=stride, selection=atoms), size)
        whole = everything(mdnb.load(written[suffix], top=pdb))
        for name, values in whole.items():
            expected = values[::stride] if name in ("time", "box") else values[::stride][:, atoms]
            assert np.array_equal(chosen[name], expected, equal_nan=True), name

    def test_time_step(self, written, pdb, suffix):
        step = mdnb.load(written[suffix], top=pdb).time_step
        if "time" in HAS[suffix]:
            assert step == pytest.approx(200.0, abs=1e-3)
            assert mdnb.load(written[suffix], top=pdb, stride=3).time_step == pytest.approx(600.0, abs=1e-2)
        else:
            assert np.isnan(step)
        given = mdnb.load(written[suffix], top=pdb, stride=3, time_step=0.5)
        assert given.time_step == 1.5
        assert np.allclose(everything(given, 4)["time"], 1.5 * np.arange(10))

    def test_no_file_is_held_open(self, written, pdb, suffix):
        psutil = pytest.importorskip("psutil", reason="psutil lists the open files; it comes with ipykernel")
        loaded = mdnb.load(written[suffix], top=pdb)
        next(loaded.chunks(5))
        assert str(written[suffix]) not in [file.path for file in psutil.Process().open_files()]


@pytest.mark.parametrize("suffix", ["xtc", "dcd", "nc", "pdb", "cif"])
def test_agrees_with_mdtraj(written, pdb, suffix):
    theirs = mdtraj.load(str(written[suffix]), top=str(pdb))
    ours = everything(mdnb.load(written[suffix], top=pdb))
    assert np.abs(ours["positions"] - theirs.xyz).max() < 1e-6
    assert np.abs(ours["box"] - theirs.unitcell_vectors).max() < 1e-6
    if suffix in ("xtc", "nc"):
        assert np.abs(ours["time"] - theirs.time).max() < 1e-3


@pytest.mark.parametrize("suffix", ["xtc", "trr", "dcd", "nc", "h5md"])
def test_agrees_with_mdanalysis(written, pdb, suffix):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DCD: it says that its own time step will change
        theirs = read_mdanalysis(written[suffix], 22)
    ours = everything(mdnb.load(written[suffix], top=pdb))
    assert set(theirs) - {"time"} == set(ours) - {"time"}
    for name in set(ours) - {"time"}:
        if name == "box":  # MDAnalysis goes through lengths and angles in float32 (to 1e-5 nm)
            assert np.abs(ours[name] - theirs[name]).max() < 1e-5
        else:
            assert np.allclose(ours[name], theirs[name], rtol=1e-6, atol=2e-7), name


def test_a_box_has_its_vectors_as_rows(written, pdb):
    frames = mdnb.load(written["trr"], top=pdb).frames([0])
    lengths, angles = frames.unitcell_lengths[0], frames.unitcell_angles[0]
    assert np.allclose(lengths, 3, atol=1e-5)
    assert np.allclose(sorted(angles), [70.52878, 70.52878, 109.47122], atol=1e-4) or np.allclose(
        sorted(angles), [70.52878, 109.47122, 109.47122], atol=1e-4
    )


def test_own_topologies(written, sample):
    for suffix in ("h5", "pdb", "cif"):
        own = mdnb.load(written[suffix]).topology
        assert [str(atom) for atom in own.atoms] == [str(atom) for atom in sample.topology.atoms]
        assert own.n_bonds == sample.topology.n_bonds


def test_observables(written, pdb):
    for suffix in ("h5", "npz", "xyz"):
        values = mdnb.load(written[suffix], top=pdb, stride=4).observable("potential_energy")
        assert np.allclose(values, np.arange(30)[::4], rtol=1e-6, atol=0)
    with pytest.raises(mdnb.errors.DataError, match=r"alanine.xtc: it holds no potential_energy .* give the values"):
        mdnb.load(written["xtc"], top=pdb).observable("potential_energy")


# --- TRR: both precisions, and arrays at different intervals --------------------------------------------------------


def trr_frame(number, time, width, length=13, **arrays):
    """Return one frame as GROMACS writes it; `width` is 4 or 8 bytes a number."""
    present = {name: np.asarray(arrays[name], f">f{width}").tobytes() if name in arrays else b"" for name in "bxvf"}
    sizes = [0, 0, len(present["b"]), 0, 0, 0, 0, *(len(present[name]) for name in "xvf")]
    head = struct.pack(">iii", 1993, 13, length - 1) + b"GMX_trn_file" + struct.pack(">13i", *sizes, 22, number, 0)
    return head + np.array([time, 0], f">f{width}").tobytes() + b"".join(present[name] for name in "bxvf")


@pytest.mark.parametrize(("width", "tolerance"), [(4, 0), (8, 1e-7)])
def test_trr_precisions(sample, pdb, tmp_path, width, tolerance):
    exact = sample.positions.astype(np.float64) + (1e-9 if width == 8 else 0)
    v, f, box, time = sample.velocities, sample.forces, sample.box, sample.time
    frames = [trr_frame(i, time[i], width, b=box[i], x=exact[i], v=v[i], f=f[i]) for i in range(30)]
    (tmp_path / "a.trr").write_bytes(b"".join(frames))
    found = everything(mdnb.load(tmp_path / "a.trr", top=pdb), 4)
    assert np.abs(found["positions"] - exact).max() <= tolerance
    for name in ("velocities", "forces", "box", "time"):
        assert np.array_equal(found[name], getattr(sample, name))


def test_trr_with_arrays_at_different_intervals(sample, pdb, tmp_path):
    """Frames without positions are left out; velocities are offered only where all frames have them."""
    frames = []
    for i in range(10):
        arrays = {"v": sample.velocities[i]} | ({"x": sample.positions[i]} if i % 2 == 0 else {})
        frames.append(trr_frame(i, sample.time[i], 4, **arrays, **({"f": sample.forces[i]} if i % 4 == 0 else {})))
    (tmp_path / "a.trr").write_bytes(b"".join(frames))
    loaded = mdnb.load(tmp_path / "a.trr", top=pdb)
    assert (loaded.n_frames, loaded.has_velocities, loaded.has_forces) == (5, True, False)
    found = everything(loaded, 2)
    assert np.array_equal(found["velocities"], sample.velocities[:10:2])
    assert np.array_equal(found["time"], sample.time[:10:2])


def test_trr_whose_header_points_backwards(sample, pdb, tmp_path):
    """A negative length would lead the scan back to where it came from, for ever."""
    first = trr_frame(0, 0.0, 4, x=sample.positions[0])
    (tmp_path / "a.trr").write_bytes(first + trr_frame(1, 1.0, 4, length=-len(first), x=sample.positions[1]))
    with pytest.raises(mdnb.errors.DataError, match="does not start a TRR frame; the file is damaged"):
        mdnb.load(tmp_path / "a.trr", top=pdb)


# --- H5MD: units, fixed boxes and steps, and our own writer --------------------------------------------------------


def make_h5md(path, sample, *, time=None, unit=b"nm", edges=None, factor=1.0):
    with h5py.File(path, "w") as file:
        group = file.create_group("particles/all/position")
        group.create_dataset("value", data=sample.positions * factor).attrs["unit"] = unit
        if time is not None:
            dataset = group.create_dataset("time", data=time[0])
            dataset.attrs["unit"] = time[1]
        if edges is not None:
            file["particles/all/box/edges"] = edges
    return path


def test_h5md_units(sample, pdb, tmp_path):
    path = make_h5md(tmp_path / "a.h5md", sample, unit="Angstrom", factor=10, time=(np.arange(30) * 200_000, "fs"))
    loaded = mdnb.load(path, top=pdb)
    assert np.abs(everything(loaded)["positions"] - sample.positions).max() < 2e-7
    assert loaded.time_step == pytest.approx(200)  # whole numbers of femtoseconds are not cut to whole picoseconds
    unknown = make_h5md(tmp_path / "b.h5md", sample, unit="furlong")
    with pytest.raises(mdnb.errors.DataError, match="positions have the unit 'furlong'; known are 'nm'"):
        list(mdnb.load(unknown, top=pdb).chunks())


def test_h5md_fixed_step_and_box(sample, pdb, tmp_path):
    for edges, box in ((np.array([1.0, 2.0, 3.0]), np.diag([1.0, 2.0, 3.0])), (sample.box[0], sample.box[0])):
        path = make_h5md(tmp_path / f"{len(edges.shape)}.h5md", sample, time=(np.float64(0.25), "ps"), edges=edges)
        found = everything(mdnb.load(path, top=pdb, stride=7), 2)
        assert np.allclose(found["time"], np.arange(0, 30, 7) * 0.25)
        assert np.allclose(found["box"], np.tile(box, (5, 1, 1)), atol=1e-6)


def test_our_writer_rounds_as_it_says(sample, pdb, tmp_path):
    arrays = {name: getattr(sample, name) for name in ("positions", "velocities", "forces")}
    path = write_h5md(tmp_path / "a.h5md", time=sample.time, observables={"x": sample.time}, **arrays)
    found = everything(mdnb.load(path, top=pdb), 9)
    for name, (_, _, digits) in ATOM_DATA.items():
        assert np.abs(found[name] - arrays[name]).max() <= 0.51 * 10.0**-digits
    assert np.array_equal(found["time"], sample.time)
    assert np.array_equal(open_trajectory(path).observables()["x"], sample.time)
    assert not list(tmp_path.glob("*.partial"))


def test_our_writer_refuses(sample, tmp_path):
    path, positions = tmp_path / "a.h5md", sample.positions
    with pytest.raises(mdnb.errors.DataError, match=r"forces have the shape \(29, 22, 3\), expected"):
        write_h5md(path, time=sample.time, positions=positions, forces=sample.forces[1:])
    with pytest.raises(mdnb.errors.DataError, match="velocities hold NaN or infinite values"):
        write_h5md(path, time=sample.time, positions=positions, velocities=positions * np.nan)
    assert not list(tmp_path.iterdir())


# --- files of other people -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "n_atoms"), [("trpzip2.ff14SB.mbondi3", 220), ("systemVF", 5808), ("DPDP", 332)])
def test_amber_agrees_with_mdanalysis(extra_data, name, n_atoms):
    """AMBER's velocities need the factor 20.455 that the file states, its forces are kcal/mol/Angstrom."""
    folder = extra_data / "trpzip2_cpptraj_velfrc"
    loaded = mdnb.load(folder / f"{name}.nc", top=folder / f"{name}.parm7")
    ours, theirs = everything(loaded), read_mdanalysis(folder / f"{name}.nc", n_atoms)
    assert set(ours) == set(theirs)
    for key in ours:
        assert np.allclose(ours[key], theirs[key], rtol=2e-6, atol=1e-5 if key == "box" else 1e-6), key


def test_amber_residues_are_counted_from_one(extra_data):
    """As AMBER does; mdtraj alone calls the first one SER0."""
    folder = extra_data / "trpzip2_cpptraj_velfrc"
    loaded = mdnb.load(folder / "trpzip2.ff14SB.mbondi3.nc", top=folder / "trpzip2.ff14SB.mbondi3.parm7")
    assert [str(residue) for residue in loaded.topology.residues][:3] == ["SER1", "TRP2", "THR3"]


def test_amber_velocities_are_those_of_a_protein_at_room_temperature(extra_data):
    folder = extra_data / "trpzip2_cpptraj_velfrc"
    loaded = mdnb.load(folder / "systemVF.nc", top=folder / "systemVF.parm7")
    velocities = everything(loaded)["velocities"]
    masses = np.array([atom.element.mass for atom in loaded.topology.atoms])
    oxygen = np.array([atom.residue.is_water and atom.element.symbol == "O" for atom in loaded.topology.atoms])
    kinetic = 0.5 * (masses[:, None] * velocities**2)[:, oxygen].sum(-1).mean()
    # Rigid water: an oxygen carries a little less than its 3/2 kT, as its hydrogens move with it.
    assert 200 < 2 * kinetic / (3 * 0.0083144626) < 320


def test_long_dcd(extra_data):
    folder = extra_data / "ala2_msmb_data"
    loaded = mdnb.load(folder / "trajectory-1.dcd", top=folder / "ala2.pdb", stride=10, time_step=1.0)
    theirs = mdtraj.load(str(folder / "trajectory-1.dcd"), top=str(folder / "ala2.pdb"), stride=10)
    found = everything(loaded, 137)
    assert np.abs(found["positions"] - theirs.xyz).max() < 3e-7
    assert (loaded.time_step, found["time"][1]) == (10.0, 10.0)


def test_timewarp(extra_data):
    folder = extra_data / "peptide_timewarp_posvelfrc"
    path = folder / "implicit-2olx-traj-arrays.npz"
    loaded = mdnb.load(path, top=folder / "implicit-2olx-traj-state0.pdb")
    ours, theirs = everything(loaded, 33), np.load(path)
    for name in ("positions", "velocities", "forces", "time"):
        assert np.array_equal(ours[name], theirs[name].astype(ours[name].dtype))
    assert np.isnan(loaded.time_step)  # its frames come in pairs at growing distances
    # Kinetic energy from the velocities is what the file says: the units are those we take them for.
    masses = np.array([atom.element.mass for atom in loaded.topology.atoms])
    kinetic = 0.5 * (masses[:, None] * ours["velocities"] ** 2).sum((1, 2))
    assert np.corrcoef(kinetic, theirs["energies"][:, 1])[0, 1] > 0.9
    assert 0.8 < kinetic.mean() / theirs["energies"][:, 1].mean() < 1.2
