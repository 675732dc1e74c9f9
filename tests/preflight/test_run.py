import importlib
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.keras_model.generators import global_seed_variable
from keras_trainkit.preflight.checks import CHECKS
from tests.models import CountingLoss, MovingNoise
from tests.preflight.models import (
    classifier,
    diabetes,
    digits,
    regressor,
    subclassed,
    two_heads,
)


def test_preflight_passes_a_healthy_classifier():
    x, y = digits()
    report = tk.preflight(
        classifier(), x[:300], y[:300], validation_data=(x[300:], y[300:])
    )
    assert report.ok, str(report)
    assert {verdict.status for verdict in report.verdicts} == {"pass"}, str(report)
    assert report.raise_if_failed() is report


def test_preflight_passes_a_healthy_regressor():
    report = tk.preflight(regressor(), *diabetes(), skip="machine")
    statuses = {verdict.name: verdict.status for verdict in report.verdicts}
    assert set(statuses.values()) == {"pass", "not judged"}, str(report)
    assert statuses["memorizing"] == statuses["initial loss"] == "pass"
    assert statuses["class balance"] == statuses["duplicates"] == "not judged"


def test_preflight_passes_two_inputs_and_two_outputs():
    report = tk.preflight(*two_heads(), skip=["machine"])
    assert report.ok, str(report)
    assert "digit" in report["labels"].why
    assert "even" in report["labels"].why
    assert [verdict.name for verdict in report][:2] == ["features", "labels"]
    assert report["memorizing"].status == "pass", str(report)


def test_preflight_takes_a_dataset_with_sample_weights_and_a_subclassed_model():
    x, y = digits()
    weights = np.linspace(0.5, 1.5, len(x)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(32)
    report = tk.preflight(
        subclassed(), data, validation_data=data, skip=["machine", "memorizing"]
    )
    assert report["duplicates"].status == "fail"
    others = {v.status for v in report.verdicts if v.name != "duplicates"}
    assert others <= {"pass", "not judged"}, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_preflight_works_in_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    report = tk.preflight(classifier(), *digits(), skip=["machine"])
    assert report.ok, str(report)
    assert report["memorizing"].status == "pass", str(report)


def test_preflight_works_on_mirrored_variables(two_replicas):
    with two_replicas.scope():
        model = classifier()
    report = tk.preflight(model, *digits(), skip=["machine"])
    assert {verdict.status for verdict in report.verdicts} <= {"pass", "not judged"}


def state_of(model):
    variables = [*model.variables, *model.optimizer.variables]
    variables += [v for metric in model.metrics for v in metric.variables]
    return [v.numpy().tobytes() for v in variables]


@pytest.mark.parametrize("fitted", [False, True])
def test_preflight_leaves_model_and_random_states_bit_identical(fitted):
    model = classifier(jit_compile=False)
    x, y = digits()
    if fitted:
        model.fit(x, y, verbose=0)
    before = state_of(model)
    keras.random.normal((1,))  # its generator is seeded by Python's, if there is none
    draws = random.getstate(), np.random.get_state()
    generator = tf.random.get_global_generator().state.numpy()
    of_keras = global_seed_variable().numpy()
    attributes = [(layer.dtype_policy, layer.losses) for layer in model.layers]
    tk.preflight(model, x, y, validation_data=(x, y))
    assert state_of(model)[: len(before)] == before
    assert random.getstate() == draws[0]
    for left, right in zip(np.random.get_state(), draws[1], strict=True):
        assert np.array_equal(left, right)
    assert np.array_equal(generator, tf.random.get_global_generator().state.numpy())
    assert np.array_equal(of_keras, global_seed_variable().numpy())
    for layer, (policy, losses) in zip(model.layers, attributes, strict=True):
        assert layer.dtype_policy == policy
        assert len(layer.losses) == len(losses)
        assert "call" not in vars(layer)
    assert model.layers[2].rate == 0.3


@pytest.mark.slow
@pytest.mark.parametrize("make", [classifier, subclassed], ids=["built", "unbuilt"])
def test_training_goes_on_as_if_preflight_had_not_been_called(make):
    histories = []
    for checked in (False, True):
        keras.utils.set_random_seed(4)
        model = make()
        if checked:
            tk.preflight(model, *digits(), skip=["machine"])
        history = model.fit(*digits(), epochs=2, verbose=0).history
        histories.append(history)
    assert histories[0] == histories[1]


def test_a_failed_preflight_raises_its_table():
    model = classifier(keras.layers.Dense(1, "softmax"), loss="binary_crossentropy")
    x, y = digits()
    report = tk.preflight(model, x, y % 2, skip=["machine", "memorizing"])
    assert not report.ok
    with pytest.raises(AssertionError, match="softmax over one unit"):
        report.raise_if_failed()
    assert report.findings[0].severity == "error"


def test_the_table_has_one_row_a_check_in_order():
    skip = ("machine", "memorizing", "gradient")
    frame = tk.preflight(classifier(), *digits(), skip=skip).to_frame()
    assert list(frame.check) == [name for name in CHECKS if name not in skip]
    assert list(frame.columns) == ["check", "status", "why", "advice"]


def test_a_check_that_breaks_is_not_judged_and_hides_no_other(monkeypatch):
    def broken(subject):
        raise RuntimeError("no such luck")

    monkeypatch.setitem(CHECKS, "labels", broken)
    skip = ("machine", "memorizing", "gradient")
    report = tk.preflight(classifier(), *digits(), skip=skip)
    assert report["labels"].status == "not judged"
    assert "no such luck" in report["labels"].why
    assert report["pairing"].status == "pass"


def test_a_model_with_added_losses_only_is_not_judged_where_it_cannot_be():
    class Coder(keras.Model):
        def __init__(self):
            super().__init__()
            self.code = keras.layers.Dense(8)
            self.image = keras.layers.Dense(64)

        def call(self, x):
            image = self.image(self.code(x))
            self.add_loss(keras.ops.mean(keras.ops.square(image - x)))
            return image

    model = Coder()
    model.compile("adam")
    report = tk.preflight(model, digits()[0], skip=["machine"])
    assert report.ok, str(report)
    assert report["labels"].status == "not judged"
    assert report["gradient"].status == "pass", str(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skip": ["gradients"]}, "`skip` must be one of"),
        ({"seconds": 0}, "`seconds` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"verbose": 1}, "`verbose` must be"),
    ],
    ids=lambda value: str(value),
)
def test_preflight_names_a_wrong_argument(options, message):
    with pytest.raises(ValueError, match=message):
        tk.preflight(classifier(), *digits(), **options)


def test_preflight_refuses_what_is_no_compiled_model():
    x, y = digits()
    with pytest.raises(ValueError, match="must be a Keras model"):
        tk.preflight(len, x, y)
    with pytest.raises(ValueError, match="must be compiled"):
        tk.preflight(keras.Sequential([keras.layers.Dense(2)]), x, y)
    with pytest.raises(ValueError, match="same number of rows"):
        tk.preflight(classifier(), x, y[:-1])


def test_the_function_wins_the_name_and_the_room_stays_importable():
    room = importlib.import_module("keras_trainkit.preflight")
    assert tk.preflight is room.preflight


def test_state_that_keras_does_not_list_is_put_back():
    noisy = MovingNoise()
    model = keras.Sequential([keras.Input((5,)), noisy, keras.layers.Dense(1)])
    model.compile("adam", CountingLoss())
    before = noisy.hidden.state()
    x = np.random.default_rng(0).normal(size=(60, 5)).astype("f4")
    skip = ("memorizing", "gradient", "machine")
    tk.preflight(model, x, x[:, :1], skip=skip, verbose=False)
    assert model.loss.calls.numpy() == 1.0
    assert noisy.hidden.state() == before
