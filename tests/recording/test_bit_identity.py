"""Watching changes nothing: weights and optimizer state are the same to the bit."""

import keras
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from tests import models


def monitors(every=1):
    return [
        callbacks.LossMonitor(),
        callbacks.UpdateRatioMonitor(every=every),
        callbacks.LayerStatisticsMonitor(every=every, histograms=True),
        callbacks.OverfittingMonitor(examples=8),
        callbacks.FirstLayerFilters(),
    ]


def train(build, watchers, *, compile=None, fit=None, data=None, strategy=None):
    model = models.compiled(build, strategy, **(compile or {}))
    # A shuffling dataset goes on where it stopped: each run has one of its own.
    x, y = (data() if callable(data) else data) or models.data()
    arguments = {"epochs": 2, "batch_size": 16, "verbose": 0} | (fit or {})
    if isinstance(x, tf.data.Dataset):
        arguments.pop("batch_size")
    model.fit(x, y, callbacks=watchers, **arguments)
    return model


def assert_unchanged(build, watchers=None, **options):
    plain = models.weights_of(train(build, [], **options))
    watchers = watchers or monitors()
    watched = train(build, watchers, **options)
    assert models.same(plain, models.weights_of(watched))
    record = watchers[0].record
    assert {"loss", "update_ratio", "activation_mean"} <= set(record.measures)
    assert "train_function" not in {
        k for k, v in vars(watched).items() if v is watchers
    }
    assert "make_train_function" not in vars(watched)
    assert "train_step" not in vars(watched)
    assert watched.layers[-1].dtype_policy == keras.config.dtype_policy()
    return record


@pytest.mark.parametrize(
    "build",
    [
        models.sequential,
        pytest.param(models.functional, marks=pytest.mark.slow),
        pytest.param(models.Subclassed, marks=pytest.mark.slow),
        models.RawRandom,
        pytest.param(models.nested, marks=pytest.mark.slow),
        pytest.param(models.shared, marks=pytest.mark.slow),
        pytest.param(models.recurrent, marks=pytest.mark.slow),
        pytest.param(models.convolutional, marks=pytest.mark.slow),
        pytest.param(models.attention, marks=pytest.mark.slow),
        pytest.param(models.embedding, marks=pytest.mark.slow),
        pytest.param(models.WithDictionary, marks=pytest.mark.slow),
        pytest.param(models.residual, marks=pytest.mark.slow),
        pytest.param(models.LateAndFused, marks=pytest.mark.slow),
        pytest.param(models.regularized, marks=pytest.mark.slow),
    ],
    ids=lambda build: getattr(build, "__name__", None),
)
def test_every_kind_of_model_trains_unchanged(build):
    assert_unchanged(build)


@pytest.mark.parametrize(
    "compile",
    [
        {"run_eagerly": True},
        {"steps_per_execution": 2},
        {"optimizer": lambda: keras.optimizers.SGD(0.1, momentum=0.9, clipnorm=0.1)},
        {"optimizer": lambda: keras.optimizers.Adam(0.01, global_clipnorm=0.1)},
        {"optimizer": lambda: keras.optimizers.Adam(gradient_accumulation_steps=2)},
        {"optimizer": lambda: keras.optimizers.AdamW(use_ema=True)},
        {"optimizer": lambda: keras.optimizers.SGD(2**-6, loss_scale_factor=8.0)},
    ],
    ids=[
        "eager",
        "steps_per_execution",
        "clipnorm",
        "global_clipnorm",
        "accumulation",
        "ema",
        "loss_scale_factor",
    ],
)
@pytest.mark.slow
def test_every_way_to_run_trains_unchanged(compile):
    assert_unchanged(models.sequential, compile=compile)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(models.sequential, marks=pytest.mark.slow),
        pytest.param(models.functional, marks=pytest.mark.slow),
        pytest.param(models.convolutional, marks=pytest.mark.long),
    ],
    ids=lambda build: build.__name__,
)
def test_xla_trains_unchanged(build):
    assert_unchanged(build, compile={"jit_compile": True})


@pytest.mark.slow
def test_xla_trains_unchanged_at_every_other_step():
    options = {"compile": {"jit_compile": True}}
    plain = train(models.sequential, [], **options)
    watchers = monitors(every=2)
    watched = train(models.sequential, watchers, **options)
    assert models.same(models.weights_of(plain), models.weights_of(watched))
    steps = watchers[0].record.to_frame(measure="update_ratio").step.unique()
    assert steps.tolist() == [0, 2, 4]


@pytest.mark.parametrize("build", [models.sequential, models.residual])
@pytest.mark.slow
def test_readings_now_and_then_leave_training_unchanged(build):
    plain = train(build, [])
    watched = train(build, monitors(every=2))
    assert models.same(models.weights_of(plain), models.weights_of(watched))


@pytest.mark.parametrize(
    "xla",
    [
        pytest.param(False, marks=pytest.mark.slow),
        pytest.param(True, marks=pytest.mark.long),
    ],
)
def test_mixed_precision_trains_unchanged(xla):
    keras.config.set_dtype_policy("mixed_float16")
    record = assert_unchanged(models.sequential, compile={"jit_compile": xla})
    _, _, norms = record.values("gradient_norm", "output", "kernel")
    assert len(norms) == 6
    assert 0 < norms.max() < 10  # scaled gradients would be 32,768 times as long


@pytest.mark.slow
def test_mirrored_strategy_trains_unchanged(two_replicas):
    assert_unchanged(models.sequential, strategy=two_replicas)


@pytest.mark.slow
def test_mirrored_strategy_with_mixed_precision_trains_unchanged(two_replicas):
    keras.config.set_dtype_policy("mixed_float16")
    assert_unchanged(models.sequential, strategy=two_replicas)


@pytest.mark.parametrize("build", [models.CustomStep, models.TwoOptimizers])
@pytest.mark.slow
def test_custom_train_step_trains_unchanged(build):
    # Neither can be evaluated without a loss, which is said once.
    with pytest.warns(UserWarning, match="cannot evaluate on training data"):
        assert_unchanged(build, compile={"loss": None})


def test_frozen_layers_stay_frozen_and_unmeasured():
    def build():
        model = models.small()
        model.get_layer("hidden").trainable = False
        return model

    record = assert_unchanged(build, monitors()[1:3])
    assert not list(record.select("update_ratio", "hidden"))
    assert list(record.select("activation_mean", "hidden"))


@pytest.mark.slow
def test_dataset_with_class_weight_and_validation_trains_unchanged():
    x, y = models.data()

    def shuffled():
        dataset = tf.data.Dataset.from_tensor_slices((x, y))
        return dataset.shuffle(48, seed=1).batch(16), None

    assert_unchanged(
        models.sequential,
        data=shuffled,
        fit={
            "shuffle": False,
            "class_weight": {0: 1.0, 1: 2.0, 2: 3.0},
            "validation_data": (x, y),
        },
    )


@pytest.mark.slow
def test_several_outputs_train_unchanged():
    x, y = models.data()
    targets = {"kind": y, "size": x[:, 0]}
    assert_unchanged(
        models.two_outputs,
        compile={"loss": {"kind": models.CROSSENTROPY, "size": "mse"}},
        data=(x, targets),
        fit={"validation_split": 0.25},
    )


def test_several_inputs_train_unchanged():
    x, y = models.data()
    data = {"left": x, "right": -x}, y
    assert_unchanged(models.two_inputs, monitors()[1:3], data=data)


@pytest.mark.slow
def test_one_batch_trains_unchanged():
    assert_unchanged(models.sequential, data=models.data(examples=5), fit={"epochs": 1})


@pytest.mark.slow
def test_model_in_float64_trains_unchanged():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    assert_unchanged(models.sequential)
