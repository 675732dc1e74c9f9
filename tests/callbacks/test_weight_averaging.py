"""What the average is, and that keeping it changes nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.callbacks import WeightAveraging
from tests import models
from tests.callbacks.averages import (
    Points,
    assert_close,
    exponential,
    fit,
    mean,
)
from tests.tolerances import FLOAT32

torch = pytest.importorskip("torch")
swa_utils = pytest.importorskip("torch.optim.swa_utils")

# On so little random data either of the two may be the better one.
pytestmark = pytest.mark.filterwarnings("ignore:The average, which the model now")


def compiled(build=models.small, **options):
    # Steps so large that every point tells in the average.
    options = {"optimizer": lambda: keras.optimizers.SGD(0.5)} | options
    return models.compiled(build, **options)


def trained(averaging, build=models.small, **compile):
    points = Points()
    model = compiled(build, **compile)
    fit(model, points, averaging)
    return model, points.points


@pytest.fixture(scope="module")
def run():
    """A run that is averaged in many ways at once, and its points."""
    options = {
        "every_step": {"start_epoch": 1},
        "every_second": {"start_epoch": 1, "every": 2},
        "ends_of_epochs": {"start_epoch": 1, "every": "epoch"},
        "last_quarter": {},
        "mean": {"start_epoch": 0},
        "exponential": {"kind": "exponential", "decay": 0.75},
        "corrected": {"kind": "exponential", "decay": 0.75, "bias_correction": True},
    }
    averages = {
        name: WeightAveraging(name=name, at_end="raw", **own)
        for name, own in options.items()
    }
    points = Points()
    fit(compiled(), points, *averages.values(), epochs=4)
    return averages, points.points


@pytest.mark.parametrize(("name", "every"), [("every_step", 1), ("every_second", 2)])
def test_mean_equals_float64(run, name, every):
    averages, points = run
    points = points[3:][every - 1 :: every]
    assert averages[name].count == len(points)
    assert_close(averages[name].weights, mean(points), FLOAT32)


@pytest.mark.parametrize(
    ("name", "correct"), [("exponential", False), ("corrected", True)]
)
def test_exponential_average_equals_float64(run, name, correct):
    averages, points = run
    assert averages[name].count == len(points) == 12
    expected = exponential(points, 0.75, correct)
    assert_close(averages[name].weights, expected, FLOAT32)


def test_average_of_epochs_takes_the_weights_at_their_ends(run):
    averages, points = run
    averaging = averages["ends_of_epochs"]
    assert averaging.count == 3
    expected = mean([points[5], points[8], points[11]])
    assert_close(averaging.weights, expected, FLOAT32)


@pytest.mark.parametrize("kind", ["mean", "exponential"])
def test_average_equals_torch(run, kind):
    averages, points = run
    averaging = averages[kind]
    average = {
        "mean": {"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()},
        "exponential": {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.75)},
    }[kind]
    source = torch.nn.ParameterList([torch.tensor(v) for v in points[0]])
    averaged = swa_utils.AveragedModel(source, **average)
    for point in points:
        with torch.no_grad():
            for parameter, value in zip(source, point, strict=True):
                parameter.copy_(torch.tensor(value))
        averaged.update_parameters(source)
    expected = [parameter.detach().numpy() for parameter in averaged.module]
    assert_close(averaging.weights, expected, FLOAT32)


def test_mean_starts_in_the_last_quarter(run):
    averages, _ = run
    assert averages["last_quarter"].count == 3


def assert_unchanged(build=models.sequential, *, fit_options=None, **compile):
    plain = models.compiled(build, **compile)
    fit(plain, **fit_options or {})
    averaging = WeightAveraging("mean", start_epoch=1, at_end="raw")
    averaged = models.compiled(build, **compile)
    fit(averaged, averaging, **fit_options or {})
    assert models.same(models.weights_of(plain), models.weights_of(averaged))
    assert_clean(averaged)
    assert averaging.count
    return averaging


def assert_clean(model):
    assert not {"train_step", "make_train_function", "evaluate"} & set(vars(model))
    assert not [name for name in vars(model) if "averaging" in name]
    assert "Shared" not in type(model.train_function).__name__


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(models.sequential, marks=pytest.mark.slow),
        pytest.param(models.functional, marks=pytest.mark.slow),
        pytest.param(models.Subclassed, marks=pytest.mark.slow),
        pytest.param(models.RawRandom, marks=pytest.mark.slow),
        pytest.param(models.nested, marks=pytest.mark.slow),
        pytest.param(models.shared, marks=pytest.mark.slow),
        pytest.param(models.recurrent, marks=pytest.mark.slow),
        pytest.param(models.embedding, marks=pytest.mark.slow),
        pytest.param(models.residual, marks=pytest.mark.slow),
        models.LateAndFused,
    ],
    ids=lambda build: getattr(build, "__name__", None),
)
def test_every_kind_of_model_trains_unchanged(build):
    x, y = models.data(seed=1)
    averaging = assert_unchanged(build, fit_options={"validation_data": (x, y)})
    assert averaging.count == 6


@pytest.mark.parametrize(
    "compile",
    [
        {"run_eagerly": True},
        {"steps_per_execution": 2},
        {"jit_compile": True},
    ],
    ids=["eager", "steps_per_execution", "xla"],
)
@pytest.mark.slow
def test_every_way_to_run_trains_unchanged(compile):
    averaging = assert_unchanged(
        **compile, fit_options={"validation_data": models.data(seed=1)}
    )
    assert averaging.count == 6


@pytest.mark.parametrize(
    "build", [models.functional, models.convolutional], ids=["dense", "convolutional"]
)
@pytest.mark.slow
def test_xla_trains_unchanged(build):
    assert_unchanged(build, jit_compile=True)


@pytest.mark.parametrize("build", [models.CustomStep, models.TwoOptimizers])
def test_custom_train_step_trains_unchanged(build):
    assert assert_unchanged(build, loss=None, optimizer="sgd").count == 6


@pytest.mark.slow
def test_mixed_precision_trains_unchanged_and_averages_in_float32():
    keras.config.set_dtype_policy("mixed_float16")
    averaging = assert_unchanged(fit_options={"validation_split": 0.25})
    assert {weight.dtype for weight in averaging.weights} == {np.dtype("float32")}


def test_steps_skipped_by_an_overflow_are_not_averaged():
    keras.config.set_dtype_policy("mixed_float16")
    averaging = WeightAveraging("mean", start_epoch=0, at_end="raw")
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=2.0**40
    )
    model = compiled(optimizer=optimizer)
    fit(model, averaging)
    assert averaging.count == int(model.optimizer.iterations.numpy()) < 9


def test_only_updates_count_under_gradient_accumulation():
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=3)
    averaging = WeightAveraging("mean", start_epoch=0, at_end="raw")
    _, points = trained(averaging, optimizer=optimizer)
    assert averaging.count == 3
    assert_close(averaging.weights, mean(points[2::3]), FLOAT32)


@pytest.mark.slow
def test_mirrored_strategy_trains_unchanged(two_replicas):
    averaging = assert_unchanged(
        strategy=two_replicas,
        fit_options={"validation_data": models.data(seed=1)},
        optimizer="sgd",
    )
    assert averaging.count == 6


@pytest.mark.slow
def test_mirrored_strategy_averages_what_one_device_does(two_replicas):
    averaging = WeightAveraging("mean", start_epoch=0)
    model, points = trained(averaging, models.functional, strategy=two_replicas)
    assert_close(averaging.weights, mean(points), FLOAT32)
    assert_close([v.numpy() for v in model.trainable_variables], mean(points), FLOAT32)


def test_float64_is_averaged_in_float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    averaging = assert_unchanged(models.small, optimizer="sgd")
    assert {weight.dtype for weight in averaging.weights} == {np.dtype("float64")}


def test_frozen_layers_and_other_state_are_left_as_they_are():
    class Counts(keras.layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(
                shape=(), dtype="int64", trainable=False, initializer="zeros"
            )

        def call(self, inputs):
            self.calls.assign_add(1)
            return inputs

    def build():
        model = models.small()
        model.get_layer("hidden").trainable = False
        return keras.Sequential([keras.Input((8,)), Counts(), model])

    plain = compiled(build)
    fit(plain, validation_data=models.data(seed=1))
    averaging = WeightAveraging("mean", start_epoch=0)
    model = compiled(build)
    fit(model, averaging, validation_data=models.data(seed=1))
    assert len(averaging.weights) == len(model.trainable_variables) == 2
    for one, other in zip(plain.variables, model.variables, strict=True):
        if not one.trainable:
            assert models.same([one.numpy()], [other.numpy()])


@pytest.mark.slow
@pytest.mark.parametrize("first", ["monitor", "averaging"])
@pytest.mark.parametrize(
    ("build", "xla"),
    [(models.sequential, False), (models.small, True)],
    ids=["graph", "xla"],
)
def test_monitors_and_averages_work_together_in_either_order(first, build, xla):
    plain = models.compiled(build, jit_compile=xla)
    fit(plain)
    averaging = WeightAveraging("mean", start_epoch=0, at_end="raw")
    monitors = [
        callbacks.UpdateRatioMonitor(every=2),
        callbacks.LayerStatisticsMonitor(every=2),
    ]
    watchers = [*monitors, averaging] if first == "monitor" else [averaging, *monitors]
    points = Points()
    model = models.compiled(build, jit_compile=xla)
    fit(model, *watchers, points)
    assert models.same(models.weights_of(plain), models.weights_of(model))
    assert_clean(model)
    assert_close(averaging.weights, mean(points.points), FLOAT32)
    steps = monitors[0].record.to_frame(measure="update_ratio").step.unique()
    assert steps.tolist() == [0, 2, 4, 6, 8]


def test_two_averages_of_one_run_keep_apart():
    averages = [
        WeightAveraging("mean", start_epoch=0, name="mean", at_end="raw"),
        WeightAveraging("exponential", decay=0.5, name="moving"),
    ]
    points = Points()
    model = compiled()
    history = fit(model, points, *averages, validation_data=models.data(seed=1))
    assert_close(averages[0].weights, mean(points.points), FLOAT32)
    assert_close(averages[1].weights, exponential(points.points, 0.5), FLOAT32)
    assert {"val_mean_loss", "val_moving_loss"} <= set(history.history)
    assert not [name for name in history.history if "mean_moving" in name]
    assert_clean(model)


def test_model_that_is_built_in_part_is_averaged_as_a_whole():
    def build():
        model = models.Subclassed()
        model.first.build((None, 8))
        return model

    averaging = WeightAveraging("mean", start_epoch=0)
    _, points = trained(averaging, build)
    assert len(averaging.weights) == 4
    assert_close(averaging.weights, mean(points), FLOAT32)


def test_second_fit_starts_clean():
    averaging = WeightAveraging("mean", start_epoch=0, at_end="raw")
    model = compiled()
    fit(model, averaging, epochs=2)
    assert averaging.count == 6
    points = Points()
    fit(model, averaging, points, epochs=1)
    assert averaging.count == 3
    assert_close(averaging.weights, mean(points.points), FLOAT32)


def test_callback_has_no_batch_hooks():
    for name in ("on_train_batch_begin", "on_train_batch_end", "on_batch_end"):
        own = getattr(WeightAveraging, name)
        assert own is getattr(keras.callbacks.Callback, name)


class Fails(keras.callbacks.Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise self.error


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("planted"), marks=pytest.mark.slow),
        KeyboardInterrupt(),
    ],
    ids=["ValueError", "KeyboardInterrupt"],
)
def test_fit_that_fails_is_cleared_by_the_next_use(error):
    averaging = WeightAveraging("mean", start_epoch=0)
    model = compiled()
    with pytest.raises(type(error)):
        fit(model, averaging, Fails(error))
    assert averaging.count == 6
    fit(model)
    assert_clean(model)
    assert averaging.count == 6


def test_fit_that_fails_in_a_step_leaves_the_model_clean_at_once():
    def batches():
        x, y = models.data()
        yield x[:16], y[:16]
        raise KeyboardInterrupt("planted")

    model = compiled()
    averaging = WeightAveraging("mean", start_epoch=0)
    with pytest.raises(BaseException, match="planted"):
        model.fit(batches(), shuffle=False, verbose=0, callbacks=[averaging])
    assert_clean(model)


def test_train_function_made_anew_within_a_run_is_averaged_again():
    class Anew(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.make_train_function(force=True)

    averaging = WeightAveraging("mean", start_epoch=0, at_end="raw")
    model, points = compiled(), Points()
    fit(model, averaging, Anew(), points, epochs=2)
    assert_close(averaging.weights, mean(points.points), FLOAT32)


def test_evaluation_with_the_callback_outside_of_a_run_keeps_the_average():
    averaging = WeightAveraging("mean", start_epoch=0, at_end="raw")
    model, points = trained(averaging)
    x, y = models.data()
    model.evaluate(x, y, verbose=0, callbacks=[averaging])
    model.predict(x, verbose=0, callbacks=[averaging])
    assert_clean(model)
    assert_close(averaging.weights, mean(points), FLOAT32)


def test_optimizer_that_averages_itself_is_refused():
    model = compiled(optimizer=keras.optimizers.SGD(0.1, use_ema=True))
    with pytest.raises(ValueError, match="Received: use_ema=True"):
        fit(model, WeightAveraging())
    assert_clean(model)


def test_two_averages_of_one_name_are_refused():
    model = compiled()
    with pytest.raises(ValueError, match="Received: name='averaged'"):
        fit(model, WeightAveraging(), WeightAveraging("exponential"))
    assert_clean(model)


def test_training_that_ends_too_early_keeps_its_weights():
    plain = compiled()
    fit(plain)
    model = compiled()
    with pytest.warns(UserWarning, match="start_epoch=9"):
        fit(model, WeightAveraging(start_epoch=9))
    assert models.same(models.weights_of(plain), models.weights_of(model))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "median"}, "kind='median'"),
        ({"start_epoch": -1}, "start_epoch=-1"),
        ({"every": 0}, "every=0"),
        ({"every": "step"}, "every='step'"),
        ({"decay": 1.0}, "decay=1.0"),
        ({"bias_correction": 1}, "bias_correction=1"),
        ({"at_end": "best"}, "at_end='best'"),
        ({"validate": "yes"}, "validate='yes'"),
        ({"train_data": 3}, "train_data='int'"),
        ({"train_data": iter([1])}, "train_data='list_iterator'"),
        ({"train_data": [1, 2]}, "train_data='list'"),
        ({"statistics_batches": 0}, "statistics_batches=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"checkpoint": "a.keras"}, "checkpoint='str'"),
        ({"name": "a b"}, "name='a b'"),
    ],
)
def test_bad_argument_is_refused_by_name_and_value(arguments, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        WeightAveraging(**arguments)


def test_average_before_training_is_a_clear_error():
    averaging = WeightAveraging()
    with pytest.raises(RuntimeError, match="no average yet"):
        averaging.weights  # noqa: B018
    assert averaging.count == 0


def test_hand_made_updates_without_an_optimizer_count_by_step():
    class ByHand(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(inputs)

        def train_step(self, data):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(self(data[0]) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            for variable, gradient in zip(
                self.trainable_variables, gradients, strict=True
            ):
                variable.assign_sub(0.1 * gradient)
            return {"loss": loss}

    averaging = WeightAveraging("mean", start_epoch=0)
    _, points = trained(averaging, ByHand, optimizer=None, loss=None)
    assert_close(averaging.weights, mean(points), FLOAT32)


class Losses(keras.callbacks.Callback):
    """Remembers what the last validation said."""

    def on_epoch_end(self, epoch, logs=None):
        self.raw, self.averaged = logs["val_loss"], logs["val_averaged_loss"]


@pytest.mark.parametrize(
    "at_end", ["averaged", pytest.param("raw", marks=pytest.mark.slow)]
)
def test_average_that_ended_worse_says_so_with_both_figures(at_end, recwarn):
    # All points count alike, and on a short way down the last is the best.
    averaging = WeightAveraging("mean", start_epoch=0, at_end=at_end)
    losses = Losses()
    x, y = models.data()
    model = compiled(models.sequential, optimizer=keras.optimizers.SGD(0.25))
    callbacks = [averaging, losses]
    model.fit(x, y, validation_data=(x, y), epochs=4, verbose=0, callbacks=callbacks)
    assert losses.averaged > 1.01 * losses.raw
    said = [str(one.message) for one in recwarn if "ended worse" in str(one.message)]
    if at_end == "raw":
        assert not said
        return
    (words,) = said
    assert f"val_averaged_loss was {losses.averaged:.4g}" in words
    assert f"val_loss {losses.raw:.4g}" in words


def test_average_that_ended_better_says_nothing(recwarn):
    averaging = WeightAveraging("mean", start_epoch=1)
    losses = Losses()
    x, y = models.data()
    model = compiled(models.sequential, optimizer=keras.optimizers.SGD(2.0))
    callbacks = [averaging, losses]
    model.fit(x, y, validation_data=(x, y), epochs=3, verbose=0, callbacks=callbacks)
    assert losses.averaged <= 1.01 * losses.raw
    assert not [one for one in recwarn if "ended worse" in str(one.message)]
