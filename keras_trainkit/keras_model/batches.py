"""Takes a few examples out of whatever a user would pass to `fit`."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received


def take_batch(
    x: Any, y: Any = None, sample_weight: Any = None, *, examples: int, seed: int
) -> tuple[Any, Any, Any]:
    """Returns at most `examples` rows of inputs, targets and weights as arrays.

    Args:
        x: Arrays or tensors in any nesting, a `tf.data.Dataset`, a Keras
            `PyDataset` or another iterable of batches.
        y: Targets with the same number of rows, `None` if `x` brings them.
        sample_weight: Weights with the same number of rows, or `None`.
        examples: Largest number of rows, int >= 1.
        seed: Which rows are drawn when there are more.

    Returns:
        The rows of `(x, y, sample_weight)`, in their original order.

    Raises:
        ValueError: If the numbers of rows differ or there are none.
    """
    if is_stream(x):
        x, y, sample_weight = first_of_stream(x)
    x, y, sample_weight = (as_arrays(part) for part in (x, y, sample_weight))
    rows = row_count(x, y, sample_weight)
    if rows > examples:
        chosen = np.sort(
            np.random.default_rng(seed).choice(rows, examples, replace=False)
        )
        x, y, sample_weight = (
            keep_rows(part, chosen) for part in (x, y, sample_weight)
        )
    return x, y, sample_weight


def row_count(x: Any, y: Any, sample_weight: Any) -> int:
    """Returns the number of rows that all arrays share.

    Raises:
        ValueError: If the numbers differ or there are no rows.
    """
    leaves = tf.nest.flatten((x, y, sample_weight))
    lengths = {len(leaf) for leaf in leaves if leaf is not None and np.ndim(leaf)}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            "`x`, `y` and `sample_weight` must have the same number of rows, at "
            f"least one. {received('rows', sorted(lengths))}"
        )
    return lengths.pop()


def is_stream(x: Any) -> bool:
    """Returns whether `x` yields batches instead of holding rows."""
    return isinstance(x, tf.data.Dataset | keras.utils.PyDataset) or (
        hasattr(x, "__next__")
    )


def first_of_stream(x: Any) -> tuple[Any, Any, Any]:
    """Returns the first batch of a dataset as `(x, y, sample_weight)`."""
    batch = x[0] if isinstance(x, keras.utils.PyDataset) else next(iter(x))
    return keras.utils.unpack_x_y_sample_weight(batch)


def keep_rows(structure: Any, rows: Any) -> Any:
    """Returns the chosen rows of every array in a nested structure."""
    return tf.nest.map_structure(
        lambda leaf: leaf[rows] if leaf is not None and np.ndim(leaf) else leaf,
        structure,
    )


def as_arrays(structure: Any) -> Any:
    """Returns nested data as NumPy arrays: tensors, frames and lists of numbers."""

    def convert(leaf: Any) -> Any:
        if leaf is None or isinstance(leaf, np.ndarray):
            return leaf
        if hasattr(leaf, "to_numpy"):
            return leaf.to_numpy()
        return leaf.numpy() if hasattr(leaf, "numpy") else np.asarray(leaf)

    if isinstance(structure, list) and structure and _numbers(structure[0]):
        structure = np.asarray(structure)
    return tf.nest.map_structure(convert, structure)


def _numbers(item: Any) -> bool:
    """Whether an item of a list is a number or a list of numbers, not an array."""
    while isinstance(item, list) and item:
        item = item[0]
    return bool(np.isscalar(item))
