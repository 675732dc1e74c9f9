"""L-BFGS on mini-batches by the multi-batch rule: pairs from shared rows."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.keras_model.arrays import keep_rows
from keras_trainkit.second_order.stored_pairs import Make, StoredPairs, dot


class OverlapSteps:
    """Takes the pieces of overlapping batches up, and moves at the end of each batch.

    Args:
        make: Makes a variable of the optimizer of a name and shape, filled with zeros.
        history_size: Pairs that are remembered, int >= 1.
        total: Length of the vector of all weights.
        overlap: The part of a batch that it shares with the next.
    """

    def __init__(
        self, make: Make, history_size: int, total: int, overlap: float
    ) -> None:
        self._overlap = overlap
        self._shared_gradient = make("shared_gradient", (total,))
        self._gathered = make("gathered", (total,))
        self._step = make("step", (total,))
        self._image = make("image", (total,))
        self._piece_number = make("piece_number")
        self._begun = make("begun")
        self._pairs = StoredPairs(make, history_size, total)

    def best(self) -> Any:
        """Returns `None`: no point is known to be better than the last."""
        return None

    def step(self, x: Any, gradient: Any, loss: Any, rate: Any) -> Any:
        """Takes one piece of a batch up; the last one moves the weights.

        Pieces: the rows shared with the batch before, its own rows, the rows shared
        with the next.

        Args:
            x: The weights now, shape `(total,)`.
            gradient: The gradient of the piece there.
            loss: Not used.
            rate: Length of a step, in lengths of the direction.
        """
        part = tf.constant(self._overlap, x.dtype)
        piece = tf.convert_to_tensor(self._piece_number)

        def first() -> Any:
            change = gradient - self._shared_gradient

            def pair() -> Any:
                self._pairs.add(
                    tf.convert_to_tensor(self._step),
                    change,
                    tf.convert_to_tensor(self._image),
                )
                return tf.constant(0)

            tf.cond(self._begun > 0, pair, lambda: tf.constant(0))
            self._gathered.assign(part * gradient)
            self._piece_number.assign(piece + 1)
            return x

        def own() -> Any:
            self._gathered.assign(self._gathered + (1 - 2 * part) * gradient)
            self._piece_number.assign(piece + 1)
            return x

        def last() -> Any:
            self._shared_gradient.assign(gradient)
            whole = self._gathered + part * gradient
            finite = tf.reduce_all(tf.math.is_finite(whole))
            direction = -self._pairs.times(whole)
            square = dot(whole, whole)
            downhill = finite & (dot(whole, direction) < 0)
            known = downhill & self._pairs.known
            gentle = tf.minimum(tf.math.rsqrt(tf.maximum(square, 1e-30)), 1.0)
            length = rate * tf.where(~known, gentle, 1.0)
            step = length * tf.where(downhill, direction, -whole)
            step = tf.where(finite, step, tf.zeros_like(step))
            # After NaN the weights stay, and what was remembered is no help.
            self._pairs.keep_if(downhill)
            self._step.assign(step)
            self._image.assign(-length * whole)
            self._begun.assign(tf.cast(finite, x.dtype))
            self._piece_number.assign(tf.zeros_like(piece))
            return x + step

        return tf.switch_case(tf.cast(piece, tf.int32), [first, own, last])


def overlapping_batches(
    optimizer: Any, arrays: Any, rows: int, own: int, shared: int, seed: int
) -> tf.data.Dataset:
    """Returns data in overlapping batches, three pieces each.

    Args:
        optimizer: Whose `iterations` say where in the data a training is.
        arrays: Inputs, targets and weights in any nesting, or `None`.
        rows: Their number.
        own: Rows of a batch that no other has.
        shared: Rows that it shares with the next.
        seed: Seed of the order of the rows, drawn anew at each epoch.
    """
    stride = own + shared
    steps = max(1, (rows - shared) // stride)

    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch]).permutation(rows)

    def pieces() -> Any:
        # By the optimizer's own count, so that a resumed training goes on the same.
        epoch = int(optimizer.iterations) // (3 * steps) if optimizer.built else 0
        now = order(epoch)
        before = now[:shared]
        if epoch:
            last = order(epoch - 1)
            before = last[shared + steps * stride - shared : shared + steps * stride]
        place = shared
        for _ in range(steps):
            for chosen in (
                before,
                now[place : place + own],
                now[place + own : place + stride],
            ):
                parts = tuple(keep_rows(part, np.sort(chosen)) for part in arrays)
                yield tuple(
                    tf.nest.flatten([part for part in parts if part is not None])
                )
            before = now[place + own : place + stride]
            place += stride

    present = tuple(part for part in arrays if part is not None)
    leaves = [np.asarray(leaf) for leaf in tf.nest.flatten(list(present))]
    signature = tuple(
        tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype) for leaf in leaves
    )
    dataset = tf.data.Dataset.from_generator(pieces, output_signature=signature)

    def packed(*flat: Any) -> Any:
        queue = list(flat)
        x, y, weight = (
            tf.nest.map_structure(
                lambda leaf: None if leaf is None else queue.pop(0), part
            )
            for part in arrays
        )
        return keras.utils.pack_x_y_sample_weight(x, y, weight)

    count = tf.data.experimental.assert_cardinality(3 * steps)
    return dataset.map(packed).apply(count)
