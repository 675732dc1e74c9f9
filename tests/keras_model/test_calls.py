"""Methods of layers and others are replaced for a time, and only for that time."""

import keras
import numpy as np
import pytest

from keras_trainkit.keras_model.calls import replaced_method, shown_calls

L = keras.layers


def doubled(layer, call, args, kwargs):
    return 2.0 * call(*args, **kwargs)


def test_calls_are_shown_with_their_arguments_and_outputs_may_change():
    model = keras.Sequential([keras.Input((3,)), L.Dense(2), L.Dropout(0.5)])
    x = np.ones((4, 3), "float32")
    before = model(x).numpy()
    seen = []

    def show(layer, call, args, kwargs):
        seen.append((layer.name, len(args), kwargs["training"]))
        return 2.0 * call(*args, **kwargs)

    with shown_calls(model.layers, show):
        during = model(x, training=False).numpy()
    dense, dropout = model.layers
    assert seen == [(dense.name, 1, False), (dropout.name, 1, False)]
    np.testing.assert_array_equal(during, 4.0 * before)
    np.testing.assert_array_equal(model(x).numpy(), before)


def test_an_error_inside_leaves_no_layer_changed():
    layers = [L.Dense(2), L.Dense(2)]

    def fail():
        with shown_calls(layers, doubled):
            assert all("call" in vars(layer) for layer in layers)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert all("call" not in vars(layer) for layer in layers)


def test_what_is_replaced_already_is_passed_over_and_kept():
    layer = L.Dense(1, kernel_initializer="ones")
    x = np.ones((1, 3), "float32")
    layer.build(x.shape)
    with shown_calls([layer, layer], doubled), shown_calls([layer], doubled):
        assert float(layer(x)[0, 0]) == 6.0
    assert float(layer(x)[0, 0]) == 3.0


def test_a_method_of_an_optimizer_is_replaced_and_not_tracked_as_state():
    optimizer = keras.optimizers.SGD()
    count, noted = len(optimizer.variables), []

    def noting(build):
        def noted_build(variables):
            noted.extend(variables)
            return build(variables)

        return noted_build

    weight = keras.Variable([1.0])
    with replaced_method(optimizer, "build", noting):
        optimizer.build([weight])
    assert noted == [weight]
    assert len(optimizer.variables) >= count
    assert "build" not in vars(optimizer)


def test_a_method_that_is_replaced_already_is_wrapped_and_comes_back():
    model = keras.Sequential()
    model.compute_loss = lambda: 1
    first = vars(model)["compute_loss"]
    with replaced_method(model, "compute_loss", lambda inner: lambda: inner() + 1):
        assert model.compute_loss() == 2
    assert vars(model)["compute_loss"] is first
