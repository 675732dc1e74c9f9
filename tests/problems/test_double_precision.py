import keras
import pytest

from keras_trainkit.keras_model.layers import all_layers
from keras_trainkit.problems.double_precision import double_precision
from tests.gradcheck.zoo import mixed_precision, two_heads


@pytest.mark.parametrize(
    "make", [mixed_precision, two_heads], ids=lambda make: make.__name__
)
def test_every_layer_is_lifted_and_put_back(make):
    model, _, _ = make()
    layers = all_layers(model)
    before = [(layer.dtype_policy, layer.compute_dtype) for layer in layers]
    kinds = [variable.dtype for variable in model.variables]
    inside = set()

    def fail():
        with double_precision(model):
            inside.update(layer.compute_dtype for layer in layers)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert inside == {"float64"}
    assert [(layer.dtype_policy, layer.compute_dtype) for layer in layers] == before
    assert [variable.dtype for variable in model.variables] == kinds


def test_augmentation_keeps_its_precision():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.RandomFlip(), keras.layers.Flatten()]
    )
    flip = model.layers[0]
    with double_precision(model):
        assert flip.compute_dtype == "float32"
        assert model.layers[1].compute_dtype == "float64"


def test_losses_kept_in_layers_are_lifted():
    layer = keras.layers.Dense(2)
    layer.own_loss = keras.losses.MeanSquaredError()
    with double_precision(layer):
        assert layer.own_loss.dtype == "float64"
    assert layer.own_loss.dtype == "float32"


def test_recurrent_layers_do_without_cudnn_meanwhile():
    model = keras.Sequential([keras.Input((4, 2)), keras.layers.LSTM(3)])
    with double_precision(model):
        assert model.layers[0].use_cudnn is False
    assert model.layers[0].use_cudnn == "auto"
