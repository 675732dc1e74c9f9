"""Nested arrays with rows, made of whatever holds numbers or strings."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received

KINDS = "biufcSU"  # what NumPy calls numbers, booleans and strings


def as_arrays(structure: Any, name: str = "x", *, scalars: bool = False) -> Any:
    """Returns nested data as arrays, whatever held them.

    Args:
        structure: Arrays, tensors (TensorFlow, torch), pandas frames and series,
            SciPy's sparse matrices, or lists of numbers or strings, in any nesting
            of dictionaries, lists and tuples; `None` stays.
        name: What an error calls it.
        scalars: Whether a number may stand where an array is expected.

    Returns:
        The same nesting of NumPy arrays. A sparse matrix becomes a SciPy CSR matrix,
        which `keep_rows` turns into an array.

    Raises:
        ValueError: If a part holds neither numbers nor strings.
    """
    if structure is None or (scalars and _is_scalar(structure)):
        return structure
    if isinstance(structure, Mapping):
        return {
            key: as_arrays(part, f"{name}/{key}", scalars=scalars)
            for key, part in structure.items()
        }
    if isinstance(structure, list | tuple) and not _is_literal(structure):
        parts = [
            as_arrays(part, f"{name}/{place}", scalars=scalars)
            for place, part in enumerate(structure)
        ]
        if hasattr(structure, "_fields"):
            return type(structure)(*parts)
        return tuple(parts) if isinstance(structure, tuple) else parts
    return _array(structure, name, scalars)


def row_count(x: Any, y: Any = None, sample_weight: Any = None) -> int:
    """Returns the number of rows that all arrays share.

    Raises:
        ValueError: If the numbers differ or there are no rows.
    """
    lengths: dict[str, int] = {}
    for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        lengths |= row_counts(part, name)
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(
            "`x`, `y` and `sample_weight` must have the same number of rows, at "
            f"least one. {received('rows', lengths)}"
        )
    return next(iter(lengths.values()))


def row_counts(structure: Any, name: str) -> dict[str, int]:
    """Returns the number of rows of each array that has any, by its place."""
    if isinstance(structure, Mapping):
        items = [(f"{name}/{key}", part) for key, part in structure.items()]
    elif isinstance(structure, list | tuple):
        items = [(f"{name}/{place}", part) for place, part in enumerate(structure)]
    else:
        return {name: int(structure.shape[0])} if has_rows(structure) else {}
    return {
        key: rows for at, part in items for key, rows in row_counts(part, at).items()
    }


def has_rows(leaf: Any) -> bool:
    """Returns whether a part is an array of at least one axis."""
    return leaf is not None and len(getattr(leaf, "shape", ())) > 0


def keep_rows(structure: Any, rows: Any) -> Any:
    """Returns the chosen rows of every array in a nested structure, none sparse."""

    def kept(leaf: Any) -> Any:
        if not has_rows(leaf):
            return leaf
        return leaf[rows].toarray() if is_sparse(leaf) else leaf[rows]

    return tf.nest.map_structure(kept, structure)


def is_sparse(leaf: Any) -> bool:
    """Returns whether a part is one of SciPy's sparse matrices."""
    return hasattr(leaf, "tocsr")


def _is_scalar(item: Any) -> bool:
    return isinstance(item, bool | int | float | complex | str | bytes | np.generic)


def _is_literal(sequence: Any) -> bool:
    """Whether a list holds numbers or rows of numbers: an array in writing."""
    if isinstance(sequence, tuple) and any(isinstance(one, list) for one in sequence):
        return False  # two lists of numbers are two inputs
    return all(
        _is_scalar(one) or (isinstance(one, list | tuple) and _is_literal(one))
        for one in sequence
    )


def _array(leaf: Any, name: str, scalars: bool) -> Any:
    if isinstance(leaf, tf.RaggedTensor):
        raise ValueError(
            f"`{name}` must have rows of equal length: pad them, as with "
            f".to_tensor(). {received(name, type(leaf).__name__)}"
        )
    if isinstance(leaf, tf.SparseTensor):
        leaf = tf.sparse.to_dense(leaf)
    if is_sparse(leaf):
        return leaf.tocsr()
    try:
        if hasattr(leaf, "to_numpy"):
            array = leaf.to_numpy()
        elif hasattr(leaf, "detach"):
            array = leaf.detach().cpu().numpy()
        elif hasattr(leaf, "numpy"):
            array = leaf.numpy()
        else:
            array = np.asarray(leaf)
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        array = None
    array = None if array is None else _typed(np.asarray(array))
    if array is None or not (array.ndim or scalars):
        shown = leaf if _is_scalar(leaf) else type(leaf).__name__
        raise ValueError(
            f"`{name}` must hold arrays of numbers or strings, one row an example: "
            "arrays, tensors, frames, sparse matrices, or lists of equal length. "
            f"{received(name, shown)}"
        )
    return array


def _typed(array: np.ndarray) -> np.ndarray | None:
    """Gives an array of objects its type: numbers or strings, or it has none."""
    if array.dtype.kind in KINDS or _is_small_float(array.dtype):
        return array
    if array.dtype.kind == "T":  # NumPy's strings of variable length
        return array.astype(object)
    if array.dtype.kind != "O":
        return None
    items = array.ravel()
    if all(isinstance(one, str | bytes) for one in items):
        return array
    try:
        return np.array(items.tolist(), dtype=np.float64).reshape(array.shape)
    except (TypeError, ValueError):
        return None


def _is_small_float(dtype: Any) -> bool:
    """Whether it is one of the floats that NumPy itself does not know."""
    return dtype.name.startswith(("bfloat16", "float8"))


def same_bits(one: Any, other: Any) -> bool:
    """Whether two arrays or tensors hold the same bits: NaN is a value too."""
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and one.tobytes() == other.tobytes()
