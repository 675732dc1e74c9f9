"""Several tensors as one flat vector, and back."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


class Packing:
    """Where each of some tensors lies in one vector.

    Args:
        shapes: The shape of each tensor.
        kinds: The type that each tensor is cast to when it is cut out.
        dtype: The type of the vector.

    Example:
        ```python
        packing = Packing([(2, 3), (3,)], [tf.float32, tf.float32])
        packing.total  # 9
        kernel, bias = packing.split(tf.zeros([9], tf.float64))
        ```
    """

    def __init__(
        self, shapes: Iterable[Any], kinds: Sequence[Any], dtype: Any = tf.float64
    ) -> None:
        self.shapes = [tuple(shape) for shape in shapes]
        self.kinds = list(kinds)
        self.dtype = tf.as_dtype(dtype)
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.offsets = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)
        self.total = int(self.offsets[-1])

    def pack(self, values: Sequence[Any]) -> np.ndarray:
        """Returns arrays as one array, shape `(total,)`."""
        parts = [np.asarray(value).ravel() for value in values]
        kind = self.dtype.as_numpy_dtype
        if not parts:
            return np.zeros(0, kind)
        return np.concatenate([part.astype(kind) for part in parts])

    def cut(self, vector: np.ndarray) -> list[np.ndarray]:
        """Returns the arrays that lie in an array of shape `(total,)`, as views."""
        cuts = np.split(vector, self.offsets[1:-1]) if self.sizes else []
        return [
            cut.reshape(shape) for cut, shape in zip(cuts, self.shapes, strict=True)
        ]

    def split(self, vector: Any) -> list[Any]:
        """Returns the tensors that lie in a tensor of shape `(total,)`."""
        parts = tf.split(vector, self.sizes)
        return [
            tf.cast(tf.reshape(part, shape), kind)
            for part, shape, kind in zip(parts, self.shapes, self.kinds, strict=True)
        ]

    def join(self, tensors: Sequence[Any]) -> Any:
        """Returns tensors as one, shape `(total,)`; zeros in place of `None`."""
        return tf.concat(
            [
                tf.zeros([size], self.dtype)
                if part is None
                else tf.reshape(tf.cast(tf.convert_to_tensor(part), self.dtype), [-1])
                for part, size in zip(tensors, self.sizes, strict=True)
            ],
            axis=0,
        )

    def places(self, tensor: int) -> slice:
        """Returns where a tensor lies in the vector."""
        return slice(int(self.offsets[tensor]), int(self.offsets[tensor + 1]))

    def tensor_of(self, place: int) -> int:
        """Returns which tensor a place of the vector belongs to."""
        return int(np.searchsorted(self.offsets, place, side="right") - 1)
