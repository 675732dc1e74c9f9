"""What every tuner promises, with real trainings."""

from functools import partial

import keras
import keras_tuner
import numpy as np
import pytest

from keras_trainkit import search
from keras_trainkit.callbacks import WeightAveraging

from ..conftest import TUNERS, build, make, run

SLOW = pytest.mark.slow
COLUMNS = ["trial", "status", "score", "best_epoch", "rate", "units", "history"]


class Interrupt(keras.callbacks.Callback):
    """Ends the program in the middle of a training."""

    trainings = 0
    end_in = 0

    def on_train_batch_end(self, batch, logs=None):
        if type(self).trainings == type(self).end_in:
            raise KeyboardInterrupt

    def on_train_begin(self, logs=None):
        type(self).trainings += 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", TUNERS)
def test_interrupted_search_ends_as_if_it_had_not_been(kind, tmp_path, data):
    whole = run(make(kind, tmp_path / "whole"), data)
    Interrupt.trainings, Interrupt.end_in = 0, len(whole) - 1
    with pytest.raises(KeyboardInterrupt):
        run(make(kind, tmp_path / "cut"), data, callbacks=[Interrupt()])
    resumed = make(kind, tmp_path / "cut")
    assert search.trials_frame(resumed).status.tolist() == (
        ["COMPLETED"] * (len(whole) - 2) + ["INVALID"]
    )
    frame = run(resumed, data)
    assert frame[COLUMNS].to_dict() == whole[COLUMNS].to_dict()
    for path in sorted((tmp_path / "whole").rglob("*.weights.h5")):
        # Equal weights, to the last bit.
        other = tmp_path / "cut" / path.relative_to(tmp_path / "whole")
        for one, two in zip(weights(path), weights(other), strict=True):
            np.testing.assert_array_equal(one, two)


def weights(path):
    import h5py

    arrays = []
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: (
                arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None
            )
        )
    return arrays


def test_trial_that_diverges_or_raises_fails_and_the_search_goes_on(tmp_path, data):
    def fragile(hp):
        units = hp.Choice("units", [0, 1, 2, 3])
        if units == 1:
            raise MemoryError("no room for this model")
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        rate = 1e30 if units == 2 else 0.01
        optimizer = keras.optimizers.SGD(rate)
        model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=True)
        return model

    tuner = make("grid", tmp_path, fragile, "val_mae")
    frame = run(tuner, data, epochs=4)
    assert frame.status.tolist() == ["COMPLETED", "FAILED", "FAILED", "COMPLETED"]
    assert frame.failure[1] == "MemoryError: no room for this model"
    assert "Training diverged: " in frame.failure[2]
    assert np.isnan(frame.score[1])
    assert len(tuner.get_best_models(4)) == len(tuner.get_best_hyperparameters(4)) == 2
    # What came before the failure is kept.
    assert len(frame.history[2]["loss"]) >= 1


def test_too_many_failures_end_the_search_and_lose_nothing(tmp_path, data):
    def broken(hp):
        hp.Choice("units", [1, 2, 3, 4])
        if tuner_is_made:
            raise ValueError("a mistake in the model")
        return build(hp)

    tuner_is_made = False
    settings = {"max_trials": 3, "max_consecutive_failed_trials": 2}
    tuner = make("grid", tmp_path, broken, **settings)
    tuner_is_made = True
    with pytest.raises(RuntimeError, match="2 trials in a row failed") as raised:
        run(tuner, data)
    assert "a mistake in the model" in str(raised.value)
    with pytest.raises(RuntimeError, match="No trial completed yet"):
        tuner.get_best_models()
    with pytest.raises(RuntimeError, match="No trial completed"):
        tuner.get_best_hyperparameters()
    tuner_is_made = False  # the mistake is mended
    frame = run(tuner, data)
    assert frame.status.tolist() == ["FAILED", "FAILED", "COMPLETED"]


def test_score_and_saved_model_agree_over_executions(tmp_path, data):
    tuner = make("random", tmp_path, max_trials=1, executions_per_trial=3)
    frame = run(tuner, data, epochs=2)
    x, y = data
    (trial,) = tuner.oracle.trials.values()
    model = tuner.load_model(trial)
    again = model.evaluate(x[36:], y[36:], batch_size=32, verbose=0)[0]
    assert again == pytest.approx(trial.score, rel=1e-5)
    best = [min(run["val_loss"]) for run in frame.executions[0]]
    assert len(best) == 3
    assert frame.score[0] == sorted(best)[1]
    assert len(set(best)) == 3  # every execution has its own seed
    files = [path.name for path in (tmp_path / "p/trial_000000").glob("*.h5")]
    assert files == ["checkpoint.weights.h5"]


def test_changed_number_of_executions_is_an_error_on_resume(tmp_path, data):
    run(make("random", tmp_path, max_trials=1), data)
    with pytest.raises(ValueError, match="executions_per_trial was 1 and is 2"):
        make("random", tmp_path, max_trials=1, executions_per_trial=2)


def test_overwrite_begins_again(tmp_path, data):
    run(make("random", tmp_path, max_trials=2), data)
    assert len(make("random", tmp_path, max_trials=2).oracle.trials) == 2
    assert not make("random", tmp_path, max_trials=2, overwrite=True).oracle.trials


def test_global_dtype_policy_holds_in_every_trial(tmp_path, data):
    keras.config.set_dtype_policy("mixed_bfloat16")
    policies = []

    def mixed(hp):
        policies.append(keras.config.dtype_policy().name)
        return build(hp)

    tuner = make("random", tmp_path, mixed, max_trials=1)
    run(tuner, data)
    tuner.get_best_models()
    assert set(policies) == {"mixed_bfloat16"}


def test_condition_that_draws_is_declared_the_same_each_time(tmp_path):
    def branching(hp):
        kind = hp.Choice("kind", ["plain", "deep"])
        with hp.conditional_scope("kind", ["deep"]):
            if kind == "deep":
                for place in range(hp.Int("layers", 1, 50)):
                    hp.Float(f"rate_{place}", 0.0, 1.0)
        return build(hp)

    tuners = [make("random", tmp_path / name, branching) for name in "ab"]
    spaces = [[hp.name for hp in tuner.oracle.get_space().space] for tuner in tuners]
    assert spaces[0] == spaces[1] == ["kind", "rate", "units", "layers", "rate_0"]


class ByHand(keras_tuner.HyperModel):
    """Trains itself and says only what it is worth."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        if kwargs["callbacks"]:
            assert kwargs["verbose"] == 0
        return {"profit": hp["rate"]}


def test_fit_of_ones_own_may_return_what_it_likes(tmp_path, data):
    tuner = make("random", tmp_path, ByHand(), ("profit", "max"))
    frame = run(tuner, data)
    assert frame.score.equals(frame.rate)
    assert tuner.get_best_hyperparameters()[0]["rate"] == frame.rate.max()


def test_run_trial_of_ones_own_needs_no_model(tmp_path):
    class Parabola(search.RandomSearch):
        def run_trial(self, trial):
            return (trial.hyperparameters.Float("x", -1.0, 1.0) - 0.5) ** 2

    tuner = Parabola(max_trials=5, seed=0, directory=tmp_path, project_name="p")
    tuner.search()
    frame = search.trials_frame(tuner)
    assert frame.x.nunique() == 5
    assert frame.score.min() == pytest.approx(((frame.x - 0.5) ** 2).min())


def test_hooks_of_a_subclass_are_called(tmp_path, data):
    calls = []

    class Hooked(search.RandomSearch):
        def on_epoch_end(self, trial, model, epoch, logs=None):
            calls.append((trial.trial_id, epoch, "val_loss" in logs))

        def on_batch_end(self, trial, model, batch, logs=None):
            calls.append("batch")

    tuner = Hooked(build, "val_loss", 1, seed=0, directory=tmp_path, project_name="p")
    run(tuner, data)
    assert ("000000", 0, True) in calls
    assert calls.count("batch") == 2


def test_trials_run_on_two_replicas(two_replicas, tmp_path, data):
    def replicated(hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 0.1)), "mse")
        return model

    tuner = make(
        "random", tmp_path, replicated, max_trials=1, distribution_strategy=two_replicas
    )
    frame = run(tuner, data)
    x, y = data
    again = tuner.get_best_models()[0].evaluate(x[36:], y[36:], verbose=0)
    assert again == pytest.approx(frame.score[0], rel=1e-5)


@pytest.mark.parametrize("kind", TUNERS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hypermodel": None}, "`hypermodel` must be a function from hyperparameters"),
        ({"objective": None}, "`objective` must say what to optimise"),
    ],
    ids=["hypermodel", "objective"],
)
def test_what_is_missing_is_named_before_any_work(kind, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=rf"{message}.*Received: \w+=None"):
        make(kind, tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


def test_number_that_ones_own_fit_returns_needs_no_objective(tmp_path, data):
    class Number(keras_tuner.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            return hp["rate"]

    frame = run(make("random", tmp_path, Number(), None, max_trials=2), data)
    assert frame.score.equals(frame.rate)


class Ends(search.DependableOracle):
    """Tries the lower ends of all ranges, then the upper ones."""

    def populate_space(self, trial_id):
        place = 0.999999 if self.trials else 0.0
        space = self.hyperparameters.space
        values = {hp.name: hp.prob_to_value(place) for hp in space}
        return {"status": "RUNNING", "values": values}


def test_tuner_of_ones_own_takes_an_oracle_with_its_arguments(tmp_path, data):
    tuner = search.DependableTuner(
        partial(Ends, max_trials=2), build, "val_loss", seed=0, directory=tmp_path
    )
    assert tuner.oracle.seed == 0
    assert run(tuner, data).units.tolist() == [1, 3]


@pytest.mark.parametrize("oracle", [None, 3, keras_tuner.oracles.RandomSearchOracle])
def test_what_makes_no_oracle_is_refused(oracle, tmp_path):
    with pytest.raises(ValueError, match="`oracle` must be a subclass"):
        search.DependableTuner(oracle, build, "val_loss", directory=tmp_path)


def normalized(hp):
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(3),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    rate = hp.Float("rate", 0.05, 0.5)
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy")
    return model


@pytest.mark.parametrize("kind", ["random", pytest.param("hyperband", marks=SLOW)])
def test_model_of_an_averaged_score_has_the_averaged_weights(kind, tmp_path, data):
    averaging = WeightAveraging("exponential", decay=0.5)
    settings = {"max_trials": 1} if kind == "random" else {}
    objective = ("val_averaged_loss", "min")
    tuner = make(kind, tmp_path, normalized, objective, **settings)
    frame = run(tuner, data, epochs=3, callbacks=[averaging])
    x, y = data
    for trial in tuner.oracle.get_best_trials(2):
        found = tuner.load_model(trial).evaluate(x[36:], y[36:], verbose=0)
        assert found == pytest.approx(trial.score, rel=1e-4)
        raw = frame.set_index("trial").val_loss[trial.trial_id]
        assert abs(found - raw) > 1e-3  # it could not be told apart otherwise
    if kind == "hyperband":
        # What goes on later goes on from the weights that were trained.
        trial = frame.trial[0]
        model = normalized(tuner.oracle.trials[trial].hyperparameters)
        tuner._load_weights(model, trial, last=True)
        found = model.evaluate(x[36:], y[36:], verbose=0)
        last = frame.history[0]["val_loss"][-1]
        assert found == pytest.approx(last, rel=1e-4)


def test_score_of_an_average_needs_its_direction(tmp_path):
    with pytest.raises(ValueError, match=r'objective=\("val_averaged_loss", "min"\)'):
        make("random", tmp_path, objective="val_averaged_loss")


class Guard(keras.callbacks.Callback):
    """Gives up the trainings of nets with three units."""

    stopped_because = None

    def on_epoch_end(self, epoch, logs=None):
        if self.model.layers[0].units == 3:
            self.stopped_because = "the loss grows."
            self.model.stop_training = True


def test_trial_that_a_callback_gave_up_counts_as_failed(tmp_path, data):
    tuner = make("grid", tmp_path)
    frame = run(tuner, data, epochs=2, callbacks=[Guard()])
    assert frame.status.tolist() == ["COMPLETED", "FAILED"] * 2
    assert frame.failure[1] == "Guard stopped the training: the loss grows."
    # What it had until then is kept.
    assert [len(history["loss"]) for history in frame.history] == [2, 1, 2, 1]
