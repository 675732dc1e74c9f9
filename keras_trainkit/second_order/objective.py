"""The full training objective of a Keras model as a function of one vector."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_choice, check_integer, received
from keras_trainkit.keras_model.arrays import keep_rows, row_count
from keras_trainkit.keras_model.batches import fixed_batch_size
from keras_trainkit.problems.double_precision import computes_otherwise, widest_dtype
from keras_trainkit.problems.flat import FlatLoss
from keras_trainkit.problems.of_model import build_model, model_terms
from keras_trainkit.problems.packing import Packing
from keras_trainkit.second_order.data import (
    Batch,
    batch_bytes,
    cut_batches,
    machine_memory,
    read_batches,
)

NOISE = ("frozen", "off")
DTYPES = ("float32", "float64")
ACTIVATIONS = 2**29  # bytes that the tensors of one chunk may take
SAMPLE = 64  # rows on which it is tried how losses add up
# Where in a graph an error was seen, and colours.
_TENSORFLOWS_OWN = re.compile(r"\{\{.*?\}\}|\[Op:[^\n]*|\x1b\[[0-9;]*m")
# By how much, as a share, the loss of a batch may differ from that of its halves by
# rounding, and where masks make it a mean that is weighted otherwise.
_ROUNDING, _NEAR = 1e-5, 1e-2
SMALL = 2048  # rows that are evaluated at once without a look at their size


class Objective:
    """The loss over all data, weights and regularisation included, and its gradient.

    One fixed function of the trainable weights, the mean over all examples:
    BatchNormalization uses its moving statistics and leaves them as they are, and
    dropout draws the same mask for an example at every evaluation, or none.

    Args:
        model: A Keras model, compiled with a loss; it is built from the data if it
            was not.
        x: Inputs, as for `fit`: arrays, a dictionary or a dataset, which is read
            once.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        class_weight: Weight of each class by its number, or `None`.
        batch_size: Rows that are evaluated at once, int >= 1; `None` for as many
            as fit into half a gigabyte with all their activations.
        dtype: "float32" or "float64", the precision of everything; `None` for
            that of the weights.
        noise: "frozen" keeps the dropout masks and other noise of training as they
            are first drawn; "off" runs the layers as in inference.

    Raises:
        ValueError: If the model is not compiled or has no trainable weights of
            floating point, the data have no rows, the loss cannot be computed of
            them, it or its gradient is not finite, or it has another value at its
            second evaluation.

    Example:
        ```python
        objective = Objective(model, x, y)
        value, gradient = objective.flat.value_and_gradient(objective.start())
        ```
    """

    def __init__(
        self,
        model: Any,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        class_weight: Any = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        noise: str = "frozen",
    ) -> None:
        if not isinstance(model, keras.Model):
            raise ValueError(
                f"`model` must be a Keras model. {received('model', model)}"
            )
        check_choice("noise", noise, NOISE)
        if batch_size is not None:
            check_integer("batch_size", batch_size, 1)
        if dtype is not None:
            check_choice("dtype", dtype, DTYPES)
        self._given = batches = read_batches(model, x, y, sample_weight, class_weight)
        _check_sizes(model, batches, batch_size)
        with refused_data():
            build_model(model, *batches[0])
        self.model, self.noise = model, noise
        self.variables = list(model.trainable_variables)
        _check_variables(self.variables)
        self.dtype = dtype or widest_dtype(self.variables)
        shapes = [tuple(variable.shape) for variable in self.variables]
        kinds = [tf.as_dtype(self.dtype)] * len(shapes)
        self.packing = Packing(shapes, kinds, self.dtype)
        self._terms = model_terms(
            model,
            self.variables,
            dtype=self.dtype if computes_otherwise(model, self.dtype) else None,
            training=noise == "frozen",
            batch_statistics=False,
        )
        self.notes = _notes(model)
        whole = self._loss(batches)
        first = whole.chunks[0][0]
        start = self.start()
        rows = batch_size or _rows_that_fit(whole, first, start)
        spread = np.linspace(0, row_count(*batches[0]) - 1, SAMPLE).astype(int)
        self._few = tuple(keep_rows(part, np.unique(spread)) for part in batches[0])
        self.batches: list[Batch] = cut_batches(batches, rows)
        self.rows = sum(row_count(*batch) for batch in self.batches)
        self.flat = self._cut(self.batches)
        self.start_loss = self._check_fixed(start)

    def start(self) -> Any:
        """Returns the model's weights as one tensor, shape `(total,)`."""
        return tf.constant(self.packing.pack([v.numpy() for v in self.variables]))

    def write(self, vector: Any) -> None:
        """Puts a vector's values into the model, on every replica."""
        parts = self.packing.cut(np.asarray(vector))
        for variable, part in zip(self.variables, parts, strict=True):
            variable.assign(part.astype(variable.dtype))

    def in_batches(self, count: int | None, seed: int) -> FlatLoss:
        """Returns the same loss as a sum over batches of rows drawn at random.

        Args:
            count: Number of batches; `None` for a tenth of the root of the number of
                rows, but 30 at least, and at most one a row. Data that do not fit
                together keep the batches that they came in.
            seed: Seed of the drawing.

        Raises:
            ValueError: If there is a count and the batches stay as they came, or the
                rows do not suffice for it.
        """
        if len(self._given) > 1 or fixed_batch_size(self.model):
            if count is not None:
                raise ValueError(
                    "`subfunctions` must be None for batches whose rows have different "
                    "shapes, or a model of fixed batch size: its mini-batches are "
                    f"those {len(self._given)}. {received('subfunctions', count)}"
                )
            return self._cut(self._given)
        rows = row_count(*self._given[0])
        if count is not None and count > rows:
            raise ValueError(
                f"`subfunctions` must be at most the number of rows, {rows}. "
                f"{received('subfunctions', count)}"
            )
        count = count or max(30, round(rows**0.5 / 10))
        order = np.random.default_rng(seed).permutation(rows)
        parts = [np.sort(one) for one in np.array_split(order, min(count, rows))]
        batches = [
            tuple(keep_rows(part, chosen) for part in self._given[0])
            for chosen in parts
        ]
        return self._cut(batches)

    def in_parts(self, count: int) -> FlatLoss:
        """Returns the same function, in at least as many chunks where rows allow.

        Frozen noise is drawn by chunk: where there is some, the chunks stay as they
        are.

        Args:
            count: Chunks that are wanted, int >= 1.
        """
        drawn = any(v.dtype == "uint32" for v in self.model.non_trainable_variables)
        if len(self.batches) >= count or (drawn and self.noise == "frozen"):
            return self.flat
        return self._cut(cut_batches(self.batches, max(1, self.rows // count)))

    def _cut(self, batches: Sequence[Batch]) -> FlatLoss:
        how = self._reduction(self.start(), len(batches))
        return self._loss(batches, how)

    def _loss(self, batches: Sequence[Batch], reduction: str = "mean") -> FlatLoss:
        weighted = reduction == "weighted mean"
        parts = [_weight(one) if weighted else row_count(*one) for one in batches]
        shares: Any = np.array(parts) / sum(parts)

        def loss(weights: list[Any], chunk: Any) -> Any:
            (x, y, sample_weight), shift, share = chunk
            terms = self._terms(weights, x, y, sample_weight, shift=shift)
            if reduction != "sum":
                return share * terms[-1]
            # A loss that sums over its examples counts each chunk once, and the
            # penalties once altogether.
            return terms[0] + share * (terms[-1] - terms[0])

        return FlatLoss(
            loss,
            self.packing,
            _Chunks(batches, shares.tolist(), self.dtype),
            jit_compile=self.model.jit_compile is True,
        )

    def _reduction(self, start: Any, batches: int) -> str:
        """How the losses of examples make that of a batch, found by trying it.

        Returns:
            "mean", "sum", or "weighted mean": over the sum of the sample weights, by
            `reduction="mean_with_sample_weight"`.
        """
        half = row_count(*self._few) // 2
        if half == 0 or batches == 1:
            return "mean"
        whole = cut_batches([self._few], 2 * half)[0]
        halves = cut_batches([whole], half)
        weights = self.packing.split(start)
        found, one, other = (
            float(self._terms(weights, *batch, shift=tf.constant(0))[0])
            for batch in (whole, *halves)
        )
        first, second = map(_weight, halves)
        expected = {"mean": (one + other) / 2, "sum": one + other}
        if first + second > 0:
            weighted = (first * one + second * other) / (first + second)
            expected["weighted mean"] = weighted
        off = {
            name: abs(found - value) / max(abs(found), 1e-12)
            for name, value in expected.items()
        }
        for reduction, share in off.items():  # of several that fit, the simplest
            if share <= _ROUNDING:
                return reduction
        nearest = min(off, key=lambda name: off[name])
        reduction = nearest if off[nearest] <= _NEAR else "mean"
        self.notes.append(
            "the loss of a batch is neither the mean nor the sum of its examples' "
            "(masks, noise or statistics of the batch): minimised was the "
            f"{reduction} of {batches} batches' losses; a larger batch_size brings it "
            "nearer to one over all data"
        )
        return reduction

    def _check_fixed(self, start: Any) -> float:
        with refused_data():
            found, gradient = self.flat.value_and_gradient(start)
            first, again = float(found), float(self.flat.value_and_gradient(start)[0])
        if not np.isfinite(first):
            raise ValueError(
                "`model` must have a finite loss at its weights. "
                f"{received('loss', first)}"
            )
        wrong = int(np.sum(~np.isfinite(np.asarray(gradient))))
        if wrong:
            raise ValueError(
                "`model` must have a finite gradient at its weights; are all of `x` "
                f"finite? {received('entries not finite', wrong)} of "
                f"{self.packing.total}"
            )
        precision = 100 * np.finfo(self.dtype).eps * max(abs(first), 1e-30)
        if abs(first - again) > precision:
            raise ValueError(
                "`model` must have one loss at the same weights; draw random numbers "
                'with keras.random and a SeedGenerator, or pass noise="off". '
                f"{received('losses', (first, again))}"
            )
        return first


class _Chunks(Sequence):
    """Batches as tensors: kept where they are few, made at each turn where not."""

    def __init__(
        self, batches: Sequence[Batch], shares: list[float], dtype: str
    ) -> None:
        self._batches, self._shares, self._dtype = batches, shares, dtype
        total = sum(batch_bytes(batch) for batch in batches)
        self._kept: dict[int, Any] = {}
        self._keep = total < machine_memory() // 8

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: Any) -> Any:
        if place in self._kept:
            return self._kept[place]
        chunk = (
            tf.nest.map_structure(
                lambda leaf: None if leaf is None else tf.convert_to_tensor(leaf),
                self._batches[place],
            ),
            tf.constant(place),
            tf.constant(self._shares[place], tf.float64),
        )
        if self._keep:
            self._kept[place] = chunk
        return chunk


@contextlib.contextmanager
def refused_data(given: str = "`x` and `y`") -> Iterator[None]:
    """Says in a sentence what Keras or TensorFlow finds wrong with the data.

    Args:
        given: Which data, as the sentence calls them.
    """
    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError) as error:
        if str(error).startswith("`"):  # a sentence of our own
            raise
        raise ValueError(
            f"the loss of `model` must be one that can be computed of {given}, of the "
            "shapes and kinds that its layers take, with labels within its classes. "
            f"Keras says: {_told(error)}"
        ) from error


def _told(error: Exception) -> str:
    """What an error says, without where it was seen and with which arguments."""
    text = _TENSORFLOWS_OWN.sub("", str(error)).partition("Arguments received by")[0]
    lines = [line.strip() for line in text.splitlines()]
    told = [
        line
        for line in lines
        if line and not line.startswith(("[[", "Exception encountered when calling"))
    ]
    # TensorFlow tells the way to the operation first.
    return told[-1] if isinstance(error, tf.errors.OpError) else " ".join(told)


def _weight(batch: Batch) -> float:
    """The sum of the sample weights, the number of rows without such."""
    weights = batch[2]
    if weights is None or isinstance(weights, list | tuple | dict):
        return row_count(*batch)
    return float(np.sum(np.asarray(weights, np.float64)))


def _check_sizes(model: Any, batches: list[Batch], batch_size: int | None) -> None:
    """Refuses a model of fixed batch size unless its rows are the whole data."""
    fixed = fixed_batch_size(model)
    rows = [row_count(*batch) for batch in batches]
    if fixed and (rows != [fixed] or (batch_size or fixed) < fixed):
        raise ValueError(
            "`model` must take any number of rows, as its loss is taken over all of "
            "them; build it without a fixed batch size. "
            f"{received('batch size', fixed)}"
        )


def _check_variables(variables: list[Any]) -> None:
    if not variables:
        raise ValueError(
            "`model` must have trainable weights. Received: model.trainable_weights=[]"
        )
    for variable in variables:
        if not tf.as_dtype(variable.dtype).is_floating:
            raise ValueError(
                "`model` must have trainable weights of floating point only. Received: "
                f"{variable.path!r} of dtype {variable.dtype}"
            )


def _rows_that_fit(whole: FlatLoss, batch: Batch, start: Any) -> int:
    """Returns how many rows may be evaluated at once.

    Counts the bytes of every tensor in the graph of the loss for one row more.
    """
    rows = row_count(*batch)
    if rows <= SMALL:
        return rows
    few = cut_batches([batch], 2)[0]
    chunk = (few, tf.constant(0), tf.constant(1.0, tf.float64))
    graph = whole.graph(start, chunk)
    taken = 0
    for operation in graph.get_operations():
        for tensor in operation.outputs:
            shape = tensor.shape
            if operation.type != "Const" and shape.rank and shape[0] == 2:
                taken += int(np.prod([n or 1 for n in shape])) * tensor.dtype.size
    per_row = max(1, taken // 2)
    return int(min(rows, max(32, ACTIVATIONS // per_row)))


def _notes(model: Any) -> list[str]:
    if type(model).train_step is keras.Model.train_step:
        return []
    return [
        "the model has its own train_step: minimised was its compute_loss, not what "
        "that step does"
    ]
