import keras
import numpy as np
import pytest

import keras_trainkit as tk
from keras_trainkit.keras_model.state import variables_of
from keras_trainkit.probes.what_if import _judged, what_if

L = keras.layers


def data(scale=1.0):
    random = np.random.default_rng(0)
    x = random.normal(size=(160, 6)).astype("f4")
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype("f4")
    return scale * x, y


def compiled(optimizer, dropout=0.0, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(24, "relu", **options),
            L.Dropout(dropout),
            L.Dense(1, "sigmoid"),
        ]
    )
    model.compile(optimizer, "binary_crossentropy")
    return model


SGD = keras.optimizers.SGD
FAULTS = {
    "too low": (lambda: compiled(SGD(3e-3)), 1.0, "learning rate"),
    "dead": (
        lambda: compiled(SGD(0.5), bias_initializer=keras.initializers.Constant(-9.0)),
        1.0,
        "initialisation",
    ),
    "unscaled": (lambda: compiled(SGD(0.5)), 2000.0, "data"),
    "penalties": (
        lambda: compiled(SGD(0.5), kernel_regularizer=keras.regularizers.L2(0.5)),
        1.0,
        "regularisation",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_probe_finds_what_mends(fault):
    make, scale, category = FAULTS[fault]
    probe = what_if(make(), *data(scale), budget_seconds=600)
    assert category in probe.categories, str(probe)


def test_probe_leaves_the_model_as_it_was():
    regularizer = keras.regularizers.L2(1e-3)
    model = compiled(SGD(0.1), 0.3, kernel_regularizer=regularizer)
    model.fit(*data(), verbose=0)
    before = {id(one): np.array(one) for one in variables_of(model)}
    layers = [layer.get_config() for layer in model.layers]
    probe = what_if(model, *data(), steps=3, budget_seconds=600)
    assert len(probe.tried) == 7
    assert probe.steps == 3
    for one in variables_of(model):
        if id(one) in before:
            np.testing.assert_array_equal(np.array(one), before[id(one)])
    assert [layer.get_config() for layer in model.layers] == layers
    assert model.layers[0].kernel.regularizer is regularizer
    assert "no regularisation" in str(probe)


def test_no_time_is_said():
    probe = what_if(compiled(SGD(0.1)), *data(), steps=2, budget_seconds=1e-6)
    assert not probe.tried
    assert "learning rate x 10" in probe.left_out


def test_help_must_be_beyond_the_noise():
    change = tk.probes.changes.CHANGES[0]
    for loss, noisy, quiet in ((0.8, False, True), (0.99, False, False)):
        tried = [(change, loss)]
        assert _judged(2.0, [1.0, 1.2, 0.8], 9, tried, []).tried[0].helps == noisy
        assert _judged(2.0, [1.0, 1.01, 0.99], 9, tried, []).tried[0].helps == quiet
    assert not _judged(2.0, [1.0] * 3, 9, [(change, np.nan)], []).tried[0].helps


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": keras.Sequential()}, "`model` must be a compiled"),
        ({"budget_seconds": 0}, "`budget_seconds` must be"),
        ({"steps": 0}, "`steps` must be"),
    ],
)
def test_what_if_refuses(arguments, words):
    x, y = data()
    with pytest.raises(ValueError, match=words):
        what_if(**{"model": compiled("sgd"), "x": x, "y": y} | arguments)


def test_a_fixed_batch_size_is_kept():
    x = np.random.default_rng(0).normal(size=(23, 4, 2)).astype("float32")
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(5, 4, 2)),
            keras.layers.SimpleRNN(3, stateful=True, unroll=True),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    assert np.isfinite(what_if(model, x, x[:, 0, :1], steps=2).unchanged)
    with pytest.raises(ValueError, match="the 5 rows of the model's fixed"):
        what_if(model, x[:4], x[:4, 0, :1])
    with pytest.raises(ValueError, match="must take any number of rows"):
        tk.second_order.minimize(model, x, x[:, 0, :1], batch_size=5)
    assert tk.second_order.minimize(
        model, x[:5], x[:5, 0, :1], max_evaluations=3
    ).evaluations


def test_what_if_refuses_several_replicas(two_replicas):
    with two_replicas.scope():
        model = compiled("sgd")
    with pytest.raises(ValueError, match=r"on one device.*replicas=2"):
        what_if(model, *data())
