"""Which layers' outputs TensorFlow may fuse into what follows them.

The graph optimizer computes some layers together with the next one, e.g. a
convolution without activation and the sum behind it. The output between them then
never exists; a tap would make it exist, and the last bit of the result would
differ. Listed here are the layers behind which that cannot happen: what they give
ends a fused pattern, or is needed again by its own gradient.
"""

from typing import Any

import keras

_layers = keras.layers

_NEVER_FUSED = (
    _layers.ActivityRegularization,
    _layers.Concatenate,
    _layers.Dropout,
    _layers.Embedding,
    _layers.Flatten,
    _layers.GaussianDropout,
    _layers.GaussianNoise,
    _layers.LeakyReLU,
    _layers.ReLU,
    _layers.Reshape,
    _layers.RNN,
    _layers.Softmax,
    _layers.SpatialDropout1D,
    _layers.SpatialDropout2D,
    _layers.SpatialDropout3D,
    _layers.AveragePooling1D,
    _layers.AveragePooling2D,
    _layers.AveragePooling3D,
    _layers.GlobalAveragePooling1D,
    _layers.GlobalAveragePooling2D,
    _layers.GlobalAveragePooling3D,
    _layers.GlobalMaxPooling1D,
    _layers.GlobalMaxPooling2D,
    _layers.GlobalMaxPooling3D,
    _layers.MaxPooling1D,
    _layers.MaxPooling2D,
    _layers.MaxPooling3D,
)
_WITH_ACTIVATION = (
    _layers.Activation,
    _layers.Dense,
    _layers.EinsumDense,
    _layers.Conv1D,
    _layers.Conv2D,
    _layers.Conv3D,
)
# Their gradients need their own outputs, so that these always exist.
_KEPT_ACTIVATIONS = {"relu", "relu6", "elu", "selu", "sigmoid", "softmax", "tanh"}


def may_be_fused(layer: Any, model: Any) -> bool:
    """Whether a tap behind a layer may change the rounding of the step.

    Args:
        layer: A layer of the model.
        model: The model; what its outputs come from ends in the loss.

    Returns:
        `True` wherever it cannot be ruled out.
    """
    if isinstance(layer, _NEVER_FUSED):
        return False
    if isinstance(layer, _WITH_ACTIVATION):
        name = getattr(layer.activation, "__name__", None)
        return name not in _KEPT_ACTIVATIONS and not _is_output(layer, model)
    return not (isinstance(layer, _layers.BatchNormalization) and _feeds_kernels(layer))


def _is_output(layer: Any, model: Any) -> bool:
    if not isinstance(model, (keras.Sequential, keras.Model)):
        return False
    outputs = getattr(model, "outputs", None) or []
    made = {id(node) for node in getattr(layer, "_inbound_nodes", [])}
    return any(
        id(getattr(layer, "output", None)) == id(output)
        for output in outputs
        if len(made) == 1
    )


def _feeds_kernels(layer: Any) -> bool:
    """Whether only layers with a kernel, or that reorder values, follow."""
    followers = [node.operation for node in getattr(layer, "_outbound_nodes", [])]
    return bool(followers) and all(
        isinstance(
            follower,
            (
                _layers.Dense,
                _layers.Conv1D,
                _layers.Conv2D,
                _layers.Conv3D,
                _layers.Dropout,
                _layers.Flatten,
                _layers.MaxPooling2D,
                _layers.AveragePooling2D,
            ),
        )
        for follower in followers
    )
