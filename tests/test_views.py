"""The views without a browser: values, errors in the open, what is left of them in a saved file."""

import base64
import json
import os
import re
import subprocess
import sys
import time

import mdtraj
import numpy as np
import pytest
from traitlets import TraitError

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.pictures import drawing
from mdnb.sources.folders import Folder
from mdnb.views._nglview import frontend_version
from mdnb.views._structure_controls import _pdb


@pytest.fixture(scope="module")
def dipeptide():
    return mdnb.example("alanine-dipeptide").frames(range(0, 300, 10))


@pytest.fixture(scope="module")
def peptide():
    return mdnb.example("chignolin").frames([0, 1, 2])


def model(html):
    return json.loads(re.search(r'class="mdnb-model">(.*?)</script>', html, re.DOTALL)[1])


# --- StructureView --------------------------------------------------------------------------------------------------


def test_the_mime_bundle_falls_back(dipeptide):
    view = mdnb.StructureView(dipeptide, np.arange(22) - 10.0, caption="a < b")
    data, metadata = view._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "a &lt; b" in data["text/html"]
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert "22 atoms" in metadata["image/png"]["alt"]
    shown = model(data["text/html"])
    assert len(shown["frames"]) <= 20
    assert shown["names"][0] == "frame 0"
    assert shown["names"][-1] == "frame 29"


def test_no_widget_is_made_for_a_report(dipeptide, monkeypatch):
    monkeypatch.setenv("MDNB_REPORT", "1")
    view = mdnb.StructureView(dipeptide, frame=7)
    data, _ = view._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", "image/png"}
    assert view._controls is None
    shown = model(data["text/html"])
    assert shown["names"][shown["start"]] == "frame 7"


def test_slider_number_and_value_follow_each_other(dipeptide):
    view = mdnb.StructureView(mdnb.example("alanine-dipeptide"), frame=3)
    assert view.widget is view.widget
    controls = view._controls
    assert controls.number.value == controls.slider.value == 3
    sent = []
    controls.canvas.set_coordinates = lambda coordinates: sent.append(coordinates[0])
    controls.slider.set_state({"value": 8})
    assert view.value == controls.number.value == 8
    view.value = 12
    assert controls.slider.value == 12
    assert len(sent) == 2
    assert sent[0].shape == (22, 3)
    with pytest.raises(TraitError, match="no frame -1"):
        view.value = -1
    view.show(dipeptide[:1])
    assert view.value == controls.slider.value == controls.slider.max == 0
    assert controls.frame_row.layout.display == "none"
    assert len(controls.canvas._ngl_component_ids) == 1


def test_the_value_is_carried_to_nglview_as_a_temperature_factor(dipeptide):
    from mdnb.views._structure_controls import _structure

    values = np.linspace(-2, 2, 22)
    text = _structure(drawing(dipeptide[0], values), dipeptide[0]).get_structure_string()
    factors = [float(line[60:66]) for line in text.splitlines() if line.startswith(("ATOM", "HETATM"))]
    np.testing.assert_allclose(factors, (values / 2 + 1) / 2 * 99, atol=0.01)


def test_nglview_gets_the_right_bonds_of_a_selection(tmp_path):
    from mdnb.views._structure_controls import _structure

    whole = mdnb.example("alanine-dipeptide").frames([0])
    part = whole.atom_slice(whole.topology.select("element != H"))
    (tmp_path / "part.pdb").write_text(_structure(drawing(part), part).get_structure_string())
    again = mdtraj.load(str(tmp_path / "part.pdb"), standard_names=False)
    assert [str(atom) for atom in again.topology.atoms] == [str(atom) for atom in part.topology.atoms]
    np.testing.assert_allclose(again.xyz, part.xyz, atol=1e-3)

    def bonds(topology):
        return {frozenset((a.index, b.index)) for a, b in topology.bonds}

    assert bonds(again.topology) == bonds(part.topology)


def test_an_error_in_a_callback_is_shown(dipeptide):
    class Broken:
        topology, n_frames, failing = dipeptide.topology, 5, False

        def frames(self, indices):
            if self.failing:
                raise DataError("<the file> is gone")
            return dipeptide[list(indices)]

    view = mdnb.StructureView(Broken())
    view.widget  # noqa: B018 - makes it
    view.structures.failing = True
    view._controls.slider.set_state({"value": 2})
    assert "&lt;the file&gt; is gone" in view._controls.message.value
    view.structures.failing = False
    view._controls.slider.set_state({"value": 3})
    assert view._controls.message.value == ""


def test_what_cannot_be_shown(dipeptide):
    with pytest.raises(DataError, match="expected Trajectories"):
        mdnb.StructureView([1, 2])
    with pytest.raises(DataError, match="no frame 99"):
        mdnb.StructureView(dipeptide, frame=99)


def test_nglview_asks_for_the_javascript_that_is_installed(dipeptide):
    view = mdnb.StructureView(dipeptide)
    view.widget  # noqa: B018 - makes it
    assert view._controls.canvas._view_module_version == frontend_version()


def test_nglview_imported_by_us_is_pinned_to_that_javascript():
    """In a process of its own: another test may have imported nglview before."""
    code = (
        "import sys; from mdnb.views._nglview import frontend_version, new_view; new_view(); "
        "assert sys.modules['nglview._frontend'].__frontend_version__ == frontend_version()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# --- TrajectoryPicker -----------------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path, dipeptide, peptide):
    folder = tmp_path / "root" / "a & b"
    folder.mkdir(parents=True)
    dipeptide.save_xtc(str(folder / "one.xtc"))
    dipeptide.save_xtc(str(folder / "two.xtc"))
    dipeptide[0].save_pdb(str(folder / "z-dipeptide.pdb"))
    peptide[0].save_pdb(str(folder / "a-peptide.pdb"))
    peptide[0].save_gro(str(folder / "a-peptide.gro"))
    (folder / "notes.txt").write_text("x")
    (tmp_path / "outside").mkdir()
    peptide.save_xtc(str(tmp_path / "outside" / "secret.xtc"))
    return tmp_path


def test_a_folder_is_never_left(runs):
    os.symlink(runs / "outside", runs / "root" / "door")
    os.symlink(runs / "outside" / "secret.xtc", runs / "root" / "secret.xtc")
    folder = Folder(runs / "root")
    assert [e.name for e in folder.entries()] == ["a & b"]
    for way in (("..",), ("door",), ("a & b", "..", "..", "outside"), (str(runs / "outside"),)):
        with pytest.raises(DataError, match="leads outside"):
            folder.entries(*way)
    with pytest.raises(DataError, match="not a folder"):
        Folder(runs / "nowhere")


def test_topologies_match_by_their_number_of_atoms(runs):
    folder = Folder(runs / "root")
    kinds = {e.name: e.kind for e in folder.entries("a & b")}
    assert kinds["one.xtc"] == "trajectory"
    assert "notes.txt" not in kinds
    tops = [folder.path("a & b", name) for name, kind in kinds.items() if kind == "topology"]
    assert [t.name for t in folder.matching([folder.path("a & b", "one.xtc")], tops)] == ["z-dipeptide.pdb"]


def test_arguments_decide_the_value_where_nobody_clicks(runs, monkeypatch):
    monkeypatch.setenv("MDNB_REPORT", "1")
    assert mdnb.TrajectoryPicker(runs).value is None
    assert "are picked" in mdnb.TrajectoryPicker(runs)._repr_mimebundle_()[0]["text/html"]
    picker = mdnb.TrajectoryPicker(example="alanine-dipeptide")
    assert picker.value.n_atoms == 22
    assert "application/vnd.jupyter.widget-view+json" not in picker._repr_mimebundle_()[0]
    folder = runs / "root" / "a & b"
    picker = mdnb.TrajectoryPicker(runs, files=folder / "one.xtc", top=folder / "z-dipeptide.pdb", stride=2)
    assert picker.value.n_frames == 15
    assert "stride=2" in picker.code()
    with pytest.raises(DataError):
        mdnb.TrajectoryPicker(files=folder / "missing.xtc")
    with pytest.raises(SpecError):
        mdnb.TrajectoryPicker(example="alanine")
    with pytest.raises(DataError, match="one of the two"):
        mdnb.TrajectoryPicker(example="chignolin", files=["a"])


def test_picking_files_with_the_controls(runs):
    picker = mdnb.TrajectoryPicker(runs / "root")
    controls = (picker.widget, picker._controls)[1]
    controls.source.value = "files in a folder"
    controls.listing.where.value = "a & b"
    controls.open_files.click()
    assert "No file is chosen" in controls.message.value
    controls.files.value = ("one.xtc", "two.xtc")
    assert controls.top.value.endswith("z-dipeptide.pdb")
    assert "22 of 22 atoms" in controls.count.value
    controls.selection.value = "name CA or name C"
    assert "4 of 22 atoms" in controls.count.value
    controls.selection.value = "nonsense <b>"
    assert "mdnb-error" in controls.count.value
    assert "<b>" not in controls.count.value
    controls.open_files.click()
    assert "mdnb-error" in controls.message.value
    assert picker.value is None
    controls.selection.value = "element != H"
    controls.stride.value = 3
    assert "10 of 22 atoms; 10 frames of one.xtc" in controls.count.value
    controls.first.value = "1<b>"
    assert "First frame: &#x27;1&lt;b&gt;&#x27; is no whole number" in controls.count.value
    controls.first.value, controls.end.value = "25", "20"
    assert "none of its 30 frames" in controls.count.value
    controls.first.value, controls.end.value = "5", "-1"
    controls.whole.value = False
    assert "10 of 22 atoms; 8 frames of one.xtc" in controls.count.value
    controls.open_files.click()
    assert controls.message.value == ""
    assert (len(picker.value), picker.value.n_frames, picker.value.n_atoms) == (2, 16, 10)
    assert picker.value.make_whole is False
    assert {name: picker.parameters()[name] for name in ("start", "stop", "make_whole")} == {
        "start": 5, "stop": -1, "make_whole": False,
    }  # fmt: skip
    assert picker.preview._controls.canvas in controls.preview.children[0].children
    names: dict[str, object] = {}
    exec(picker.code(), names)  # noqa: S102 - the code shown to the user is what is tested
    assert repr(names["trajectories"]) == repr(picker.value)
    controls.listing.where.value = "../"
    assert [label for label, _ in controls.listing.where.options][1:] == ["a & b/"]


def test_every_control_has_a_label(runs):
    import ipywidgets

    def walk(widget):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from walk(child)

    picker = mdnb.TrajectoryPicker(runs, example="alanine-dipeptide")
    labelled = (ipywidgets.Text, ipywidgets.Dropdown, ipywidgets.Select, ipywidgets.SelectMultiple)
    labelled += (ipywidgets.BoundedIntText, ipywidgets.Button, ipywidgets.ToggleButton, ipywidgets.Textarea)
    controls = [w for w in walk(picker.widget) if isinstance(w, labelled)]
    assert len(controls) >= 11
    assert all(w.description for w in controls)


def test_a_folder_of_many_files_is_listed_in_pages(tmp_path):
    for index in range(1000):
        (tmp_path / f"run-{index:04}.dcd").touch()
    picker = mdnb.TrajectoryPicker(tmp_path)
    controls = (picker.widget, picker._controls)[1]
    assert len(controls.files.options) == 300
    assert "1,000 files" in controls.listing.found.value
    assert controls.listing.page.max == 4
    controls.listing.page.value = 4
    assert [value for _, value in controls.files.options][::99] == ["run-0900.dcd", "run-0999.dcd"]
    assert "901 to 1,000 shown" in controls.listing.found.value
    controls.listing.filter.value = "-099"
    assert len(controls.files.options) == 10
    assert (controls.listing.page.value, controls.listing.page.layout.display) == (1, "none")


def test_ten_thousand_files_do_not_make_it_slow(dipeptide, tmp_path):
    """5,000 trajectories and as many topologies: each action takes well under a second."""
    dipeptide.save_xtc(str(tmp_path / "a.xtc"))
    dipeptide[0].save_pdb(str(tmp_path / "a.pdb"))
    for index in range(5000):
        os.link(tmp_path / "a.xtc", tmp_path / f"run-{index:04}.xtc")
        os.link(tmp_path / "a.pdb", tmp_path / f"start-{index:04}.pdb")
    os.link(tmp_path / "a.pdb", tmp_path / "run-2345.pdb")
    picker = mdnb.TrajectoryPicker(tmp_path)
    took: dict[str, float] = {}

    def clocked(name, action):
        begin = time.process_time()  # of this process alone, whatever else the machine does
        action()
        took[name] = time.process_time() - begin

    clocked("open", lambda: picker.widget)
    controls = picker._controls
    clocked("look into the folder", lambda: setattr(controls.source, "value", "files in a folder"))
    clocked("filter", lambda: setattr(controls.listing.filter, "value", "run-2"))
    clocked("page", lambda: setattr(controls.listing.page, "value", 2))
    clocked("click", lambda: setattr(controls.files, "value", ("run-2345.xtc",)))
    assert controls.top.value.endswith("run-2345.pdb"), "the topology of the same name comes first"
    clocked("thirty more", lambda: setattr(controls.files, "value", tuple(v for _, v in controls.files.options[:31])))
    assert "22 of 22 atoms" in controls.count.value
    assert "... and 1 more" in controls.health.value
    assert max(took.values()) < 1, took


@pytest.mark.skipif("MDNB_EXTRA_DATA" not in os.environ, reason="MDNB_EXTRA_DATA does not name a folder of real data")
def test_real_trajectories_are_picked():
    folder = os.path.join(os.environ["MDNB_EXTRA_DATA"], "ala2_msmb_data")
    picker = mdnb.TrajectoryPicker(folder)
    controls = (picker.widget, picker._controls)[1]
    controls.source.value = "files in a folder"
    dcd = [name for _, name in controls.files.options if name.endswith(".dcd")]
    controls.files.value = tuple(dcd[:2])
    assert "(atoms match)" in {value: label for label, value in controls.top.options}[controls.top.value]
    controls.open_files.click()
    assert controls.message.value == ""
    assert len(picker.value) == 2


def test_names_do_not_begin_lines_of_their_own(dipeptide):
    topology = dipeptide.topology.copy()
    topology.atom(0).name, topology.atom(1).name = "A\nTOM", "\x1b\0\u2028"
    topology.residue(1).name = "\r\nX"
    odd = mdtraj.Trajectory(dipeptide.xyz[:1], topology)
    lines = _pdb(drawing(odd), odd.xyz[0] * 10).splitlines()
    assert [line for line in lines if not line.startswith(("ATOM  ", "CONECT", "END"))] == []
    assert sum(line.startswith("ATOM") for line in lines) == 22
    assert [line[12:16] for line in lines[:2]] == ["A_TO", " ___"]
    assert lines[6][17:20] == "__X"


def test_frames_are_superposed_as_mdtraj_does_it(dipeptide):
    """Turned, moved, and also where all atoms lie in a plane."""
    view = mdnb.StructureView(dipeptide)
    heavy = dipeptide.topology.select("element != H")
    for frame in (0, 7, 29):
        expected = dipeptide[frame].superpose(view._first, atom_indices=heavy).xyz[0] * 10
        np.testing.assert_allclose(view.coordinates(frame), expected, atol=2e-4)
    flat = mdtraj.Trajectory(dipeptide.xyz[:2] * (1, 1, 0), dipeptide.topology)
    moved = np.array(flat.xyz)
    moved[1] = moved[0] @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]) + 3
    view = mdnb.StructureView(mdtraj.Trajectory(moved, dipeptide.topology))
    np.testing.assert_allclose(view.coordinates(1), view.coordinates(0), atol=1e-4)


@pytest.mark.parametrize("frame", ["3", 1.5, None, True])
def test_a_frame_that_is_no_number(dipeptide, frame):
    with pytest.raises(DataError, match=r"frame = .*: expected the number of a frame, 0 to 29"):
        mdnb.StructureView(dipeptide, frame=frame)


DUMP = """\
ITEM: TIMESTEP
{step}
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0 10
0 10
0 10
ITEM: ATOMS id type element x y z
1 1 Ar 1.0 1.0 1.0
2 1 Ar {x} 1.0 1.0
"""


def test_units_are_asked_for_where_the_format_does_not_say_them(tmp_path, dipeptide):
    (tmp_path / "run.lammpstrj").write_text("".join(DUMP.format(step=i, x=5.0 + i / 10) for i in range(3)))
    dipeptide.save_dcd(str(tmp_path / "other.dcd"))
    dipeptide[0].save_pdb(str(tmp_path / "other.pdb"))
    picker = mdnb.TrajectoryPicker(tmp_path)
    controls = (picker.widget, picker._controls)[1]
    controls.source.value = "files in a folder"
    controls.files.value = ("other.dcd",)
    assert controls.units.layout.display == "none"
    controls.files.value = ("run.lammpstrj",)
    assert controls.units.layout.display == "flex"
    assert "does not say its units" in controls.count.value
    controls.units.value = "nano"
    assert "2 of 2 atoms; 3 frames" in controls.count.value
    controls.open_files.click()
    assert controls.message.value == ""
    np.testing.assert_allclose(picker.value.frames([2]).xyz[0, 1, 0], 5.2, rtol=1e-6)  # nm, as nano has it
    assert "units='nano'" in picker.code()
    space = {}
    exec(picker.code(), space)  # noqa: S102
    assert space["trajectories"].n_frames == 3
    again = mdnb.TrajectoryPicker(tmp_path, **{**picker.parameters(), "files": picker.parameters()["files"].split(",")})
    assert again.value.n_frames == 3
    controls.files.value = ("other.dcd",)
    controls.open_files.click()
    assert "units=" not in picker.code()
    picker.close()
    again.close()
