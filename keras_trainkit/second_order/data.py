"""Reads whatever a user would pass to `fit` into chunks of arrays, once."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.arrays import keep_rows, row_count
from keras_trainkit.keras_model.batches import Batches

Batch = tuple[Any, Any, Any]


def read_batches(
    model: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any
) -> list[Batch]:
    """Returns the data as batches of arrays `(x, y, sample_weight)`.

    A stream is read once and held, so that what is minimised is one function: the
    augmentation of a stream is drawn once, its shuffling does not matter.

    Args:
        model: The model they are for.
        x: Inputs, as `Batches` takes them.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        class_weight: Weight of each class by its number, or `None`.

    Returns:
        One batch for arrays, and for a stream whose batches fit together; else the
        batches of the stream.

    Raises:
        ValueError: If there are no rows, the numbers of rows differ, a weight is
            below zero, or a stream has no end or does not fit into half of the
            machine's memory.
    """
    if isinstance(x, tf.data.Dataset) and (
        x.cardinality() == tf.data.INFINITE_CARDINALITY
    ):
        raise ValueError(
            "`x` must come to an end; use `take` on a repeated dataset. "
            f"{received('x', x)}"
        )
    given = Batches(x, y, sample_weight, model=model)
    batches = _joined(_read_all(given)) if given.streamed else [given.arrays]
    for batch in batches:
        _check_weights(batch[2])
    if class_weight is not None:
        batches = [_class_weighted(batch, class_weight) for batch in batches]
    return batches


def cut_batches(batches: list[Batch], rows: int) -> list[Batch]:
    """Cuts batches into pieces of at most `rows` rows, as views."""
    pieces = []
    for batch in batches:
        total = row_count(*batch)
        for start in range(0, total, rows):
            part = slice(start, min(start + rows, total))
            pieces.append(tuple(keep_rows(one, part) for one in batch))
    return pieces


def batch_bytes(batch: Any) -> int:
    """Returns the memory that the arrays of a batch take, in bytes."""
    leaves = tf.nest.flatten(batch)
    return sum(np.asarray(leaf).nbytes for leaf in leaves if leaf is not None)


def machine_memory() -> int:
    """Returns the memory of the machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _read_all(given: Batches) -> list[Batch]:
    limit, taken = machine_memory() // 2, 0
    batches: list[Batch] = []
    for batch in given.each():
        taken += batch_bytes(batch)
        if taken > limit:
            raise ValueError(
                f"`x` must fit into {limit / 2**30:.1f} GiB, half of this machine's "
                "memory, to be one fixed objective, and must come to an end. "
                f"Received: more than that in {len(batches)} batches"
            )
        batches.append(batch)
    return batches


def _joined(batches: list[Batch]) -> list[Batch]:
    """Joins batches whose rows have the same shapes into one."""

    def form(batch: Batch) -> Any:
        return [
            None if leaf is None else np.shape(leaf)[1:]
            for leaf in tf.nest.flatten(batch)
        ]

    if any(form(batch) != form(batches[0]) for batch in batches[1:]):
        return batches
    return [
        tf.nest.map_structure(
            lambda *parts: None if parts[0] is None else np.concatenate(parts),
            *batches,
        )
    ]


def _check_weights(sample_weight: Any) -> None:
    """Refuses weights below zero, of which a loss has no lower bound."""
    for leaf in tf.nest.flatten(sample_weight):
        least = np.min(leaf, initial=0.0) if leaf is not None else 0.0
        if least < 0:
            raise ValueError(
                "`sample_weight` must be zero or more. "
                f"{received('the least', float(least))}"
            )


def _class_weighted(batch: Batch, class_weight: Any) -> Batch:
    x, y, sample_weight = batch
    if not isinstance(class_weight, Mapping) or not isinstance(y, np.ndarray):
        raise ValueError(
            "`class_weight` must map class numbers to weights, for a model of one "
            f"output. {received('class_weight', class_weight)}"
        )
    labels = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y
    labels = np.round(labels.reshape(len(y), -1)[:, 0]).astype(int)
    unknown = sorted({int(one) for one in np.unique(labels)} - {*class_weight})
    if unknown:
        raise ValueError(
            f"`class_weight` must have a weight for each class, lacks {unknown}. "
            f"{received('class_weight', class_weight)}"
        )
    weights = np.array([class_weight[int(one)] for one in labels], np.float32)
    if weights.min() < 0:
        raise ValueError(
            "`class_weight` must give weights of zero or more. "
            f"{received('class_weight', class_weight)}"
        )
    if sample_weight is not None:
        weights = weights * np.reshape(sample_weight, [-1])
    return x, y, weights
