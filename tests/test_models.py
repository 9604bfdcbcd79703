"""One contract that every model family of the registry keeps."""

import copy

import numpy as np
import pytest
import torch
from learning_fixtures import families, family_features, fit_family, same_weights, trained, weights

import mdnb
from mdnb.errors import SpecError
from mdnb.specs import spec_class

FAMILIES = families()


def test_the_families_are_registered():
    assert {"CNN", "RNN", "CNNRNN", "VAE", "GAN"} <= set(FAMILIES)


def test_the_base_class_is_not_a_family():
    with pytest.raises(SpecError, match=r"unknown model 'ModelSpec'.*known are .*'CNN', 'CNNRNN'") as caught:
        spec_class("ModelSpec", kind="model")
    assert "'CNN'" in str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
class TestEveryFamily:
    def test_history_has_a_finite_row_for_each_epoch(self, family):
        history = trained(family).history
        assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))
        assert len({tuple(row) for row in history}) == 1, "the rows have different columns"
        assert all(np.isfinite(list(row.values())).all() for row in history)

    def test_it_learns(self, family):
        run = trained(family)
        if not run.model.average:
            losses = [row["validation_loss"] for row in run.history]
            assert min(losses[1:]) < losses[0]
            assert run.history[-1]["loss"] < run.history[0]["loss"]
            return
        # An adversarial loss need not fall. What it is for has to: the moments of the samples come nearer the data's,
        # also before they are set after the last epoch.
        data = run.scaler.transform(family_features(family).values[run.train_frames])
        wanted = np.stack([data.mean(0), data.std(0)])

        def distance(one: mdnb.Run) -> float:
            model = copy.deepcopy(one.model)
            model.factor.fill_(1.0)
            model.offset.fill_(0.0)
            sample = model.sample(2000, torch.Generator().manual_seed(0)).numpy()
            return float(np.abs(np.stack([sample.mean(0), sample.std(0)]) - wanted).mean())

        # Of its batches the generator gets one in four: so many epochs are fifteen of another family.
        assert distance(fit_family(family, epochs=60)) < 0.7 * distance(fit_family(family, epochs=1))

    def test_same_seed_same_history_and_weights(self, family):
        again = fit_family(family)
        assert again.history == trained(family).history
        assert same_weights(again, trained(family))
        assert again.scores == trained(family).scores

    def test_another_seed_another_result(self, family):
        assert not same_weights(fit_family(family, seed=1, epochs=1), fit_family(family, seed=0, epochs=1))

    def test_saved_and_loaded_it_gives_identical_scores(self, family, tmp_path):
        run = trained(family)
        loaded = mdnb.Run.load(run.save(tmp_path / "run"))
        assert same_weights(run, loaded)
        assert not loaded.model.training
        data = family_features(family)
        frames = run.samples(data).frames[:50]
        assert np.array_equal(run.outputs(data, frames), loaded.outputs(data, frames))

    def test_model_is_in_evaluation_mode(self, family):
        run = trained(family)
        data = family_features(family)
        frames = run.samples(data).frames[:50]
        assert not run.model.training
        assert np.array_equal(run.outputs(data, frames), run.outputs(data, frames))

    def test_explanation_has_the_shape_of_the_input(self, family):
        run, data = trained(family), family_features(family)
        ends = run.samples(data).frames[[3, 5, 40], -1]
        explanation = mdnb.explain(run, data, frames=ends)
        window = () if run.window.length == 1 else (run.window.length,)
        assert explanation.values.shape == explanation.data.shape == (3, *window, *data.shape)
        assert np.isfinite(explanation.values).all()
        assert explanation.frames.tolist() == ends.tolist()

    def test_global_random_state_is_untouched(self, family):
        data = family_features(family)
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002 - it is the global state that must not change
        before, before_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        run = fit_family(family, epochs=1)
        mdnb.explain(run, data, frames=run.samples(data).frames[:2, -1])
        if not run.spec.supervised:
            mdnb.generate(run, 3)
        assert torch.equal(before, torch.get_rng_state())
        assert np.array_equal(before_numpy, np.random.get_state()[1])  # noqa: NPY002

    @pytest.mark.parametrize("fails", [False, True])
    def test_thread_count_is_restored(self, family, fails):
        def callback(row):
            assert torch.get_num_threads() == 1
            if fails:
                raise ZeroDivisionError

        before = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            if fails:
                with pytest.raises(ZeroDivisionError):
                    fit_family(family, epochs=1, callback=callback)
            else:
                fit_family(family, epochs=1, callback=callback)
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(before)

    def test_an_explanation_leaves_weights_and_threads_as_they_are(self, family):
        run, data = trained(family), family_features(family)
        before, n_threads = weights(run), torch.get_num_threads()
        mdnb.explain(run, data, frames=run.samples(data).frames[:2, -1])
        assert torch.get_num_threads() == n_threads
        assert all(np.array_equal(before[name], value) for name, value in weights(run).items())

    def test_positions_with_their_axes_are_understood(self, family):
        from learning_fixtures import features

        run = fit_family(family, epochs=1, data=features("positions"))
        assert run.task.axes == ("atom", "xyz")
        assert len(run.history) == 1


@pytest.mark.parametrize("family", [name for name in FAMILIES if spec_class(name, kind="model").supervised])
class TestEveryPredictor:
    def test_it_finds_most_of_the_basins(self, family):
        run = fit_family(family, epochs=12)
        assert run.scores["balanced accuracy"].value > 0.8  # 1/3 by chance; sines and cosines define the basins

    def test_it_predicts_a_real_number_in_its_unit(self, family):
        data = family_features(family)
        truth = 100 + 7 * data.column("cos phi ALA2")
        run = fit_family(family, epochs=15, target=truth.astype(float))
        assert run.task.kind == "real"
        assert run.scores["R2"].value > 0.9
        predicted = run.predict(data)
        labels = truth[run.samples(data).label_frames]
        assert np.abs(predicted - labels).mean() < 2

    def test_it_needs_a_target(self, family):
        with pytest.raises(SpecError, match="needs a target"):
            fit_family(family, target=None)

    def test_probabilities_add_up_to_one(self, family):
        run, data = trained(family), family_features(family)
        outputs = run.outputs(data, run.samples(data).frames[:20])
        assert np.allclose(outputs.sum(1), 1, atol=1e-5)
        assert np.array_equal(outputs.argmax(1), run.predict(data)[:20])


@pytest.mark.parametrize("family", [name for name in FAMILIES if not spec_class(name, kind="model").supervised])
class TestEveryGenerator:
    def test_a_window_of_frames_is_refused_clearly(self, family):
        with pytest.raises(SpecError, match="one frame"):
            fit_family(family, window=mdnb.Window(length=3))

    def test_it_predicts_nothing(self, family):
        with pytest.raises(mdnb.errors.DataError, match=f"a {family} predicts nothing"):
            trained(family).predict(family_features(family))
