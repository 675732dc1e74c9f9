import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_trainkit import callbacks
from keras_trainkit.second_order import hessian
from tests import models
from tests.tolerances import FLOAT32

NEAR = 2e-2  # Lanczos' method stops at a residual of 5 %


def fitted(model, *data, **options):
    monitor = callbacks.SharpnessMonitor(24, every_epochs=1)
    options = {"batch_size": 24, "epochs": 2, "verbose": 0, "shuffle": False} | options
    model.fit(*data, callbacks=[monitor], **options)
    return monitor.record.values("sharpness")


def expected(model, *data):
    return np.linalg.eigvalsh(hessian(model, *data, dtype="float64"))[-1]


def compiled(build=models.sequential, **options):
    return models.compiled(build, **{"optimizer": "sgd"} | options)


OTHERS = [models.regularized, models.functional, models.Subclassed, models.shared]


@pytest.mark.parametrize(
    "build",
    [
        models.sequential,
        *(pytest.param(build, marks=pytest.mark.slow) for build in OTHERS),
    ],
    ids=lambda build: getattr(build, "__name__", ""),
)
def test_sharpness_is_the_largest_eigenvalue_on_the_first_examples(build):
    x, y = models.data()
    model = compiled(build)
    _, epochs, values = fitted(model, x, y)
    assert epochs.tolist() == [0, 1]
    assert values[-1] == pytest.approx(expected(model, x[:24], y[:24]), rel=NEAR)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"jit_compile": True}, {"run_eagerly": True}])
def test_sharpness_is_read_however_the_step_runs(options):
    x, y = models.data()
    model = compiled(models.small, **options)
    values = fitted(model, x, y)[2]
    assert values[-1] == pytest.approx(expected(model, x[:24], y[:24]), rel=NEAR)


def test_sharpness_takes_weights_of_examples_outputs_and_dictionaries():
    inputs = keras.Input((8,), name="seen")
    hidden = keras.layers.Dense(5, "tanh")(inputs)
    model = keras.Model(
        {"seen": inputs},
        {
            "class": keras.layers.Dense(3, "softmax", name="class")(hidden),
            "size": keras.layers.Dense(1, name="size")(hidden),
        },
    )
    model.compile(
        "sgd",
        {"class": models.CROSSENTROPY, "size": "mse"},
        loss_weights={"class": 1.0, "size": 0.3},
    )
    x, y = models.data()
    data = {"seen": x}, {"class": y, "size": x[:, :1]}
    stream = tf.data.Dataset.from_tensor_slices(data).batch(24)
    values = fitted(model, stream, batch_size=None)[2]
    few = keras.tree.map_structure(lambda leaf: leaf[:24], data)
    assert values[-1] == pytest.approx(expected(model, *few), rel=NEAR)

    model = compiled(models.small)
    weights = np.linspace(0.1, 3, len(x)).astype("float32")
    values = fitted(model, x, y, sample_weight=weights)[2]
    few = x[:24], y[:24], weights[:24]
    assert values[-1] == pytest.approx(expected(model, *few), rel=NEAR)


def test_sharpness_in_mixed_precision_is_that_in_float32():
    x, y = models.data()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = compiled(models.small)
        values = fitted(model, x, y)[2]
    finally:
        keras.config.set_dtype_policy("float32")
    found = expected(model, x[:24], y[:24])
    assert values[-1] == pytest.approx(found, rel=NEAR)


def test_sharpness_of_a_diverged_model_is_nan():
    x, y = models.data()
    model = compiled(models.regularized)
    model.layers[0].kernel.assign(np.full((8, 6), np.nan))
    assert np.isnan(fitted(model, x, y)[2]).all()


def test_sharpness_stays_within_its_share_of_the_time(monkeypatch):
    x, y = models.data()
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    monitor = callbacks.SharpnessMonitor()
    instrument = monitor.instruments[0]
    measure = type(instrument)._measure

    def slow(self, place):
        now[0] += 1.0
        return measure(self, place)

    monkeypatch.setattr(type(instrument), "_measure", slow)

    class Second(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            now[0] += 20.0

    model = compiled(models.small)
    model.fit(x, y, epochs=30, verbose=0, callbacks=[Second(), monitor])
    epochs = monitor.record.values("sharpness")[1]
    # A second of reading is a hundredth of five epochs' time; the first is free.
    assert epochs[0] == 0
    assert 4 <= len(epochs) <= 8


class NoSecondDerivative(keras.layers.Layer):
    def call(self, x):
        return tf.nn.softsign(x)


def test_model_without_second_derivatives_trains_on_with_a_word():
    x, y = models.data()
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(3), NoSecondDerivative()]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    monitor = callbacks.SharpnessMonitor(every_epochs=1)
    with pytest.warns(UserWarning, match="not measured.*second deriv") as warned:
        model.fit(x, y, epochs=3, verbose=0, callbacks=[monitor])
    assert len([one for one in warned if "not measured" in str(one.message)]) == 1
    assert "sharpness" not in monitor.record.measures


class Counting(keras.losses.Loss):
    """Weighs itself by how often it was called, and by chance."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(1.0, trainable=False)
        self.random = tf.random.Generator.from_seed(1)

    def call(self, y, p):
        self.calls.assign_add(0.5)
        return tf.reduce_mean((y - p) ** 2, -1) * self.calls * self.random.uniform([])


@pytest.mark.parametrize(
    ("build", "loss"),
    [
        (models.sequential, Counting),
        *(
            pytest.param(build, models.CROSSENTROPY, marks=pytest.mark.slow)
            for build in [models.sequential, *OTHERS, models.residual]
        ),
    ],
)
def test_sharpness_changes_no_bit_of_the_training(build, loss):
    x, y = models.data()
    if loss is Counting:
        y = np.eye(3, dtype="float32")[y]
    found = []
    for watched in (False, True):
        model = models.compiled(build, loss=loss if isinstance(loss, str) else loss())
        watchers = [callbacks.SharpnessMonitor(every_epochs=1)] if watched else []
        history = model.fit(x, y, epochs=2, verbose=0, callbacks=watchers)
        state = [*model.variables, *model.optimizer.variables]
        found.append([v.numpy().tobytes() for v in state] + [history.history])
        # What is drawn afterwards is the same as well.
        found[-1] += [np.random.random(), tf.random.uniform([]).numpy()]
        found[-1] += [float(keras.random.normal(()))]
    assert found[0] == found[1]


def test_sharpness_is_on_the_page_and_in_tensorboard(tmp_path):
    x, y = models.data()
    page = callbacks.TrainingMonitor(tmp_path, tensorboard=True)
    sharpness = callbacks.SharpnessMonitor(every_epochs=1)
    model = compiled(models.small)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[sharpness, page])
    assert sharpness.record is page.record
    assert "Sharpness" in (tmp_path / "report.html").read_text()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = events.Scalars("sharpness")[-1].value
    expected = page.record.values("sharpness")[2][-1]
    assert found == pytest.approx(expected, FLOAT32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"examples": 0}, "`examples` must be"),
        ({"every_epochs": 0}, "`every_epochs` must be"),
        (
            {"every_epochs": "always"},
            '`every_epochs` must be an integer >= 1 or "auto"',
        ),
        ({"overhead": 0}, "`overhead` must be"),
    ],
)
def test_bad_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.SharpnessMonitor(**arguments)
