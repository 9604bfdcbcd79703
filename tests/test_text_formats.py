"""LAMMPS dumps, XYZ, mmCIF and PDB: units, boxes, order of atoms, topologies, and what is refused."""

import re
import warnings

import ase.io
import MDAnalysis
import mdtraj
import numpy as np
import pytest
from ase.calculators.lammps import convert
from lammps_dumps import DUMPS
from writers import WRITERS, everything, write_lammps

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.formats import open_trajectory
from mdnb.formats.units import STYLES

K = 8.31446261815324e-3
TEXT = ("lammpstrj", "xyz", "cif", "pdb")


def whole(path, **settings):
    """Return all frames of a file."""
    file = open_trajectory(path, **settings)
    return file.read(0, file.n_frames, 1, None, file.has_velocities, file.has_forces)


@pytest.fixture(scope="module")
def texts(sample, tmp_path_factory):
    made = tmp_path_factory.mktemp("texts")
    for suffix in TEXT:
        WRITERS[suffix](made / f"a.{suffix}", sample)
    return made


# --- LAMMPS ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", DUMPS)
def test_lammps_units_obey_newton(tmp_path, units):
    """Of real dumps: the temperature is the 300 K asked for, velocities are dx/dt, and forces m dv/dt."""
    (tmp_path / "a.lammpstrj").write_text(DUMPS[units])
    frames = whole(tmp_path / "a.lammpstrj")
    x, v, f = (array.astype(float) for array in (frames.positions, frames.velocities, frames.forces))
    assert np.allclose(np.diff(frames.time), 0.002, rtol=1e-6)
    assert (39.948 * v[0] ** 2).sum() / (3 * 4 - 3) / K == pytest.approx(300, rel=1e-4)
    assert np.allclose((x[2] - x[0]) / 0.004, v[1], atol=1e-2 * np.abs(v[1]).max())
    assert np.abs(f).max() > 4
    assert np.allclose(39.948 * (v[2] - v[0]) / 0.004, f[1], atol=1e-2 * np.abs(f[1]).max())
    assert np.linalg.det(frames.box[0]) == pytest.approx(7.2 * 0.36**3 if units == "metal" else 0.526**3, rel=1e-5)


@pytest.mark.parametrize("style", [style for style in STYLES if style != "electron"])
def test_unit_styles_are_those_of_ase(style):
    """ASE has LAMMPS's constants (CODATA 2014, hence 1e-7). Of "electron" it has the velocity of LAMMPS's manual."""
    fs, mol, kj = ase.units.fs, ase.units.mol, ase.units.kJ
    ours = STYLES[style]
    assert ours.positions == pytest.approx(convert(1.0, "distance", style, "ASE") / 10, rel=1e-7)
    assert ours.time == pytest.approx(convert(1.0, "time", style, "ASE") / fs / 1000, rel=1e-7)
    assert ours.velocities == pytest.approx(convert(1.0, "velocity", style, "ASE") * fs * 100, rel=1e-7)
    assert ours.forces == pytest.approx(convert(1.0, "force", style, "ASE") * mol / kj * 10, rel=1e-7)


def test_lammps_agrees_with_ase_and_mdanalysis(sample, tmp_path):
    """Both read what our test writes, so it is a LAMMPS dump; their units are made ours here."""
    write_lammps(tmp_path / "a.lammpstrj", sample, says_units=False)
    ours = whole(tmp_path / "a.lammpstrj", units="real")
    theirs = ase.io.read(tmp_path / "a.lammpstrj", ":", format="lammps-dump-text", units="real")
    assert np.abs(ours.positions - [atoms.positions / 10 for atoms in theirs]).max() < 1e-6
    assert np.abs(ours.box - [atoms.cell / 10 for atoms in theirs]).max() < 1e-6
    velocities = np.array([atoms.get_velocities() for atoms in theirs]) * ase.units.fs * 100
    assert np.abs(ours.velocities - velocities).max() < 1e-5
    forces = np.array([atoms.get_forces() for atoms in theirs]) * ase.units.mol / ase.units.kJ * 10
    assert np.abs(ours.forces - forces).max() < 1e-2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MDAnalysis, that it has no time
        universe = MDAnalysis.Universe.empty(22, trajectory=False)
        universe.load_new(str(tmp_path / "a.lammpstrj"), format="LAMMPSDUMP")
        for frame, _ in enumerate(universe.trajectory):
            assert np.allclose(universe.atoms.positions / 10, ours.positions[frame], atol=1e-6)
            assert np.allclose(universe.atoms.velocities * 100, ours.velocities[frame], atol=1e-5)  # not converted
            assert np.allclose(universe.trajectory.ts.triclinic_dimensions / 10, ours.box[frame], atol=1e-5)


@pytest.fixture(scope="session")
def lammps_files():
    tests = pytest.importorskip("MDAnalysisTests", reason="MDAnalysisTests, real files of others, is not installed")
    from pathlib import Path

    return Path(tests.__file__).parent / "data" / "lammps"


def test_lammps_conventions_agree(lammps_files, tmp_path):
    """A real file that has all four: x, xs, xu and xsu; the unwrapped ones are taken, the others are theirs wrapped."""
    import bz2

    text = bz2.decompress((lammps_files / "spce_all_coords.lammpstrj.bz2").read_bytes()).decode()
    found = {}
    for name in ("x", "xs", "xu", "xsu"):
        hidden = [other for other in ("x", "xs", "xu", "xsu") if other != name]
        changed = text
        for other in hidden:
            changed = changed.replace(" ".join(axis + other[1:] for axis in "xyz") + " ", "hidden hidden hidden ")
        (tmp_path / "a.lammpstrj").write_text(
            changed.replace(" xsu ysu zsu\n", " h h h\n") if name != "xsu" else changed
        )
        found[name] = whole(tmp_path / "a.lammpstrj", units="real")
    for one, other in (("x", "xs"), ("xu", "xsu")):
        assert np.abs(found[one].positions - found[other].positions).max() < 2e-4  # they have six digits
    box = np.diagonal(found["x"].box, axis1=1, axis2=2)[:, None]
    shift = (found["xu"].positions - found["x"].positions) / box
    assert np.abs(shift).max() > 0.9
    assert np.abs(shift - np.round(shift)).max() < 1e-3


def test_lammps_image_flags_unwrap(lammps_files):
    path = lammps_files / "image_vf.lammpstrj"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe.empty(7, trajectory=False)
        universe.load_new(str(path), format="LAMMPSDUMP", unwrap_images=True)
        theirs = np.array([universe.atoms.positions.copy() for _ in universe.trajectory])
    ours = whole(path, units="metal")
    assert np.abs(ours.positions - theirs / 10).max() < 1e-5
    assert ours.forces is not None


def test_lammps_triclinic_box(lammps_files, tmp_path):
    path = lammps_files / "albite_triclinic.dump"
    (tmp_path / "a.dump").write_bytes(path.read_bytes() + b"\n")
    ours = whole(tmp_path / "a.dump", units="metal")
    atoms = ase.io.read(path, format="lammps-dump-text", units="metal")
    assert np.abs(ours.box[0] - atoms.cell / 10).max() < 1e-6
    fractions = (ours.positions[0].astype(float) - [-0.5080894, -0.05455168, -0.0045447]) @ np.linalg.inv(ours.box[0])
    assert np.abs(fractions - atoms.get_scaled_positions(wrap=False)).max() < 1.0001


class TestLAMMPSRefusals:
    def test_units_are_asked_for(self, sample, pdb, tmp_path):
        write_lammps(tmp_path / "a.lammpstrj", sample, says_units=False)
        with pytest.raises(DataError, match=r"it does not say its units: give .* units='real' or units='metal'"):
            mdnb.load(tmp_path / "a.lammpstrj", top=pdb)
        with pytest.raises(SpecError, match="unknown units 'reel': did you mean 'real'"):
            mdnb.load(tmp_path / "a.lammpstrj", top=pdb, units="reel")
        with pytest.raises(DataError, match=r"'lj' are reduced units.*'length': 0.3405"):
            mdnb.load(tmp_path / "a.lammpstrj", top=pdb, units="lj")
        for wrong in ({"length": 1}, {"length": 0, "time": 1, "energy": 1}, 5):
            with pytest.raises(DataError, match=r"units = .*: expected one of 'real'"):
                mdnb.load(tmp_path / "a.lammpstrj", top=pdb, units=wrong)
        loaded = mdnb.load(
            tmp_path / "a.lammpstrj", top=pdb, units={"length": 2, "time": 4, "energy": 6}, time_step=1.0
        )
        found = everything(loaded)
        assert np.allclose(found["positions"], sample.positions * 20, rtol=1e-6)
        assert np.allclose(found["velocities"], sample.velocities / 100 * 0.5, rtol=1e-5, atol=1e-7)
        assert np.allclose(found["forces"], sample.forces / 41.84 * 3, rtol=1e-5, atol=1e-4)

    def test_units_that_contradict_the_file(self, texts, pdb):
        with pytest.raises(DataError, match=r"its units are 'real', but units='metal' were given; leave it out"):
            mdnb.load(texts / "a.lammpstrj", top=pdb, units="metal")

    def test_units_for_a_format_that_has_them(self, folder, pdb):
        with pytest.raises(DataError, match=r"units='real' is for LAMMPS dumps and XYZ files; a.xtc says its units"):
            mdnb.load(folder / "a.xtc", top=pdb, units="real")

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("ATOMS id ", "ATOMS nr ", "no column 'id', so that an atom cannot be followed"),
            ("\n7 ", "\n8 ", "other atoms .column 'id'. than frame 0"),
            (" x y z ", " a b c ", "has no columns x y z, xs ys zs"),
            ("NUMBER OF ATOMS\n22", "NUMBER OF ATOMS\n21", "bytes are left of a frame after the whole ones"),
            ("BOX BOUNDS", "BOX LIMITS", "where an 'ITEM:' is due"),
            (" pp pp pp\n0", " pp pp pp\nzero", "a.lammpstrj cannot be read as .lammpstrj: ValueError"),
        ],
    )
    def test_damage(self, texts, pdb, tmp_path, old, new, said):
        text = (texts / "a.lammpstrj").read_text()
        text = re.sub("BOUNDS (.*)\n-?[0-9.]+e", r"BOUNDS \1\n0e", text) if "zero" in new else text
        assert old in text
        (tmp_path / "a.lammpstrj").write_text(text.replace(old, new))
        with pytest.raises(DataError, match=said):
            everything(mdnb.load(tmp_path / "a.lammpstrj", top=pdb))

    def test_a_column_that_goes_missing(self, texts, pdb, tmp_path):
        text = (texts / "a.lammpstrj").read_text()
        at = text.rindex(" vx vy vz")
        (tmp_path / "a.lammpstrj").write_text(text[:at] + " ux vy vz" + text[at + 9 :])
        with pytest.raises(DataError, match="frame 29 has no column vx, which frame 0 has"):
            everything(mdnb.load(tmp_path / "a.lammpstrj", top=pdb))


# --- XYZ ------------------------------------------------------------------------------------------------------------


def test_xyz_agrees_with_ase(texts):
    theirs = ase.io.read(texts / "a.xyz", ":")
    ours = whole(texts / "a.xyz")
    assert np.abs(ours.positions - [atoms.positions / 10 for atoms in theirs]).max() < 1e-6
    assert np.abs(ours.box - [atoms.cell / 10 for atoms in theirs]).max() < 1e-6
    velocities = np.array([atoms.get_velocities() for atoms in theirs]) * ase.units.fs * 100
    assert np.allclose(ours.velocities, velocities, rtol=6e-5, atol=1e-6)  # their masses differ from mdtraj's
    masses = np.array([atom.element.mass for atom in open_trajectory(texts / "a.xyz").topology().atoms])
    ratio = masses / theirs[0].get_masses()
    assert np.allclose(ours.velocities * ratio[:, None], velocities, rtol=2e-6, atol=1e-6)
    forces = np.array([atoms.get_forces() for atoms in theirs]) * ase.units.mol / ase.units.kJ * 10
    assert np.abs(ours.forces - forces).max() < 1e-3


def test_xyz_velocities_need_units(sample, pdb, tmp_path):
    """Of GPUMD, which writes Angstrom/fs."""
    rows = np.hstack([sample.positions[0] * 10, sample.velocities[0] / 100])
    lines = [f"C {' '.join(f'{value:.8f}' for value in row)}" for row in rows]
    head = 'Time=100.0 pbc="T T F" Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:vel:R:3'
    (tmp_path / "a.xyz").write_text("\n".join(["22", head, *lines, ""]))
    loaded = mdnb.load(tmp_path / "a.xyz", top=pdb)
    next(loaded.chunks())
    with pytest.raises(DataError, match=r"the unit of its velocities is not known.*give units='metal'.*GPUMD"):
        next(loaded.chunks(velocities=True))
    own = {"length": 0.1, "time": 0.001, "energy": 96.4853}
    chunk = next(mdnb.load(tmp_path / "a.xyz", top=pdb, units=own).chunks(velocities=True))
    assert np.abs(chunk.velocities[0] - sample.velocities[0]).max() < 1e-5
    assert chunk.time[0] == pytest.approx(0.1)
    assert np.allclose(chunk.box[0], 0.9 * np.eye(3))


def test_plain_xyz(sample, tmp_path):
    """Of mdtraj: no keys; molecules are found by their distances."""
    frames = mdtraj.Trajectory(sample.positions, sample.topology)
    frames.save_xyz(str(tmp_path / "a.xyz"))
    loaded = mdnb.load(tmp_path / "a.xyz")
    assert np.abs(everything(loaded)["positions"] - sample.positions).max() < 0.51e-4
    assert (loaded.topology.n_residues, loaded.topology.n_bonds) == (1, 21)
    bonds = {tuple(sorted((a.index, b.index))) for a, b in sample.topology.bonds}
    assert {(a.index, b.index) for a, b in loaded.topology.bonds} == bonds


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.replace("22\n", "21\n", 1), r"frame 1 starts with 'H .*expected 21 atoms"),
        (lambda t: "hello\n" + t, "first line is not the number of atoms"),
        (lambda t: t + "5\n\n" + "H 0 0 0\n" * 5, r"starts with '5', expected 22 atoms .*split a data set"),
        (lambda t: t.replace(":pos:R:3", ":place:R:3"), "name no positions"),
        (lambda t: t.replace(":pos:R:3", ":pos:R:3:q:R", 1), "not triples of name"),
        (lambda t: t[:-1], r"truncated: .*or the last line lacks its line end"),
        (lambda t: "N".join(t.rsplit("C  ", 1)), "frame 29 has other columns or elements than frame 0"),
        (lambda t: t.replace(".", "x", 40), "cannot be read"),
    ],
)
def test_damaged_xyz(texts, pdb, tmp_path, change, said):
    (tmp_path / "a.xyz").write_text(change((texts / "a.xyz").read_text()))
    with pytest.raises(DataError, match=said):
        everything(mdnb.load(tmp_path / "a.xyz", top=pdb))


# --- topologies of files that name elements only --------------------------------------------------------------------


def test_water_broken_over_the_box(tmp_path):
    """Two molecules of water, of which one lies on either side of the box, and an ion."""
    lines = ["O 0.05 5 5", "H 9.29 5.58 5", "H 0.81 5.58 5", "Na 7 7 7", "O 3 3 3", "H 3.76 3.58 3", "H 2.24 3.58 3"]
    comment = 'Lattice="10 0 0 0 10 0 0 0 10" Properties=species:S:1:pos:R:3'
    (tmp_path / "a.xyz").write_text("\n".join(["7", comment, *lines, ""]))
    topology = mdnb.load(tmp_path / "a.xyz").topology
    assert [residue.name for residue in topology.residues] == ["HOH", "NA", "HOH"]
    assert [(a.index, b.index) for a, b in topology.bonds] == [(0, 1), (0, 2), (4, 5), (4, 6)]
    assert list(topology.select("water")) == [0, 1, 2, 4, 5, 6]


def test_a_crystal_is_no_molecule(tmp_path):
    from ase.build import bulk

    ase.io.write(tmp_path / "a.xyz", bulk("Si", cubic=True).repeat(2), format="extxyz")
    topology = mdnb.load(tmp_path / "a.xyz").topology
    assert (topology.n_residues, topology.n_bonds, topology.residue(0).name) == (64, 0, "SI")


def test_lammps_topology_from_masses_and_molecules(lammps_files, tmp_path):
    text = (lammps_files / "mass_q_elem.lammpstrj").read_text()
    (tmp_path / "a.lammpstrj").write_text(text + "\n")
    topology = mdnb.load(tmp_path / "a.lammpstrj", units="real").topology
    assert topology.n_residues == len(set(re.findall(r"^\d+ (\d+) \d+ -?\d", text, re.MULTILINE)))
    symbols = [atom.element.symbol for atom in topology.atoms]
    (tmp_path / "b.lammpstrj").write_text(text.replace(" element ", " elephant ") + "\n")
    assert [a.element.symbol for a in mdnb.load(tmp_path / "b.lammpstrj", units="real").topology.atoms] == symbols
    (tmp_path / "c.lammpstrj").write_text(text.replace(" element ", " e ").replace(" mass", " m") + "\n")
    with pytest.raises(DataError, match="holds no topology; give top="):
        mdnb.load(tmp_path / "c.lammpstrj", units="real")


# --- PDB and mmCIF --------------------------------------------------------------------------------------------------


def test_real_pdb_of_many_models(extra_data):
    path = extra_data / "ala2_msmb_data" / "100-fs-peptide-400K.pdb"
    theirs = mdtraj.load_pdb(str(path))
    loaded = mdnb.load(path)
    assert loaded.n_frames == 100
    assert np.array_equal(loaded.frames(slice(None)).xyz, theirs.xyz)
    assert loaded.topology == theirs.topology


def test_alternate_locations_are_left_to_mdtraj(tmp_path):
    row = "ATOM  {:5d}  {:3s}{:1s}GLY A   1    {:8.3f}{:8.3f}{:8.3f}  1.00  0.00           C  \n"
    model = row.format(1, "CA", "A", 1, 2, 3) + row.format(2, "CA", "B", 4, 5, 6) + row.format(3, "C", " ", 7, 8, 9)
    (tmp_path / "a.pdb").write_text("".join(f"MODEL        {k}\n{model}ENDMDL\n" for k in (1, 2)) + "END\n")
    loaded = mdnb.load(tmp_path / "a.pdb")
    assert np.allclose(everything(loaded)["positions"], np.array([[1, 2, 3], [7, 8, 9]]) / 10)
    assert (loaded.n_frames, loaded.n_atoms) == (2, 2)


def test_pdb_with_a_box_of_each_model(sample, tmp_path):
    """As gmx trjconv writes it; mdtraj alone takes the last box for all."""
    text = ""
    for k in range(3):
        one = mdtraj.Trajectory(sample.positions[k : k + 1], sample.topology)
        one.save_pdb(str(tmp_path / "one.pdb"))
        atoms = "".join(line for line in (tmp_path / "one.pdb").open() if line.startswith("ATOM"))
        text += (
            f"CRYST1   {30 + k}.000   30.000   30.000  90.00  90.00  90.00 P 1           1\nMODEL {k}\n{atoms}ENDMDL\n"
        )
    (tmp_path / "a.pdb").write_text(text)
    assert np.allclose(everything(mdnb.load(tmp_path / "a.pdb"))["box"][:, 0, 0], [3.0, 3.1, 3.2])


def test_bonds_after_the_models_are_kept(sample, tmp_path):
    mdtraj.Trajectory(sample.positions[:3], sample.topology).save_pdb(str(tmp_path / "a.pdb"))
    text = (tmp_path / "a.pdb").read_text().replace("ALA", "LIG").replace("ACE", "LIG").replace("NME", "LIG")
    (tmp_path / "a.pdb").write_text(text)
    assert "CONECT" in text
    assert mdnb.load(tmp_path / "a.pdb").topology.n_bonds == mdtraj.load_pdb(str(tmp_path / "a.pdb")).topology.n_bonds


def test_mmcif_without_model_numbers_is_one_frame(texts, tmp_path):
    lines = (texts / "a.cif").read_text().splitlines()
    names = [line.strip() for line in lines if line.startswith("_atom_site.")]
    column = names.index("_atom_site.pdbx_PDB_model_num")
    first = next(n for n, line in enumerate(lines) if line.startswith(("ATOM", "HETATM")))
    rows = [line.split() for line in lines[first : first + 22]]
    head = [line for line in lines[:first] if "pdbx_PDB_model_num" not in line]
    made = [*head, *(" ".join(row[:column] + row[column + 1 :]) for row in rows), "#", ""]
    (tmp_path / "a.cif").write_text("\n".join(made))
    loaded = mdnb.load(tmp_path / "a.cif")
    assert (loaded.n_frames, loaded.n_atoms) == (1, 22)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t + "data_b\nloop_\n_atom_site.id\n1\n#\n", "holds several structures"),
        (lambda t: t.replace("Cartn_z", "fract_z"), "its _atom_site has no Cartn_z"),
        (lambda t: t.replace("_atom_site.", "_site."), "it has no loop of _atom_site"),
    ],
)
def test_damaged_mmcif(texts, tmp_path, change, said):
    (tmp_path / "a.cif").write_text(change((texts / "a.cif").read_text()))
    with pytest.raises(DataError, match=said):
        mdnb.load(tmp_path / "a.cif")


# --- all of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", TEXT)
def test_truncated_anywhere(texts, pdb, tmp_path, suffix):
    """A cut file is refused, and the whole frames before the cut can be had; only a cut between frames goes unseen."""
    content = (texts / f"a.{suffix}").read_bytes()
    reference = everything(mdnb.load(texts / f"a.{suffix}", top=pdb))["positions"]
    path, seen = tmp_path / f"a.{suffix}", 0
    for cut in np.unique(np.linspace(len(content) // 20, len(content) * 9 // 10, 40, dtype=int)):
        path.write_bytes(content[:cut])
        with pytest.raises(
            DataError, match=r"it is truncated: .*allow_truncated=True \(also while a simulation"
        ) as raised:
            mdnb.load(path, top=pdb)
        if "the 0 whole frames" in str(raised.value):
            with pytest.raises(DataError, match="it holds no whole frame"):
                mdnb.load(path, top=pdb, allow_truncated=True)
            continue
        rest = mdnb.load(path, top=pdb, allow_truncated=True)
        seen += 1
        assert rest.n_frames < 30
        assert np.array_equal(everything(rest)["positions"], reference[: rest.n_frames])
    assert seen > 30


@pytest.mark.parametrize("suffix", TEXT)
def test_windows_line_ends(texts, pdb, tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes((texts / f"a.{suffix}").read_bytes().replace(b"\n", b"\r\n"))
    ours, theirs = (everything(mdnb.load(f / f"a.{suffix}", top=pdb)) for f in (tmp_path, texts))
    assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in theirs)


@pytest.mark.parametrize("suffix", TEXT)
def test_only_one_frame_is_in_memory(texts, pdb, suffix, monkeypatch):
    """Reading frame 20 reads that frame's bytes alone."""
    file = open_trajectory(texts / f"a.{suffix}")
    asked = []
    original = type(file)._raw
    monkeypatch.setattr(type(file), "_raw", lambda self, frame: asked.append(frame) or original(self, frame))
    file.read(20, 21, 1, None, False, False)
    assert set(asked) <= ({0, 20} if suffix == "lammpstrj" else {20})


@pytest.mark.parametrize("number", ["1e300", "inf", "nan"])
@pytest.mark.parametrize("pattern", [r"(?m)^(1 39\.948) \S+", r"(?m)^(-5\.26\S* )\S+"], ids=["position", "box"])
def test_numbers_that_are_none_are_refused_without_a_warning(tmp_path, pattern, number):
    """A warning of our own modules fails the tests."""
    path = tmp_path / "a.lammpstrj"
    path.write_text(re.sub(pattern, rf"\1 {number}", DUMPS["real"]))
    with pytest.raises(DataError, match="hold NaN or infinite numbers"):
        mdnb.load(path).read(0, 0, 1)
