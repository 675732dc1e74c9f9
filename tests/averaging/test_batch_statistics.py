"""Statistics for averaged weights equal those that PyTorch estimates."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.averaging.batch_statistics import BatchStatistics
from keras_trainkit.callbacks import WeightAveraging
from tests import models
from tests.callbacks.averages import assert_close, fit
from tests.models import compiled
from tests.tolerances import FLOAT32

torch = pytest.importorskip("torch")
layers = keras.layers


def normalized():
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(6, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dense(5),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def batches(size=16):
    x, _ = models.data()
    return [keras.ops.convert_to_tensor(x[i : i + size]) for i in range(0, 48, size)]


def of_torch(weights, size=16):
    """The same net in PyTorch, its statistics estimated by `update_bn`."""
    kernel, bias, gamma, beta, kernel2, bias2, gamma2, beta2, *_ = map(
        torch.tensor, weights
    )
    net = torch.nn.Sequential(
        torch.nn.Linear(8, 6),
        torch.nn.Tanh(),
        torch.nn.BatchNorm1d(6, eps=1e-3),
        torch.nn.Linear(6, 5),
        torch.nn.BatchNorm1d(5, eps=1e-3),
    )
    values = [kernel.T, bias, gamma, beta, kernel2.T, bias2, gamma2, beta2]
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), values, strict=True):
            parameter.copy_(value)
    torch.optim.swa_utils.update_bn([torch.tensor(b.numpy()) for b in batches()], net)
    found = []
    for norm in (net[2], net[4]):
        # PyTorch's variance is that of a sample, n - 1 below; Keras' is not.
        variance = norm.running_var * (size - 1) / size
        found += [norm.running_mean.numpy(), variance.numpy()]
    return found


def raw_weights(model):
    return [(v, v.value.read_value()) for v in model.trainable_variables]


def test_statistics_equal_those_of_torch():
    model = compiled(normalized, optimizer="sgd")
    fit(model, epochs=1)
    statistics = BatchStatistics(model).estimate(raw_weights(model), batches())
    expected = of_torch([v.numpy() for v in model.trainable_variables])
    assert_close([value for _, value in statistics], expected, FLOAT32)


def test_averaged_model_has_the_statistics_of_torch():
    data = tf.data.Dataset.from_tensor_slices(models.data()).batch(16)
    averaging = WeightAveraging("mean", start_epoch=0, train_data=data)
    model = compiled(normalized, optimizer="sgd")
    fit(model, averaging)
    norms = [model.layers[1], model.layers[3]]
    found = [v.numpy() for n in norms for v in (n.moving_mean, n.moving_variance)]
    assert_close(found, of_torch(averaging.weights), FLOAT32)


def test_model_is_not_touched():
    model = compiled(models.sequential, optimizer="sgd")
    fit(model, epochs=1)
    before = models.weights_of(model)
    statistics = BatchStatistics(model).estimate(raw_weights(model), batches())
    assert len(statistics) == 2
    assert models.same(before, models.weights_of(model))
    for layer in model.layers:
        assert "call" not in vars(layer)
        assert getattr(layer, "momentum", 0.99) == 0.99


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_infinite_statistics_have_no_part_in_new_ones(run_eagerly):
    model = compiled(normalized, run_eagerly=run_eagerly)
    expected = BatchStatistics(model).estimate(raw_weights(model), batches())
    model.layers[1].moving_variance.assign(np.full(6, np.inf))
    found = BatchStatistics(model).estimate(raw_weights(model), batches())
    assert_close([v for _, v in found], [v for _, v in expected], FLOAT32)


def test_shared_layer_takes_the_mean_over_its_calls():
    inputs = keras.Input((8,))
    norm = layers.BatchNormalization()
    one, other = norm(inputs), norm(2.0 * inputs + 1.0)
    model = keras.Model(inputs, layers.Add()([one, other]))
    x = batches(48)[0]
    statistics = BatchStatistics(model).estimate([], [x])
    mean, variance = x.numpy().mean(0), x.numpy().var(0)
    expected = [(mean + 2 * mean + 1) / 2, (variance + 4 * variance) / 2]
    assert_close([value for _, value in statistics], expected, FLOAT32)


def test_layers_that_do_not_train_keep_their_statistics():
    class Inference(keras.Model):
        def __init__(self):
            super().__init__()
            self.still = layers.BatchNormalization()
            self.moving = layers.BatchNormalization()

        def call(self, inputs, training=False):
            return self.moving(self.still(inputs, training=False), training=training)

    model = Inference()
    model(batches()[0])
    statistics = BatchStatistics(model).estimate([], batches())
    assert [id(v) for v, _ in statistics] == [
        id(model.moving.moving_mean),
        id(model.moving.moving_variance),
    ]
    model.moving.trainable = False
    assert BatchStatistics(model).estimate([], batches()) == []


def test_statistics_of_half_precision_are_estimated_in_float32():
    keras.config.set_dtype_policy("mixed_float16")
    model = compiled(normalized)
    statistics = BatchStatistics(model).estimate(raw_weights(model), batches())
    assert {value.dtype.name for _, value in statistics} == {"float32"}


def test_synchronized_layers_are_estimated_over_replicas(two_replicas):
    def build():
        return keras.Sequential(
            [keras.Input((8,)), layers.BatchNormalization(synchronized=True)]
        )

    model = compiled(build, two_replicas, loss="mse")
    statistics = BatchStatistics(model).estimate([], batches(48))
    x, _ = models.data()
    assert_close([v for _, v in statistics], [x.mean(0), x.var(0)], FLOAT32)


def test_no_batch_is_an_error():
    with pytest.raises(ValueError, match="`train_data` must hold a batch"):
        BatchStatistics(compiled(normalized)).estimate([], [])
