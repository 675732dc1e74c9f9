"""What a step of one replica shows to the instruments."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.layers import MeasuredLayer
from keras_trainkit.recording.tapped_updates import Update


@dataclasses.dataclass
class Seen:
    """What a step of one replica shows, as symbolic tensors.

    Attributes:
        model: The model.
        data: What the train step was given, nested.
        step: Number of the step, int64.
        loss: The loss of the batch; `None` if the step shows none.
        learning_rate: The rate of the update; `None` without an optimizer.
        logs: What the step returned.
        loss_scale: What the loss was multiplied by before it was differentiated,
            `None` for nothing. Only where updates or layers are looked at.
        updates: The updates made. Only for channels that look at updates.
        layers: The layers by label. Only for channels that look at layers, like
            the next two.
        outputs: The sample of what each layer gave, one tensor a call, the batch
            first.
        output_gradients: The same of the gradient of the loss by these outputs.
    """

    model: Any
    data: Any
    step: Any
    loss: Any = None
    learning_rate: Any = None
    logs: Any = None
    loss_scale: Any = None
    updates: Sequence[Update] = ()
    layers: Mapping[str, MeasuredLayer] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, list[Any]] = dataclasses.field(default_factory=dict)
    output_gradients: Mapping[str, list[Any]] = dataclasses.field(default_factory=dict)
    make_counter: Callable[[str, str, int, Any], Any] | None = None

    @property
    def examples(self) -> Any:
        """How many examples the data hold, float32, as far as can be told; else 1."""
        for value in tf.nest.flatten(self.data):
            if isinstance(value, tf.Tensor) and value.shape.rank:
                return tf.cast(tf.shape(value)[0], tf.float32)
        return tf.ones([])

    def output(self, layer: str) -> Any:
        """All that a layer gave in this step; several calls are put together.

        Raises:
            ValueError: If nothing was read of such a layer.
        """
        return together(_of_layer(self.outputs, layer))

    def output_gradient(self, layer: str) -> Any:
        """The gradient of the loss by it, as it was before any loss scale."""
        gradient = together(_of_layer(self.output_gradients, layer))
        if self.loss_scale is None:
            return gradient
        return gradient / tf.cast(self.loss_scale, gradient.dtype)

    def counter(self, name: str, layer: str, size: int, dtype: Any = tf.float32) -> Any:
        """A variable of this replica that a reading may add to.

        Args:
            name: What is counted; `Place.counters` is asked for the same name.
            layer: Where it is counted.
            size: How many numbers it holds.
            dtype: Their TensorFlow type.
        """
        assert self.make_counter is not None
        return self.make_counter(name, layer, size, dtype)


def together(samples: Sequence[Any]) -> Any:
    """The only tensor as it is, several as one flat one."""
    if len(samples) == 1:
        return samples[0]
    return tf.concat([tf.reshape(sample, [-1]) for sample in samples], axis=0)


def _of_layer(tensors: Mapping[str, list[Any]], layer: str) -> list[Any]:
    if layer not in tensors:
        known = ", ".join(map(repr, tensors)) or (
            "none, as the instrument's channel looks at no layers"
        )
        raise ValueError(
            "`layer` of an instrument's reading must be a layer that is read: "
            f"{known}. {received('layer', layer)}"
        )
    return tensors[layer]
