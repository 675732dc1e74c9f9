import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.diagnosis import diagnose
from tests import models
from tests.tolerances import FLOAT32


def fitted(model, data, **options):
    monitor = callbacks.ExamplesMonitor(16)
    options = {"batch_size": 16, "epochs": 2, "verbose": 0} | options
    model.fit(*data, callbacks=[monitor], **options)
    return monitor.record


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"jit_compile": True}, marks=pytest.mark.slow),
        {"run_eagerly": True},
    ],
)
def test_examples_are_those_first_trained_on(options):
    keras.utils.set_random_seed(0)
    model = models.sequential()
    model.compile("sgd", "sparse_categorical_crossentropy", **options)
    x, y = models.data()
    record = fitted(model, (x, y), shuffle=False)
    expected = model.evaluate(x[:16], y[:16], verbose=0)
    last = record.values("example_loss")[2][-1]
    np.testing.assert_allclose(last, expected, rtol=FLOAT32)
    assert record.metadata["task"]["loss"] == "sparse_categorical_crossentropy"
    assert record.metadata["task"]["examples"] == 16


def test_model_without_a_loss_of_its_own_trains_on():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.last = keras.layers.Dense(1)

        def call(self, x):
            return self.last(x)

        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            return keras.ops.mean(y_pred**2)

    model = Own()
    model.compile("sgd")
    record = fitted(model, (np.ones((32, 3), "f4"), np.ones(32)))
    assert "example_loss" not in record.measures
    assert len(record.values("epoch_loss")[2]) == 2


def test_task_says_what_is_dropped_and_frozen():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, trainable=False),
            keras.layers.Dropout(0.9),
            keras.layers.Dense(1, "tanh"),
        ]
    )
    model.compile("sgd", "mse")
    x = np.linspace(-50, 50, 48, dtype="f4").reshape(16, 3)
    record = fitted(model, (x, x[:, 0]))
    task = record.metadata["task"]
    assert task["activation"] == "tanh"
    assert (task["dropout"], task["frozen_layers"]) == (0.9, 1)
    assert task["trainable_weights"] == 5
    assert record.values("input_high")[2][-1] == 50.0
    assert record.values("input_spread")[2][-1] == pytest.approx(np.std(x))


X = np.random.default_rng(0).normal(size=(32, 5)).astype("f4")


class Rebuilds(keras.Model):
    """A model without targets: its loss is its own."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(5)

    def call(self, x):
        rebuilt = self.dense(x)
        self.add_loss(keras.ops.mean((rebuilt - x) ** 2))
        return rebuilt


@pytest.mark.parametrize(
    ("monitor", "streamed"),
    [
        ("TrainingMonitor", False),
        ("ExamplesMonitor", True),
        pytest.param("TrainingGuard", False, marks=pytest.mark.slow),
        pytest.param("TrainingMonitor", True, marks=pytest.mark.slow),
        pytest.param("ExamplesMonitor", False, marks=pytest.mark.slow),
        pytest.param("TrainingGuard", True, marks=pytest.mark.slow),
    ],
)
def test_model_without_targets_trains_on(monitor, streamed):
    model = Rebuilds()
    model.compile("sgd")
    x = tf.data.Dataset.from_tensor_slices(X).batch(16) if streamed else X
    monitor = getattr(callbacks, monitor)()
    history = model.fit(x, epochs=2, verbose=0, shuffle=False, callbacks=[monitor])
    assert len(history.history["loss"]) == 2
    assert "example_loss" not in monitor.record.measures


def test_what_fails_between_epochs_is_warned_of_once():
    class Fails(keras.losses.Loss):
        def call(self, y, p):
            if isinstance(p, np.ndarray) or tf.executing_eagerly():
                raise RuntimeError("only in a step")
            return tf.reduce_mean((y - p) ** 2, -1)

    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    model.compile("sgd", Fails())
    monitor = callbacks.ExamplesMonitor()
    with pytest.warns(UserWarning, match="not measured.*only in a step") as warned:
        history = model.fit(
            X, X[:, :1], batch_size=32, epochs=3, verbose=0, callbacks=[monitor]
        )
    assert len(warned) == 1
    assert len(history.history["loss"]) == 3


@pytest.mark.parametrize("eagerly", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_state_that_evaluation_moves_is_put_back(eagerly):
    def trained(*monitors):
        keras.utils.set_random_seed(0)
        layers = [models.MovingNoise(hidden=True), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((5,)), *layers])
        model.compile("adam", models.CountingLoss(), run_eagerly=eagerly)
        model.fit(
            X, X[:, :1], batch_size=16, epochs=2, verbose=0, callbacks=list(monitors)
        )
        return [*model.get_weights(), model.loss.calls.numpy()]

    monitor = callbacks.ExamplesMonitor()
    for bare, watched in zip(trained(), trained(monitor), strict=True):
        assert bare.tobytes() == watched.tobytes()
    assert len(monitor.record.values("example_loss")[2]) == 2


def test_a_model_that_scales_by_itself_is_told_neither_to_scale_nor_to_thaw():
    x = (100 * np.random.default_rng(0).normal(size=(60, 5))).astype("float32")
    y = np.random.default_rng(1).integers(0, 3, 60)
    scale = keras.layers.Normalization()
    scale.adapt(x)

    def codes(*first):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((5,)), *first, keras.layers.Dense(3, "softmax")]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.SGD(1e-6), "sparse_categorical_crossentropy")
        return diagnose(fitted(model, (x, y))).codes

    assert "unscaled_inputs" in codes()
    assert not {"unscaled_inputs", "frozen_layers"} & set(codes(scale))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lambda t, p: keras.ops.sum((t - p) ** 2), "sum"),
        (lambda t, p: keras.ops.mean((t - p) ** 2), "mean"),
        pytest.param(
            lambda t, p: keras.ops.logsumexp((t - p) ** 2),
            "other",
            marks=pytest.mark.slow,
        ),
        pytest.param("mse", None, marks=pytest.mark.slow),
    ],
    ids=["sum", "mean", "other", "each"],
)
def test_task_says_what_more_rows_do_to_the_loss_of_a_batch(loss, expected):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    model.compile("sgd", loss)
    record = fitted(model, (X, X[:, :1]), epochs=1)
    assert record.metadata["task"].get("batch_loss") == expected


@pytest.mark.parametrize(
    ("loss", "ignores"),
    [
        pytest.param("mse", False, marks=pytest.mark.slow),
        (lambda y, p: keras.ops.mean((keras.ops.reshape(y, (-1,)) - p) ** 2), True),
    ],
    ids=["by pairs", "broadcast"],
)
def test_a_loss_that_compares_all_with_all_is_told(loss, ignores):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss)
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("f4")
    monitor = callbacks.ExamplesMonitor(32)
    model.fit(x, x[:, :1], verbose=0, callbacks=[monitor])
    task = monitor.record.metadata["task"]
    assert task["loss_ignores_order"] is ignores
    assert task["narrowest_layer"] is None
    assert task["neighbours_alike"] > 3.5
    codes = diagnose(monitor.record).codes
    assert ("loss_ignores_order" in codes) is ignores


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, False), ({"class_weight": {0: 1.0, 1: 9.0, 2: 1.0}}, True)],
    ids=["alike", "class weights"],
)
def test_task_says_whether_examples_weigh_differently(options, expected):
    monitor = callbacks.ExamplesMonitor()
    model = models.compiled(models.small)
    model.fit(*models.data(), verbose=0, callbacks=[monitor], **options)
    assert monitor.record.metadata["task"]["weighted"] is expected


def test_weights_of_several_outputs_are_no_reason_to_warn():
    inputs = keras.Input((8,))
    outputs = {name: keras.layers.Dense(1, name=name)(inputs) for name in "ab"}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"a": "mse", "b": "mse"})
    x, y = models.data()
    weights = {name: np.linspace(0.1, 1.0, len(x)) for name in "ab"}
    targets = {name: y.astype("float32") for name in "ab"}
    monitor = callbacks.ExamplesMonitor()
    model.fit(x, targets, sample_weight=weights, verbose=0, callbacks=[monitor])
    assert not list(monitor.record.select("example_loss"))
