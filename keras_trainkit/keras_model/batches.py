"""Rows and batches of whatever a user would pass to `fit`."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.arrays import (
    as_arrays,
    has_rows,
    is_sparse,
    keep_rows,
    row_count,
    row_counts,
)
from keras_trainkit.keras_model.layers import all_layers

_DENSE = 2**26  # entries that a sparse matrix may have once it is an array


class Batches:
    """Examples as `fit` takes them: arrays in any nesting, or batches that are read.

    Args:
        x: Inputs: arrays, tensors, frames, sparse matrices or lists of numbers, in
            any nesting; or a `tf.data.Dataset`, a Keras `PyDataset`, a generator or
            another iterable of batches, each `x`, `(x, y)` or
            `(x, y, sample_weight)`.
        y: Targets with the same number of rows; `None` if there are none or if `x`
            brings them.
        sample_weight: Weights with the same number of rows, or `None`.
        model: The model they are for, which tells batches from single examples.
        name: What an error calls `x`.

    Raises:
        ValueError: If they are not what `fit` takes, or the numbers of rows differ.

    Example:
        ```python
        batches = Batches(np.ones((5, 2)), np.arange(5))
        [len(y) for _, y, _ in batches.each(2)]  # [2, 2, 1]
        ```
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        model: Any = None,
        name: str = "x",
    ) -> None:
        self.streamed = is_stream(x)
        self._source, self._model, self._name = x, model, name
        if self.streamed:
            for other, part in (("y", y), ("sample_weight", sample_weight)):
                if part is not None:
                    raise ValueError(
                        f"`{other}` must be None where `{name}` yields batches, which "
                        f"bring their own. {received(other, type(part).__name__)}"
                    )
            # Read on where the first look ended: a generator has no second pass, and
            # each pass over a dataset moves the shuffle that `fit` would begin with.
            self._reading: Iterator[Any] | None = self._read()
            self._seen = list(itertools.islice(self._reading, 1))
            if not self._seen:
                raise ValueError(
                    f"`{name}` must yield batches, at least one. {received(name, x)}"
                )
            self._unpacked(self._seen[0])
            return
        if x is None or isinstance(x, set | frozenset) or callable(x):
            raise ValueError(
                f"`{name}` must be arrays, or batches as a dataset or generator gives "
                f"them. {received(name, x)}"
            )
        self.arrays: tuple[Any, Any, Any] = (
            as_arrays(x, name),
            as_arrays(y, "y"),
            as_arrays(sample_weight, "sample_weight"),
        )
        self.rows = row_count(*self.arrays)

    def each(
        self, size: int = 32, seed: int | None = None, *, full: bool = False
    ) -> Iterator[tuple]:
        """Yields `(x, y, sample_weight)` batch by batch, all once, as arrays.

        Args:
            size: Rows in a batch of arrays, int >= 1; batches that are read have
                the size they have.
            seed: For another order of the rows of arrays; `None` keeps it.
            full: Whether to leave out a last batch of arrays that is not full.
        """
        if self.streamed:
            yield from map(self._unpacked, self._elements())
            return
        order = np.arange(self.rows)
        if seed is not None:
            np.random.default_rng(seed).shuffle(order)
        yield from self._cut(order, size, full)

    def endless(self, size: int = 32, seed: int = 0) -> Iterator[Any]:
        """Yields what `fit` would hand to a train step, epoch after epoch.

        Batches that are read come as they are. Rows of arrays come in full batches,
        in an order drawn for each epoch, floats in Keras' own precision.
        """
        if self.streamed:
            while True:
                empty = True
                for element in self._elements():
                    self._unpacked(element)
                    empty = False
                    yield element
                if empty:
                    return  # a generator has no second epoch
        random = np.random.default_rng(seed)
        while True:
            for rows in self._cut(random.permutation(self.rows), size, full=True):
                chosen = tf.nest.map_structure(_in_keras_precision, rows)
                yield keras.utils.pack_x_y_sample_weight(*chosen)

    def first(self, rows: int) -> tuple[Any, Any, Any]:
        """Returns about the first rows: of batches that are read, whole batches."""
        if not self.streamed:
            return self._rows(slice(0, self._bounded(rows)))
        batches: list[tuple] = []
        shapes, count = None, 0
        for batch in self.each():
            leaves = tf.nest.flatten(batch)
            found = [leaf.shape[1:] for leaf in leaves if has_rows(leaf)]
            # Of batches that are padded each for itself, those like the first.
            if shapes in (None, found):
                shapes = found
                batches.append(batch)
                count += row_count(*batch)
            if count >= rows or len(batches) >= rows:
                break
        return tf.nest.map_structure(_joined, *batches)

    def spread(self, rows: int) -> tuple[Any, Any, Any]:
        """Returns rows from all over the arrays, in order; of batches the first."""
        if self.streamed or self.rows <= self._bounded(rows):
            return self.first(rows)
        chosen = np.linspace(0, self.rows - 1, self._bounded(rows)).astype(int)
        return self._rows(chosen)

    def drawn(self, rows: int, seed: int) -> tuple[Any, Any, Any]:
        """Returns at most some rows, drawn by the seed, in their original order."""
        parts = self.first(rows) if self.streamed else self.arrays
        return draw_rows(parts, rows, seed)

    def _cut(self, order: np.ndarray, size: int, full: bool) -> Iterator[tuple]:
        # Few rows make one batch that is not full.
        stop = max(self.rows - size, 0) + 1 if full else self.rows
        for start in range(0, stop, size):
            yield self._rows(order[start : start + size])

    def _rows(self, rows: Any) -> tuple[Any, Any, Any]:
        x, y, sample_weight = (keep_rows(part, rows) for part in self.arrays)
        return x, y, sample_weight

    def _bounded(self, rows: int) -> int:
        widths = [
            leaf.shape[1]
            for leaf in tf.nest.flatten(self.arrays)
            if is_sparse(leaf) and leaf.ndim > 1
        ]
        return min([rows, self.rows, *(max(1, _DENSE // wide) for wide in widths)])

    def _read(self) -> Iterator[Any]:
        source = self._source
        if isinstance(source, keras.utils.PyDataset):
            count = source.num_batches
            places = itertools.count() if count is None else range(count)
            return (source[place] for place in places)
        return iter(source)

    def _elements(self) -> Iterator[Any]:
        if self._reading is None:
            return self._read()
        elements = itertools.chain(self._seen, self._reading)
        self._reading, self._seen = None, []
        return elements

    def _unpacked(self, element: Any) -> tuple[Any, Any, Any]:
        name = self._name
        if isinstance(element, list | tuple) and not 1 <= len(element) <= 3:
            raise ValueError(
                f"`{name}` must yield x, (x, y) or (x, y, sample_weight). "
                f"{received('parts', len(element))}"
            )
        parts = keras.utils.unpack_x_y_sample_weight(element)
        x, y, sample_weight = (
            as_arrays(part, f"{name}/{place}", scalars=True)
            for place, part in zip(("x", "y", "sample_weight"), parts, strict=True)
        )
        batch = tuple(
            tf.nest.map_structure(
                lambda leaf: leaf.toarray() if is_sparse(leaf) else leaf, part
            )
            for part in (x, y, sample_weight)
        )
        leaves = [leaf for leaf in tf.nest.flatten(batch) if leaf is not None]
        rows = {count for part in batch for count in row_counts(part, "").values()}
        if (
            not all(map(has_rows, leaves))
            or len(rows) != 1
            or _is_single(batch[0], self._model)
        ):
            raise ValueError(
                f"`{name}` must yield batches, every part with the same rows; single "
                "examples need .batch(32) first. "
                f"{received('shapes', [np.shape(leaf) for leaf in leaves])}"
            )
        return batch[0], batch[1], batch[2]


def take_batch(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    examples: int,
    seed: int,
    model: Any = None,
) -> tuple[Any, Any, Any]:
    """Returns at most `examples` rows of inputs, targets and weights as arrays.

    Args:
        x: Inputs, as `Batches` takes them.
        y: Targets with the same number of rows, `None` if `x` brings them.
        sample_weight: Weights with the same number of rows, or `None`.
        examples: Largest number of rows, int >= 1; a model of fixed batch size
            gets just that.
        seed: Which rows are drawn when there are more.
        model: The model that the rows are for, if any.

    Returns:
        The rows of `(x, y, sample_weight)`, in their original order.

    Raises:
        ValueError: If the numbers of rows differ, there are none, or fewer than the
            model's fixed batch size.
    """
    fixed = fixed_batch_size(model)
    chosen = Batches(x, y, sample_weight, model=model).drawn(fixed or examples, seed)
    if fixed and row_count(*chosen) < fixed:
        raise ValueError(
            f"`x` must have the {fixed} rows of the model's fixed batch size, at "
            f"least. {received('rows', row_count(*chosen))}"
        )
    return chosen


def layer_rows(layer: Any, x: Any, *, examples: int, seed: int) -> Any:
    """Returns at most `examples` rows of the arguments of a layer.

    Args:
        layer: Any Keras layer.
        x: Its input, as `Batches` takes it; a tuple is several arguments, numbers
            and `None` among them.
        examples: Largest number of rows, int >= 1.
        seed: Which rows are drawn when there are more.
    """
    if not isinstance(x, tuple):
        return take_batch(x, examples=examples, seed=seed, model=layer)[0]
    arguments = tuple(
        as_arrays(one, f"x/{place}", scalars=True) for place, one in enumerate(x)
    )
    rows = fixed_batch_size(layer) or examples
    return draw_rows((arguments, None, None), rows, seed)[0]


def draw_rows(parts: tuple, rows: int, seed: int) -> tuple[Any, Any, Any]:
    """Returns at most some rows of `(x, y, sample_weight)`, drawn by the seed."""
    count = row_count(*parts)
    chosen: Any = slice(None)
    if count > rows:
        random = np.random.default_rng(seed)
        chosen = np.sort(random.choice(count, rows, replace=False))
    x, y, sample_weight = (keep_rows(part, chosen) for part in parts)
    return x, y, sample_weight


def is_stream(x: Any) -> bool:
    """Returns whether `x` yields batches instead of holding rows."""
    if isinstance(x, tf.data.Dataset | keras.utils.PyDataset):
        return True
    if isinstance(x, Mapping | list | tuple | str | bytes | set | frozenset):
        return False
    holds = hasattr(x, "shape") or hasattr(x, "__array__") or hasattr(x, "to_numpy")
    return not holds and (hasattr(x, "__next__") or hasattr(x, "__iter__"))


def fixed_batch_size(model: Any) -> int | None:
    """Returns the only batch size a model takes, `None` if it takes any.

    A Sequential model that was built by a call holds the rows of that call as its
    input shape and takes any other number: what its layers answer decides.
    """
    for symbol in input_symbols(model):
        if symbol.shape is not None and len(symbol.shape) and symbol.shape[0]:
            if isinstance(model, keras.Sequential) and _takes_any_rows(model):
                break
            return int(symbol.shape[0])
    if not isinstance(model, keras.layers.Layer):
        return None
    for layer in all_layers(model):
        states = getattr(layer, "states", None)
        if getattr(layer, "stateful", False) and isinstance(states, list | tuple):
            for state in tf.nest.flatten(states):
                if len(getattr(state, "shape", ())) and state.shape[0]:
                    return int(state.shape[0])
    return None


def _takes_any_rows(model: keras.Sequential) -> bool:
    """Whether the layers answer an unknown number of rows with as many."""
    one = input_symbols(model)[0]
    rows = keras.KerasTensor((None, *one.shape[1:]), one.dtype, sparse=one.sparse)
    try:
        answer = model.compute_output_spec(rows)
    except Exception:  # whatever a layer raises that must know the number
        return False
    return all(leaf.shape[0] is None for leaf in tf.nest.flatten(answer))


def input_symbols(model: Any) -> list[Any]:
    """Returns the symbolic inputs of a model that declares them, else none."""
    try:
        inputs = getattr(model, "inputs", None)
    except (AttributeError, ValueError):  # a Sequential model that is not built
        inputs = None
    return list(inputs) if isinstance(inputs, list | tuple) else []


def _is_single(x: Any, model: Any) -> bool:
    """Whether an element has the shape of one example, where batches are expected."""
    symbols = input_symbols(model)
    leaves = [leaf for leaf in tf.nest.flatten(x) if leaf is not None]
    if not symbols or len(symbols) != len(leaves):
        return False
    for leaf, symbol in zip(leaves, symbols, strict=True):
        one = symbol.shape[1:]
        if np.ndim(leaf) != len(one):
            continue
        fits = all(
            want in (None, has) for has, want in zip(leaf.shape, one, strict=True)
        )
        # Keras itself adds a last axis of one: (rows,) does for (None, 1).
        if one[-1:] != (1,) or (fits and len(one) > 1):
            return True
    return False


def _in_keras_precision(leaf: Any) -> Any:
    if leaf is None or leaf.dtype.kind != "f":
        return leaf
    return leaf.astype(keras.config.floatx(), copy=False)


def _joined(*leaves: Any) -> Any:
    return None if leaves[0] is None else np.concatenate(leaves)
