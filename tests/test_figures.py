"""What each figure draws is what the result says: the data of its traces."""

import copy
import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from learning_fixtures import FAST, features, fit_family, trained, trajectories
from sklearn.metrics import confusion_matrix

import mdnb
from mdnb import figures
from mdnb.errors import DataError, SpecError
from mdnb.generation.compare import ramachandran
from mdnb.scores import Score
from mdnb.targets import make_target


def texts(figure: go.Figure) -> str:
    """Return the whole figure as JSON, which also shows that it can be stored in a notebook."""
    return json.dumps(json.loads(figure.to_json()))


def test_every_figure_function_is_tested():
    elsewhere = {"attributions_figure", "ensemble_figure", "landscape_figure"}  # test_views_linked, test_landscapes
    elsewhere |= {"control_figure", "judgement_figure", "ladder_figure", "populations_figure"}  # test_judge_parts
    elsewhere |= {"agreement_figure", "path_figure"}  # test_rollout, test_generation_latents
    assert set(figures.__all__) - elsewhere == {
        "chapman_kolmogorov_figure",
        "checks_figure",
        "confusion_figure",
        "contact_map_figure",
        "explanation_figure",
        "free_energy_figure",
        "lag_scan_figure",
        "learning_figure",
        "mode_trace_figure",
        "modes_figure",
        "ramachandran_figure",
        "scores_figure",
        "timescales_figure",
        "trace_figure",
        "window_figure",
    }


class TestTrace:
    def test_values_against_time(self):
        data = features()
        figure = figures.trace_figure(data, ["sin phi ALA2", "cos psi ALA2"], trajectory=3)
        own = data.trajectory == 3
        assert len(figure.data) == 4
        for trace, name in zip(figure.data[::2], ("sin phi ALA2", "cos psi ALA2"), strict=True):
            assert trace.y == pytest.approx(data.column(name)[own])
            assert trace.x == pytest.approx(data.time[own] / 1000)
        assert figure.layout.title.text == data.source.names[3]

    def test_density_is_that_of_all_frames(self):
        figure = figures.trace_figure(features(), ["sin phi ALA2"])
        counts, edges = np.histogram(features().column("sin phi ALA2"), bins=60, density=True)
        assert figure.data[1].x == pytest.approx(counts)
        assert figure.data[1].y == pytest.approx((edges[1:] + edges[:-1]) / 2)

    @pytest.mark.parametrize("most", [7, 100, 299, 300])
    def test_long_traces_are_thinned(self, most):
        trace = figures.trace_figure(features(), ["sin phi ALA2"], most=most).data[0]
        assert most / 2 <= len(trace.y) <= most
        own = features().column("sin phi ALA2")[:300]
        assert trace.y == pytest.approx(own[:: -(-300 // most)])

    def test_frames_are_counted_where_the_time_is_unknown(self):
        data = replace(features(), time=np.full(len(features()), np.nan))
        figure = figures.trace_figure(data, ["sin phi ALA2"], trajectory=2)
        assert figure.data[0].x == pytest.approx(np.arange(300))
        assert "frame" in texts(figure)

    def test_unit_is_on_the_axis(self):
        data = features("distances")
        assert f"{data.names[0]} (nm)" in texts(figures.trace_figure(data, data.names[:1]))

    def test_densities_have_axes_of_their_own(self):
        figure = figures.trace_figure(features(), ["sin phi ALA2", "cos psi ALA2", "cos phi ALA2"])
        axes = [figure.layout[f"xaxis{number if number > 1 else ''}"] for number in range(1, 7)]
        assert [axis.matches for axis in axes] == ["x", None, "x", None, "x", None]
        assert [trace.xaxis for trace in figure.data] == ["x", "x2", "x3", "x4", "x5", "x6"]

    def test_names_are_text(self):
        data = features()
        odd = replace(data, columns=(replace(data.columns[0], name="<b>&x</b>"), *data.columns[1:]))
        figure = figures.trace_figure(odd, ["<b>&x</b>"])
        assert "<b>" not in texts(figure)
        assert figure.layout.yaxis.title.text == "&lt;b&gt;&amp;x&lt;/b&gt;"

    def test_clear_errors(self):
        with pytest.raises(SpecError, match="unknown column 'sin phi'"):
            figures.trace_figure(features(), ["sin phi"])
        with pytest.raises(DataError, match="there is no trajectory 8; there are 8"):
            figures.trace_figure(features(), ["sin phi ALA2"], trajectory=8)


class TestLearning:
    def test_losses_of_predictors(self):
        runs = [trained("CNN"), trained("RNN")]
        figure = figures.learning_figure(*runs)
        assert len(figure.data) == 4
        for run, (training, validation) in zip(runs, (figure.data[:2], figure.data[2:]), strict=True):
            assert training.x == pytest.approx([row["epoch"] for row in run.history])
            assert training.y == pytest.approx([row["loss"] for row in run.history])
            assert validation.y == pytest.approx([row["validation_loss"] for row in run.history])
        assert [trace.name for trace in figure.data[:2]] == ["training", "validation"]
        assert figure.layout.title.text.startswith("Learning")
        assert figure.layout.yaxis.title.text == "cross entropy"

    def test_no_runs(self):
        with pytest.raises(DataError, match="there is no run to draw"):
            figures.learning_figure()

    @pytest.mark.parametrize("batch_size", [64, 100_000])
    def test_distance_of_a_gan(self, batch_size):
        """Also where all samples fit into one batch."""
        data = features("internal-coordinates")
        training = mdnb.Training(epochs=5, batch_size=batch_size)
        run = mdnb.fit(data, None, mdnb.GAN(hidden=8, layers=1), training)
        (trace,) = figures.learning_figure(run).data
        assert trace.y == pytest.approx([row["distance"] for row in run.history])
        assert len(trace.y) == 5


class TestScores:
    def test_values_and_intervals(self):
        models = {
            "mean": {"R2": Score("R2", 0.1, 0.05, 0.3), "error": Score("error", 2.0, 1.5, 2.5)},
            "CNN": {"R2": Score("R2", 0.9, 0.8, 0.95), "error": Score("error", 1.0, 0.9, 1.1)},
        }
        figure = figures.scores_figure(models, unit="nm")
        first, second = figure.select_traces({"type": "bar"})
        assert (list(first.y), list(first.x), list(second.x)) == (["mean", "CNN"], [0.1, 0.9], [2.0, 1.0])
        assert first.error_x.array == pytest.approx([0.2, 0.05])
        assert first.error_x.arrayminus == pytest.approx([0.05, 0.1])
        assert first.marker.color[-1] != first.marker.color[0]
        assert [title.text for title in figure.layout.annotations] == ["R2", "error (nm)"]

    def test_numbers_lie_beside_the_intervals(self):
        scores = {"a": {"R2": Score("R2", -0.5, -0.7, -0.2)}, "b": {"R2": Score("R2", 0.8, 0.7, 0.9)}}
        figure = figures.scores_figure(scores)
        (numbers,) = figure.select_traces({"type": "scatter"})
        assert list(numbers.x) == [0.0, 0.9]
        assert [text.strip() for text in numbers.text] == ["-0.500", "0.800"]
        low, high = figure.layout.xaxis.range
        assert low < -0.7
        assert high > 0.9
        assert figure.layout.yaxis.ticklen > 0

    @pytest.mark.parametrize("models", [{}, {"a": {}}, {"a": {"x": Score("x", 1, 0, 2)}, "b": {}}])
    def test_clear_errors(self, models):
        with pytest.raises(DataError, match="models without the same scores"):
            figures.scores_figure(models)

    def test_of_a_run(self):
        models = mdnb.baselines(trained("CNN"), features(), "basin")
        figure = figures.scores_figure(models)
        assert [text.text for text in figure.layout.annotations] == ["accuracy", "balanced accuracy"]
        assert list(figure.select_traces({"type": "bar"}))[1].x[-1] == trained("CNN").scores["balanced accuracy"].value


class TestConfusion:
    def test_it_counts_the_test_samples(self):
        run, data = trained("CNN"), features()
        labels = make_target(data, "basin").values
        figure = figures.confusion_figure(run, data, labels)
        own = np.isin(data.trajectory, run.split["test"]["trajectories"])
        counts = confusion_matrix(labels[own], run.predict(data)[own], labels=[0, 1, 2])
        assert np.asarray(figure.data[0].z) == pytest.approx(counts / counts.sum(1, keepdims=True))
        assert f"<br>{counts[1, 1]:,}" in figure.data[0].text[1][1]
        recall = np.diag(np.asarray(figure.data[0].z)).mean()
        assert recall == pytest.approx(run.scores["balanced accuracy"].value)

    def test_windows_and_horizon(self):
        run = fit_family("RNN", epochs=2, window=mdnb.Window(length=4, horizon=3))
        labels = make_target(features(), "basin").values
        z = np.asarray(figures.confusion_figure(run, features(), labels).data[0].z)
        assert np.diag(z)[z.sum(1) > 0].mean() == pytest.approx(run.scores["balanced accuracy"].value)

    def test_with_blocks_the_training_block_does_not_count(self):
        data = mdnb.featurize(trajectories(5)[:1])
        run = mdnb.fit(data, "basin", mdnb.CNN(channels=4, layers=1), mdnb.Training(epochs=2, **FAST))
        figure = figures.confusion_figure(run, data, make_target(data, "basin").values)
        counted = sum(int(cell.split("<br>")[1].replace(",", "")) for row in figure.data[0].text for cell in row)
        assert counted == run.split["test"]["n_samples"]

    def test_clear_errors(self):
        data = features()
        run = fit_family("CNN", target=np.linspace(0, 1, len(data)), epochs=1)
        with pytest.raises(DataError, match="predicts no class"):
            figures.confusion_figure(run, data, np.zeros(len(data), int))
        n = len(data)
        for wrong in (np.zeros(10, int), np.zeros((n, 2), int), ["alpha"] * n, make_target(data, "basin")):
            with pytest.raises(DataError, match="give one class number for each frame"):
                figures.confusion_figure(trained("CNN"), data, wrong)
        for wrong in (7, -1, np.nan, 0.5):
            with pytest.raises(DataError, match="other numbers than those of the 3 classes: 0 to 2"):
                figures.confusion_figure(trained("CNN"), data, np.full(len(data), wrong))
        other = mdnb.featurize(trajectories()[:3])
        with pytest.raises(DataError, match="do not hold the trajectories"):
            figures.confusion_figure(trained("CNN"), other, np.zeros(len(other), int))


class TestExplanation:
    def test_bars(self):
        explanation = mdnb.explain(trained("CNN"), features())
        figure = figures.explanation_figure(explanation)
        residues, columns, *curves = figure.data
        assert dict(zip(residues.x, residues.y, strict=True)) == pytest.approx(explanation.by_residue())
        found = dict(zip(columns.y, columns.x, strict=True))
        assert found == pytest.approx(explanation.by_feature())
        assert columns.x[-1] == max(columns.x)  # the largest on top
        assert f"{explanation.additivity_error():.2%}" in figure.layout.title.text
        summary = explanation.summary("residue")
        assert residues.error_y.array == pytest.approx(summary.high - summary.importance)
        checked = explanation.faithfulness()
        assert [curve.name for curve in curves] == [
            f"{name}, {way}" for name in ("explanation", "one ranking", "random order") for way in ("in", "out")
        ]
        assert curves[0].y == pytest.approx(checked.curves["explanation"].insertion)
        assert curves[5].y == pytest.approx(checked.curves["random order"].deletion)

    def test_without_the_check(self):
        assert len(figures.explanation_figure(mdnb.explain(trained("CNN"), features()), check=False).data) == 2

    def test_a_warning_is_in_the_title(self):
        torch.manual_seed(0)
        run = trained("CNN")
        flat = replace(run, model=copy.deepcopy(run.model))
        for weight in flat.model.parameters():
            torch.nn.init.zeros_(weight)
        figure = figures.explanation_figure(mdnb.explain(flat, features(), n=10))
        assert "WARNING: the explanation is no better than chance" in figure.layout.title.text

    def test_contact_map(self):
        data = features("distances")
        explanation = mdnb.explain(fit_family("CNN", data=data, epochs=1), data)
        (shown,) = figures.contact_map_figure(explanation).data
        assert np.array_equal(shown.z, explanation.contact_map(), equal_nan=True)
        assert list(shown.x) == ["ACE1", "ALA2", "NME3"]
        assert shown.zmax == -shown.zmin == pytest.approx(np.nanmax(np.abs(explanation.contact_map())))
        by_residue = mdnb.explain(trained("CNN"), features(), n=2, by="residue", method="exact")
        with pytest.raises(DataError, match="no column is of two residues"):
            figures.contact_map_figure(by_residue)

    def test_most(self):
        data = features("distances")
        run = fit_family("CNN", data=data, epochs=1)
        explanation = mdnb.explain(run, data)
        assert len(explanation.by_feature()) > 5
        assert len(figures.explanation_figure(explanation, most=5).data[1].y) == 5


class TestWindow:
    def test_times_end_at_zero(self):
        explanation = mdnb.explain(trained("RNN"), features())
        figure = figures.window_figure(explanation, 20.0)
        assert list(figure.data[0].x) == [-60, -40, -20, 0]
        assert figure.data[0].y == pytest.approx(explanation.over_time())
        assert list(figures.window_figure(explanation).data[0].x) == [-3, -2, -1, 0]


class TestRamachandran:
    def test_densities(self):
        some = trajectories().frames(np.arange(0, 2400, 3))
        figure = figures.ramachandran_figure({"one": some, "two": some[:100]}, bins=30)
        for trace, structures in zip(figure.data, (some, some[:100]), strict=True):
            phi, psi = ramachandran(structures).T
            z = 10 ** np.array(trace.z, float)
            assert np.nansum(z) * 12**2 == pytest.approx(1)
            counts, edges, _ = np.histogram2d(phi, psi, bins=30, range=((-180, 180), (-180, 180)))
            column, row = np.unravel_index(counts.argmax(), counts.shape)
            assert np.unravel_index(np.nanargmax(z), z.shape) == (row, column)  # psi upwards, phi to the right
            assert trace.x[column] == pytest.approx((edges[column] + edges[column + 1]) / 2)
            assert np.isnan(z[counts.T == 0]).all()
        assert figure.data[0].coloraxis == figure.data[1].coloraxis

    def test_generated_structures(self):
        generated = mdnb.generate(trained("VAE"), 50)
        one = figures.ramachandran_figure({"VAE": generated}).data[0].z
        assert np.array_equal(one, figures.ramachandran_figure({"VAE": generated.structures}).data[0].z, equal_nan=True)


class TestFreeEnergy:
    def test_it_is_minus_kt_log_p(self):
        rng = np.random.default_rng(0)
        x, y = rng.normal(0, 1, 200_000), rng.normal(0, 2, 200_000)
        trace = figures.free_energy_figure(x, y, ("x (nm)", "y (nm)"), 300.0, bins=40).data[0]
        z = np.array(trace.z, float)
        assert np.nanmin(z) == 0
        kt = 8.314462618e-3 * 300
        near = [np.abs(np.array(trace.x) - value).argmin() for value in (0.0, 2.0)]
        middle = np.abs(np.array(trace.y)).argmin()
        expected = kt * (trace.x[near[1]] ** 2 - trace.x[near[0]] ** 2) / 2
        assert z[middle, near[1]] - z[middle, near[0]] == pytest.approx(expected, rel=0.1)

    def test_empty_bins_are_left_out(self):
        z = np.array(
            figures.free_energy_figure(np.array([0, 1.0]), np.array([0, 1.0]), ("a", "b"), 300, bins=2).data[0].z
        )
        assert np.isnan(z.astype(float)).sum() == 2

    def test_without_a_temperature_it_is_in_kt(self):
        x, y = np.random.default_rng(0).normal(size=(2, 5000))
        at_300, in_kt = (figures.free_energy_figure(x, y, ("a", "b"), one) for one in (300.0, None))
        expected = 8.314462618e-3 * 300 * np.array(in_kt.data[0].z, float)
        np.testing.assert_allclose(np.array(at_300.data[0].z, float), expected, rtol=1e-9, atol=1e-12)
        assert in_kt.data[0].colorbar.title.text == "kT"
        assert in_kt.layout.title.text == "Free energy"

    def test_clear_errors(self):
        x = np.arange(5.0)
        with pytest.raises(DataError, match="b <nm> holds NaN or infinite numbers in 5 of 5 frames"):
            figures.free_energy_figure(x, x * np.nan, ("a", "b <nm>"), 300)
        with pytest.raises(DataError, match=r"shapes \(5,\) and \(4,\)"):
            figures.free_energy_figure(x, x[1:], ("a", "b"), 300)
        for wrong in (0, -300.0, np.nan):
            with pytest.raises(DataError, match="expected kelvin above 0"):
                figures.free_energy_figure(x, x, ("a", "b"), wrong)


class TestChecks:
    def test_shares(self):
        generated = mdnb.generate(trained("VAE"), 200, reference=trajectories())
        (bars,) = figures.checks_figure({"VAE": generated}).data
        assert list(bars.x) == [*generated.checks, "all"]
        assert {"bonds", "cis/trans", "Ramachandran"} <= set(bars.x)
        assert list(bars.y) == pytest.approx(
            [*(one.mean() for one in generated.checks.values()), generated.valid.mean()]
        )


def test_names_are_in_the_figures_of_each_family():
    for family in ("CNN", "GAN"):
        assert family in texts(figures.learning_figure(trained(family)))
