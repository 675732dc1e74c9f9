"""The part of a layer's tensors that its statistics are taken on."""

from typing import Any

import tensorflow as tf

# An automatic sample: examples at most, and values of a layer they should make.
_AUTO_SAMPLE = 16, 8_192


class Sampling:
    """Takes the first examples of the tensors of one step.

    A sample is a copy. A slice shares the memory of its tensor, and the operations
    that follow could no longer work in place: on a convolutional net that costs
    more than the statistics do.

    Args:
        size: Examples of a batch, "auto" for a number that fits the layer, `None`
            for all.
        step: The number of the step, an integer tensor >= 0.
    """

    def __init__(self, size: Any, step: Any) -> None:
        self._size = size
        # One, but not to an optimizer of graphs, which would take the copy out.
        self._one = tf.cast(step >= 0, tf.float32)

    def of(self, tensor: Any) -> Any:
        """The sample of a tensor, the batch first; of a scalar all there is."""
        size = self._examples(tensor)
        if size is None:
            return tensor
        return tensor[:size] * tf.cast(self._one, tensor.dtype)

    def of_softmax(self, logits: Any) -> Any:
        """The sample of the softmax of logits, without the rest of the batch.

        Often nothing else needs it: the loss goes on from the logits.
        """
        size = self._examples(logits)
        if size is None:
            return tf.nn.softmax(logits)
        # Operation by operation: the fused kernel takes longer to start than this.
        logits = logits[:size]
        powers = tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True))
        return powers / tf.reduce_sum(powers, axis=-1, keepdims=True)

    def _examples(self, tensor: Any) -> int | None:
        if self._size is None or not tensor.shape.rank:
            return None
        if self._size != "auto":
            return int(self._size)
        features = tensor.shape[1:].num_elements()
        most, values = _AUTO_SAMPLE
        return most if not features else max(1, min(most, values // features))
