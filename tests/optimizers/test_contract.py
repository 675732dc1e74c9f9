"""What every update rule of the room promises, newcomers included."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.optimizers import fused, passes
from tests.optimizers.rules import (
    FEW_RULES,
    ONE_RULE,
    RATE,
    RULES,
    Reference,
    gradients,
    run,
)
from tests.tolerances import CONVERGED, EXACT, FLOAT32, FLOAT64

each_rule = pytest.mark.parametrize("name", RULES)
few_rules = pytest.mark.parametrize("name", FEW_RULES)
one_rule = pytest.mark.parametrize("name", ONE_RULE)
PATHS = [
    (name, path)
    for name, rule in RULES.items()
    for path in ("plain", "fused", "kernel")
    if path != "kernel" or "rule_in_place" in vars(rule)
]


@pytest.fixture
def path(request, monkeypatch):
    """Sends weights down the plain path, the compiled one or a kernel's."""
    limit = 0 if request.param == "fused" else 2**60
    monkeypatch.setattr(fused, "LAUNCH_PAYS_FROM", limit)
    if request.param != "kernel":
        monkeypatch.setattr(passes, "_kernel_is_of_the_rule", lambda kind: False)
    return request.param


def small_model(optimizer, **options):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            tk.layers.Embedding(12, 4),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="tanh"),
            keras.layers.Dense(1, dtype="float32"),
        ]
    )
    model.compile(optimizer, "mse", **{"jit_compile": False, **options})
    return model


def small_data():
    generator = np.random.default_rng(5)
    x = generator.integers(0, 12, size=(32, 3))
    return x, generator.normal(size=(32, 1)).astype("float32")


def trained(optimizer, epochs=2, **options):
    model = small_model(optimizer, **options)
    model.fit(*small_data(), batch_size=8, epochs=epochs, shuffle=False, verbose=0)
    return model


@functools.cache
def plainly_trained(name):
    return weights_of(trained(RULES[name](0.05)))


def weights_of(model):
    return [variable.numpy() for variable in model.trainable_variables]


def assert_close(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "path"), PATHS, indirect=["path"])
def test_rule_equals_numpy_reference(name, path):
    found = run(RULES[name](RATE), steps=200)
    references = [Reference(name) for _ in found]
    expected = [np.ones(value.shape) for value in found]
    for step in gradients(200):
        expected = [
            reference.step(x, g)
            for reference, x, g in zip(references, expected, step, strict=True)
        ]
    assert_close(found, expected, FLOAT64)


@each_rule
def test_rule_equals_torch(name):
    torch = pytest.importorskip("torch")
    peers = {
        "SGD": lambda p: torch.optim.SGD(p, RATE),
        "Momentum": lambda p: torch.optim.SGD(p, RATE, momentum=0.9),
        "Nesterov": lambda p: torch.optim.SGD(p, RATE, momentum=0.9, nesterov=True),
        "Adagrad": lambda p: torch.optim.Adagrad(p, RATE, eps=1e-8),
        "RMSprop": lambda p: torch.optim.RMSprop(p, RATE),
        "Adadelta": lambda p: torch.optim.Adadelta(p, RATE, rho=0.95),
        "Adam": lambda p: torch.optim.Adam(p, RATE),
    }
    if name not in peers:
        pytest.skip("PyTorch has no such rule")
    assert_close(run(RULES[name](RATE), 200), torch_run(peers[name]), FLOAT64)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_weight_decay_equals_torch_where_it_means_the_same(name):
    torch = pytest.importorskip("torch")
    peer = {"SGD": torch.optim.SGD, "Adam": torch.optim.AdamW}[name]
    expected = torch_run(lambda p: peer(p, RATE, weight_decay=0.125))
    assert_close(run(RULES[name](RATE, weight_decay=0.125), 200), expected, FLOAT64)


def torch_run(make):
    import torch

    shapes = ((5, 3), (3,), ())
    weights = [torch.ones(shape, dtype=torch.float64) for shape in shapes]
    weights = [torch.nn.Parameter(weight) for weight in weights]
    optimizer = make(weights)
    for step in gradients(200):
        for weight, gradient in zip(weights, step, strict=True):
            weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    return [weight.detach().numpy() for weight in weights]


@each_rule
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_rule_works_in_precision(name, dtype):
    resolution = {"float32": FLOAT32, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
    weights = [keras.Variable(np.ones((4,)), dtype=dtype)]
    exact = [keras.Variable(np.ones((4,)), dtype="float64")]
    for optimizer, target in ((RULES[name](RATE), weights), (RULES[name](RATE), exact)):
        for gradient in ([1, -2, 0, 0.5], [0.5, 1, 0, 4]):
            optimizer.apply([keras.ops.cast(gradient, target[0].dtype)], target)
    found = keras.ops.cast(weights[0], "float64").numpy()
    # Two roundings of values near one in the resolution of the format.
    np.testing.assert_allclose(found, exact[0].numpy(), atol=resolution)


RATES = {"SGD": 0.1, "Momentum": 0.02, "Nesterov": 0.02, "Adadelta": 1.0}


@each_rule
def test_rule_reaches_minimum_of_parabola_and_mixed_shapes(name):
    targets = [np.full((2, 2), 0.5), np.array([-0.25, 0.75]), np.array(0.125)]
    weights = [keras.Variable(np.zeros(t.shape), dtype="float32") for t in targets]
    optimizer = RULES[name](RATES.get(name, 0.1))

    @tf.function
    def step():
        pull = [w.value - t.astype("float32") for w, t in zip(weights, targets)]  # noqa: B905
        optimizer.apply(pull, weights)

    for _ in range(400):
        step()
    for weight, target in zip(weights, targets, strict=True):
        np.testing.assert_allclose(weight.numpy(), target, atol=CONVERGED)


ROSENBROCK_RATES = {
    "SGD": 1e-3,
    "Momentum": 5e-4,
    "Nesterov": 5e-4,
    "Adagrad": 0.5,
    "RMSprop": 2e-3,
    "Adadelta": 1.0,
    "Adam": 0.02,
}


@each_rule
def test_rule_descends_rosenbrock_valley(name):
    point = keras.Variable([-1.0, 1.0], dtype="float64")
    optimizer = RULES[name](ROSENBROCK_RATES.get(name, 1e-3))
    optimizer.build([point])

    @tf.function
    def steps():
        for _ in tf.range(4000):
            x, y = point.value[0], point.value[1]
            slope = 200 * (y - x * x)
            optimizer.apply([tf.stack([2 * (x - 1) - 2 * x * slope, slope])], [point])

    steps()
    # From a height of 4; Adadelta's steps are short for long.
    x, y = point.numpy()
    height = (1 - x) ** 2 + 100 * (y - x * x) ** 2
    assert height < (0.6 if name == "Adadelta" else 0.02)


@each_rule
def test_config_round_trip_keeps_every_argument(name):
    first = RULES[name](
        tk.schedules.StepDecay(0.1, factor=0.5, every=3),
        clipnorm=1.0,
        weight_decay=0.01,
        use_ema=True,
        lazy=True,
        gradient_accumulation_steps=2,
    )
    second = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(first)
    )
    assert type(second) is type(first)
    assert second.get_config() == first.get_config()


@one_rule
def test_saved_model_continues_bit_identically(name, tmp_path):
    options = {"clipnorm": 1.0, "use_ema": True, "weight_decay": 0.01}
    straight = trained(RULES[name](0.05, **options))
    # `fit` ends with the averaged weights in the model, both times.
    straight.save(tmp_path / "model.keras")
    straight.fit(*small_data(), batch_size=8, shuffle=False, verbose=0)

    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is RULES[name]
    loaded.fit(*small_data(), batch_size=8, shuffle=False, verbose=0)
    assert_close(weights_of(loaded), weights_of(straight), EXACT)
    for one, other in zip(
        loaded.optimizer.variables, straight.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@one_rule
@pytest.mark.parametrize(
    "options",
    [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 2}],
    ids=["jit", "eager", "steps_per_execution"],
)
def test_way_to_run_changes_nothing(name, options):
    expected = plainly_trained(name)
    assert_close(weights_of(trained(RULES[name](0.05), **options)), expected, FLOAT32)


@one_rule
@pytest.mark.parametrize("path", ["fused"], indirect=True)
def test_fused_path_changes_nothing(name, path, monkeypatch):
    found = weights_of(trained(RULES[name](0.05, use_ema=True)))
    monkeypatch.setattr(fused, "LAUNCH_PAYS_FROM", 2**60)
    expected = weights_of(trained(RULES[name](0.05, use_ema=True)))
    assert_close(found, expected, FLOAT32)


@one_rule
def test_mixed_precision_with_loss_scaling_trains(name):
    keras.config.set_dtype_policy("mixed_float16")
    model = trained(RULES[name](RATES.get(name, 0.1) / 10), epochs=10)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    before = small_model(RULES[name](0.1)).evaluate(*small_data(), verbose=0)
    assert model.evaluate(*small_data(), verbose=0) < before


@few_rules
def test_loss_scale_factor_changes_nothing(name):
    expected = plainly_trained(name)
    found = weights_of(trained(RULES[name](0.05, loss_scale_factor=256.0)))
    assert_close(found, expected, FLOAT32)


@each_rule
@pytest.mark.parametrize(
    "clipping",
    [{"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.1}],
    ids=["norm", "global", "value"],
)
def test_clipping_is_that_of_the_gradient(name, clipping):
    step = [np.array([[3.0, 4.0]]), np.array([0.03, 0.04])]
    if "clipnorm" in clipping:
        clipped = [step[0] * 0.1 / 5, step[1]]
    elif "global_clipnorm" in clipping:
        clipped = [g * 0.1 / np.hypot(5, 0.05) for g in step]
    else:
        clipped = [np.clip(g, -0.1, 0.1) for g in step]
    results = []
    for gradient, options in ((step, clipping), (clipped, {})):
        weights = [keras.Variable(np.ones(g.shape), dtype="float64") for g in step]
        optimizer = RULES[name](RATE, **options)
        optimizer.apply([tf.constant(g) for g in gradient], weights)
        results.append([weight.numpy() for weight in weights])
    # The clipping limit is a float32 in Keras' words, 0.1 in ours: float64.
    assert_close(results[0], results[1], FLOAT64)


@each_rule
def test_weight_decay_shrinks_before_the_rule_and_spares_the_excluded(name):
    kernel = keras.Variable(np.full((2,), 2.0), dtype="float64", name="kernel")
    bias = keras.Variable(np.full((2,), 2.0), dtype="float64", name="bias")
    optimizer = RULES[name](RATE, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([tf.zeros(2, tf.float64)] * 2, [kernel, bias])
    np.testing.assert_allclose(kernel.numpy(), 2 * (1 - RATE * 0.5), rtol=FLOAT64)
    np.testing.assert_array_equal(bias.numpy(), 2.0)


@each_rule
def test_nan_gradient_is_a_value(name):
    weight = keras.Variable([1.0, 1.0])
    RULES[name](0.1).apply([tf.constant([np.nan, 1.0])], [weight])
    assert np.isnan(weight.numpy()).tolist() == [True, False]


@each_rule
def test_constraint_holds_after_the_update(name):
    layer = keras.layers.Dense(2, kernel_constraint=keras.constraints.NonNeg())
    layer.build((None, 3))
    RULES[name](10.0).apply([tf.ones((3, 2)), tf.ones(2)], layer.trainable_variables)
    assert (layer.kernel.numpy() >= 0).all()
    assert (layer.bias.numpy() < 0).all()


@each_rule
def test_weight_without_gradient_stays(name):
    used, unused = keras.Variable([1.0]), keras.Variable([1.0])
    optimizer = RULES[name](0.1)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([tf.ones(1), None], [used, unused])
    assert used.numpy() != 1.0
    assert unused.numpy() == 1.0
