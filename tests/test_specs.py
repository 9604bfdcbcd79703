"""Settings: types, bounds, options and JSON; and the sentence that each error says."""

import copy
import json
from dataclasses import FrozenInstanceError, dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mdnb
from mdnb import specs
from mdnb.errors import MdnbError, MissingDependencyError, SpecError, unknown_name
from mdnb.progress import progress_bar
from mdnb.specs import Spec, setting, spec_class


@pytest.fixture(scope="module")
def kettle():
    """A spec that exists while these tests run."""

    @dataclass(frozen=True)
    class Kettle(Spec):
        """How water is heated."""

        power: float = setting(2.0, "heat", low=0.5, high=3.0, unit="kW", log=True)
        cups: int = setting(4, "cups of water", low=1, high=8)
        whistle: bool = setting(True, "whether it whistles")
        lid: str = setting("steel", "what the lid is of", options=("steel", "glass"))

    yield Kettle
    del specs._SPECS["Kettle"]


def test_settings_are_declared_once(kettle):
    declared = {one.name: one for one in kettle.settings()}
    assert list(declared) == ["power", "cups", "whistle", "lid"]
    power = declared["power"]
    assert (power.type, power.default, power.low, power.high) == (float, 2.0, 0.5, 3.0)
    assert (power.unit, power.log, power.help) == ("kW", True, "heat")
    assert declared["lid"].options == ("steel", "glass")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"power": "2"}, r"Kettle\.power = '2' is not a float; heat"),
        ({"power": float("nan")}, r"Kettle\.power = nan is not a float"),
        ({"power": True}, r"Kettle\.power = True is not a float"),
        ({"power": 0.1}, r"Kettle\.power = 0\.1 kW is too small; the least is 0\.5 kW \(heat\)"),
        ({"power": 3.5}, r"Kettle\.power = 3\.5 kW is too large; the most is 3\.0 kW \(heat\)"),
        ({"cups": 2.0}, r"Kettle\.cups = 2\.0 is not a int; cups of water"),
        ({"cups": False}, r"Kettle\.cups = False is not a int"),
        ({"cups": 9}, r"Kettle\.cups = 9 is too large; the most is 8"),
        ({"whistle": 1}, r"Kettle\.whistle = 1 is not a bool"),
        ({"lid": 3}, r"Kettle\.lid = 3 is not a str"),
        ({"lid": "steal"}, r"unknown value of Kettle\.lid 'steal': did you mean 'steel'\? known are 'glass', 'steel'"),
    ],
)
def test_wrong_values(kettle, wrong, said):
    with pytest.raises(SpecError, match=said):
        kettle(**wrong)
    with pytest.raises(SpecError, match=said):
        Spec.from_dict({"spec": "Kettle", **wrong})


def test_numbers_of_numpy_become_python(kettle):
    made = kettle(power=np.float32(1.5), cups=np.int64(3))
    assert (type(made.power), type(made.cups)) == (float, int)
    assert type(kettle(power=1).power) is float


def test_frozen(kettle):
    with pytest.raises(FrozenInstanceError):
        kettle().cups = 5


@given(
    power=st.floats(0.5, 3.0), cups=st.integers(1, 8), whistle=st.booleans(), lid=st.sampled_from(["steel", "glass"])
)
def test_json_round_trip(kettle, power, cups, whistle, lid):
    made = kettle(power, cups, whistle, lid)
    text = json.dumps(made.to_dict())
    assert Spec.from_dict(json.loads(text)) == made
    assert kettle.from_dict(json.loads(text)) == made


def test_unknown_names(kettle):
    with pytest.raises(SpecError, match="unknown spec 'Ketle': did you mean 'Kettle'"):
        Spec.from_dict({"spec": "Ketle"})
    with pytest.raises(SpecError, match="unknown field of Kettle 'cup': did you mean 'cups'"):
        kettle.from_dict({"cup": 3})
    with pytest.raises(SpecError, match="got the spec Window, expected a Kettle"):
        kettle.from_dict(mdnb.Window().to_dict())
    with pytest.raises(SpecError, match="unknown model 'Kettle'"):
        spec_class("Kettle", kind="model")


def test_misspelt_settings(kettle):
    with pytest.raises(SpecError, match=r"unknown setting of Kettle 'cup': did you mean 'cups'"):
        kettle(cup=3)
    with pytest.raises(SpecError, match="unknown setting of Training 'epoch': did you mean 'epochs'"):
        mdnb.Training(epoch=3)
    assert copy.deepcopy(kettle(cups=3)) == replace(kettle(), cups=3)


def test_the_base_of_a_kind_is_no_choice():
    assert mdnb.CNN is spec_class("CNN", kind="model")
    with pytest.raises(SpecError, match="unknown model 'ModelSpec'"):
        spec_class("ModelSpec", kind="model")


def test_every_spec_of_mdnb_is_sound():
    """Its defaults are allowed, each setting has a line of help, and it survives JSON."""
    assert {mdnb.CNN, mdnb.RNN, mdnb.VAE, mdnb.GAN, mdnb.Training, mdnb.Window} <= set(specs._SPECS.values())
    for name, spec in specs._SPECS.items():
        if not spec.__module__.startswith("mdnb") or name == "ModelSpec":
            continue
        made = spec()
        assert Spec.from_dict(json.loads(json.dumps(made.to_dict()))) == made
        for one in made.settings():
            assert one.help, f"{name}.{one.name}"
            assert "\n" not in one.help
            if one.log:
                assert one.low is not None, f"{name}.{one.name}: a logarithmic scale needs a lower bound"
                assert one.low > 0, f"{name}.{one.name}"


def test_error_sentences():
    error = unknown_name("colour", "gren", ["green", "blue"])
    assert isinstance(error, SpecError)
    assert str(error) == "unknown colour 'gren': did you mean 'green'? known are 'blue', 'green'"
    assert "did you mean 'CNN'?" in str(unknown_name("model", "cnn", ["CNN", "RNN"]))
    assert "did you mean 'alanine-dipeptide'?" in str(unknown_name("example", "alanine", ["alanine-dipeptide"]))
    assert str(unknown_name("colour", 7, ["green"])) == "unknown colour 7: known are 'green'"
    missing = MissingDependencyError("openmm", "simulate", "simulate")
    assert isinstance(missing, ImportError)
    assert isinstance(missing, MdnbError)
    assert "pip install 'mdnb[simulate]'" in str(missing)


def test_progress_is_silent_in_a_report(monkeypatch, capsys):
    monkeypatch.setenv("MDNB_REPORT", "1")
    with progress_bar(total=3, description="work", unit="step") as bar:
        bar.update(3)
        bar.set_postfix_str("done")
    assert capsys.readouterr() == ("", "")
    monkeypatch.delenv("MDNB_REPORT")
    with progress_bar(total=3, description="work", unit="step") as bar:
        bar.update(3)
    assert "work" in capsys.readouterr().err
