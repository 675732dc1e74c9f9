import keras
import keras_tuner
import pytest

from keras_trainkit.keras_model.metrics import metric_directions
from keras_trainkit.search.engine.averaging import averaging_of
from keras_trainkit.search.engine.objective import (
    check_measured,
    objective_parts,
    read_objective,
    settle_objective,
)

from ..conftest import make, run


def compiled(metrics=None, weighted_metrics=None, outputs=1):
    x = keras.Input((2,))
    heads = [keras.layers.Dense(1, name=f"head{place}")(x) for place in range(outputs)]
    model = keras.Model(x, heads[0] if outputs == 1 else heads)
    model.compile("sgd", "mse", metrics=metrics, weighted_metrics=weighted_metrics)
    return model


def direction(name, *metrics):
    objective = read_objective(name)
    settle_objective(objective, compiled(list(metrics)), only_model=True)
    return objective.direction


@pytest.mark.parametrize(
    ("name", "metric", "expected"),
    [
        ("val_loss", "mae", "min"),
        ("loss", "mae", "min"),
        ("val_accuracy", "accuracy", "max"),
        ("acc", "acc", "max"),
        ("val_mae", "mae", "min"),
        ("val_f1_score", keras.metrics.F1Score(), "max"),
        ("val_r2_score", "r2_score", "max"),
        ("val_cosine_similarity", keras.metrics.CosineSimilarity(), "max"),
        ("val_binary_io_u", keras.metrics.BinaryIoU(), "max"),
        ("val_mean_io_u", keras.metrics.MeanIoU(2), "max"),
        ("val_pearson_correlation", keras.metrics.PearsonCorrelation(), "max"),
        ("val_fbeta_score", keras.metrics.FBetaScore(), "max"),
        ("val_huber", keras.losses.huber, "min"),
        ("val_err", keras.metrics.MeanAbsoluteError(name="err"), "min"),
        ("val_loss_of_trust", keras.metrics.AUC(name="loss_of_trust"), "max"),
    ],
)
def test_direction_comes_from_the_metric_itself(name, metric, expected):
    assert direction(name, metric) == expected


def test_metric_of_a_weighted_and_of_a_named_output_is_found():
    found = metric_directions(compiled(weighted_metrics=["mae"]))
    assert found["weighted_mae"] == "min"
    model = compiled({"head1": ["accuracy"]}, outputs=2)
    assert metric_directions(model)["head1_accuracy"] == "max"
    assert metric_directions(model)["head0_loss"] == "min"


def test_metric_without_a_direction_must_be_asked_for():
    def gain(y_true, y_pred):
        return keras.ops.mean(y_pred)

    with pytest.raises(ValueError, match=r'objective=\("val_gain", "max"\)'):
        direction("val_gain", gain)
    assert direction(("val_gain", "max"), gain) == "max"


def test_unknown_name_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="val_loss, val_accuracy") as raised:
        direction("val_acuracy", "accuracy")
    assert "val_acuracy" in str(raised.value)


def test_unknown_name_with_a_direction_is_an_error_before_any_trial(tmp_path, data):
    tuner = make("random", tmp_path, objective=("val_acuracy", "max"))
    with pytest.raises(ValueError, match="val_loss, val_accuracy"):
        run(tuner, data)
    assert not tuner.oracle.trials


def test_value_that_a_callback_adds_can_be_the_objective(tmp_path, data):
    class Adding(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_added"] = 7.0

    tuner = make("random", tmp_path, objective=("val_added", "max"), max_trials=1)
    assert run(tuner, data, callbacks=[Adding()]).score.tolist() == [7.0]


class OwnStep(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(1)

    def call(self, x):
        return self.head(x)

    def test_step(self, data):
        return {**super().test_step(data), "gain": 3.0}


def test_value_of_a_step_of_ones_own_can_be_the_objective(tmp_path, data):
    def own(hp):
        hp.Choice("unused", [1, 2])
        model = OwnStep()
        model.compile("sgd", "mse", run_eagerly=True)
        return model

    with pytest.raises(ValueError, match="must come with its direction"):
        make("random", tmp_path, own, "val_gain")
    tuner = make("random", tmp_path, own, ("val_gain", "max"), max_trials=1)
    assert run(tuner, data).score.tolist() == [3.0]


def test_name_that_only_fit_knows_needs_its_direction():
    objective = read_objective("profit")
    with pytest.raises(ValueError, match="must come with its direction"):
        settle_objective(objective, compiled(), only_model=False)
    objective = read_objective(("profit", "max"))
    settle_objective(objective, compiled(), only_model=False)
    assert objective.direction == "max"


@pytest.mark.parametrize("objective", [3, "", ("a", "up"), [], ("a", "b", "c")])
def test_other_forms_are_refused(objective):
    with pytest.raises(ValueError, match="Received"):
        settle_objective(read_objective(objective), compiled(), only_model=True)


def test_wrong_objective_is_an_error_before_any_trial(tmp_path):
    with pytest.raises(ValueError, match="what the model reports"):
        make("random", tmp_path, objective="val_f1")
    assert not (tmp_path / "p" / "oracle.json").exists()


def test_validation_must_be_given_for_a_validation_objective(tmp_path, data):
    tuner = make("random", tmp_path)
    with pytest.raises(ValueError, match="`validation_data`"):
        tuner.search(*data, epochs=1)
    assert not tuner.oracle.trials


def test_sum_of_objectives_takes_each_direction(tmp_path):
    tuner = make("random", tmp_path, objective=["val_loss", "val_accuracy"])
    assert tuner.oracle.objective.name_to_direction == {
        "val_loss": "min",
        "val_accuracy": "max",
    }


def test_objective_of_keras_tuner_is_taken(tmp_path):
    objective = keras_tuner.Objective("val_accuracy", "max")
    assert make("grid", tmp_path, objective=objective).oracle.objective is objective


def sum_of(parts):
    return keras_tuner.oracles.RandomSearchOracle(parts).objective


def test_a_sum_has_the_parts_it_was_made_of():
    one = keras_tuner.Objective("val_loss", "min")
    other = keras_tuner.Objective("val_accuracy", "max")
    both = sum_of([one, other])
    assert objective_parts(one) == [one]
    assert objective_parts(both) == [one, other]
    assert objective_parts(None) == [None]


@pytest.mark.parametrize("name", ["val_mae", "mae", "loss", "val_loss"])
def test_what_fit_reports_may_be_asked_for(name):
    check_measured(read_objective((name, "min")), compiled(["mae"]))


def test_what_fit_cannot_report_is_named_in_any_part():
    both = sum_of(
        [read_objective(("val_loss", "min")), read_objective(("val_val_mae", "min"))]
    )
    with pytest.raises(ValueError, match=r"loss, val_mae\..*val_val_mae"):
        check_measured(both, compiled(["mae"]))
    check_measured(both, None)


def test_a_model_of_its_own_steps_may_report_anything():
    class Own(keras.Sequential):
        def test_step(self, data):
            return {"odd": 1.0}

    model = Own([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    check_measured(read_objective(("val_odd", "min")), model)


class Averages:
    def __init__(self, name="average"):
        self.name = name

    def applied(self):
        raise NotImplementedError


class Nameless:
    """It has the word, but as an attribute of its own."""

    def __init__(self):
        self.name, self.applied = "average", None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["val_average_loss"], 1),
        (["val_loss", "val_average_accuracy"], 1),
        (["val_other_loss"], 2),
        (["val_loss"], None),
        (["average_loss"], None),
        (["val_averaged_loss"], None),
    ],
    ids=str,
)
def test_the_callback_is_found_whose_average_is_scored(names, expected):
    callbacks = [Nameless(), Averages(), Averages("other"), keras.callbacks.Callback()]
    parts = [keras_tuner.Objective(name, "min") for name in names]
    objective = parts[0] if len(parts) == 1 else sum_of(parts)
    found = averaging_of(callbacks, objective)
    assert found is (None if expected is None else callbacks[expected])
