"""L-BFGS on the full batch: a line search that is spread over the train steps."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.second_order.stored_pairs import Make, StoredPairs, dot

SUFFICIENT, FLATTER = 1e-4, 0.9  # of the first slope: decrease, and what is left
TRIALS = 20  # lengths along one direction
SAME = 1e-3  # relative difference of losses at the same weights, by rounding


class StepwiseSearch:
    """Judges a point at each step, and says which one is to be looked at next.

    A search by bisection and parabolas for the weak Wolfe conditions.

    Args:
        make: Makes a variable of the optimizer of a name and shape, filled with zeros.
        history_size: Pairs that are remembered, int >= 1.
        total: Length of the vector of all weights.
    """

    def __init__(self, make: Make, history_size: int, total: int) -> None:
        self._anchor = make("anchor", (total,))
        self._gradient = make("gradient", (total,))
        self._direction = make("direction", (total,))
        self._trial = make("trial", (total,))
        self._loss = make("loss")
        self._slope = make("slope")
        self._length = make("length")
        self._low = make("low")
        self._low_loss = make("low_loss")
        self._low_slope = make("low_slope")
        self._high = make("high")
        self._high_loss = make("high_loss")
        self._trials = make("trials")
        self._begun = make("begun")
        self._shrunk = make("shrunk")
        self._pairs = StoredPairs(make, history_size, total)

    def best(self) -> Any:
        """Returns the best point reached, shape `(total,)`; `None` before the first."""
        return tf.convert_to_tensor(self._anchor) if float(self._begun) > 0 else None

    def step(self, x: Any, gradient: Any, loss: Any, rate: Any) -> Any:
        """Returns the next weights to be evaluated.

        Args:
            x: The weights now, shape `(total,)`.
            gradient: The gradient there.
            loss: The loss there, a scalar.
            rate: Length of the first trial, in lengths of the direction.
        """
        begun = self._begun > 0
        at_anchor = begun & tf.reduce_all(tf.equal(x, self._anchor))
        at_trial = begun & tf.reduce_all(tf.equal(x, self._trial)) & ~at_anchor
        with tf.control_dependencies([self._check_same(at_anchor, loss)]):
            loss = tf.identity(loss)
        aims, length = tf.cond(
            at_trial,
            lambda: self._judge(x, loss, gradient),
            lambda: self._begin(x, loss, gradient, at_anchor),
        )
        # Traced once: the two loops are most of the graph.
        return tf.cond(aims, lambda: self._aim(rate), lambda: self._try(length))

    def _check_same(self, at_anchor: Any, loss: Any) -> Any:
        finite = tf.debugging.Assert(
            ~at_anchor | tf.math.is_finite(loss),
            ["L-BFGS needs a finite loss where it starts. Received: loss", loss],
        )
        apart = tf.abs(loss - self._loss)
        same = apart <= SAME * tf.maximum(tf.abs(loss), 1e-12)
        same |= ~tf.math.is_finite(loss)
        changed = tf.debugging.Assert(
            ~at_anchor | same,
            [
                "L-BFGS on the full batch needs the same loss at the same weights. Fit "
                "with batch_size=len(x) and without dropout, or use overlapping "
                "batches: LBFGS(overlap=0.25) and optimizer.batches(...). Received: "
                "losses",
                tf.convert_to_tensor(self._loss),
                loss,
            ],
        )
        return tf.group(finite, changed)

    def _begin(self, x: Any, loss: Any, gradient: Any, again: Any) -> tuple[Any, Any]:
        """Starts from a point; looks at a new one twice."""
        self._anchor.assign(x)
        self._gradient.assign(gradient)
        self._loss.assign(loss)
        self._pairs.keep_if(again)
        self._direction.assign(tf.zeros_like(x))
        self._begun.assign(tf.ones_like(self._begun))
        return again, tf.zeros([], x.dtype)

    def _judge(self, x: Any, loss: Any, gradient: Any) -> tuple[Any, Any]:
        """Goes on from a trial that is good enough, or tries another length."""
        slope = dot(gradient, self._direction)
        finite = tf.math.is_finite(loss) & tf.math.is_finite(slope)
        slack = 4 * float(np.finfo(x.dtype.as_numpy_dtype).eps) * tf.abs(self._loss)
        promised = SUFFICIENT * self._length * self._slope
        lower = finite & (
            loss <= self._loss + tf.maximum(promised, -tf.abs(self._loss)) + slack
        )
        flat = slope >= FLATTER * self._slope

        def take() -> Any:
            b_s = -self._length * self._gradient
            self._pairs.add(x - self._anchor, gradient - self._gradient, b_s)
            self._anchor.assign(x)
            self._gradient.assign(gradient)
            self._loss.assign(loss)
            self._shrunk.assign(tf.ones_like(self._shrunk))
            return tf.constant(True), tf.zeros([], x.dtype)

        return tf.cond(
            lower & flat, take, lambda: self._narrow(loss, slope, lower, finite)
        )

    def _narrow(
        self, loss: Any, slope: Any, lower: Any, finite: Any
    ) -> tuple[Any, Any]:
        """Returns whether to aim anew, and else the next length to be tried."""
        length = tf.convert_to_tensor(self._length)
        low = tf.where(lower, length, self._low)
        low_loss = tf.where(lower, loss, self._low_loss)
        low_slope = tf.where(lower, slope, self._low_slope)
        high = tf.where(lower, self._high, length)
        high_loss = tf.where(lower, self._high_loss, tf.where(finite, loss, np.inf))
        width = high - low
        bent = high_loss - low_loss - low_slope * width
        guess = low - low_slope * width * width / (2 * bent)
        inside = tf.math.is_finite(guess)
        guess = tf.where(inside, guess, low + width / 10)
        guess = tf.clip_by_value(guess, low + width / 10, high - width / 10)
        bounded = tf.math.is_finite(high)
        following = tf.where(bounded, guess, 4 * length)
        for variable, value in (
            (self._low, low),
            (self._low_loss, low_loss),
            (self._low_slope, low_slope),
            (self._high, high),
            (self._high_loss, high_loss),
        ):
            variable.assign(value)
        self._trials.assign(self._trials + 1)

        # After many trials the pairs mislead, or the loss is at the end of its
        # precision: ever shorter steps down the gradient, from the best point.
        over = self._trials >= TRIALS
        self._pairs.keep_if(~over)
        self._shrunk.assign(tf.where(over, self._shrunk / 16, self._shrunk))
        return over, following

    def _aim(self, rate: Any) -> Any:
        """Chooses a direction from the anchor, and returns the first trial along it."""
        gradient = tf.convert_to_tensor(self._gradient)
        direction = -self._pairs.times(gradient)
        slope = dot(gradient, direction)
        downhill = (slope < 0) & tf.math.is_finite(slope)
        known = downhill & self._pairs.known
        self._pairs.keep_if(downhill)
        direction = tf.where(downhill, direction, -gradient)
        square = dot(gradient, gradient)
        self._direction.assign(direction)
        self._slope.assign(tf.where(downhill, slope, -square))
        gentle = tf.minimum(tf.math.rsqrt(tf.maximum(square, 1e-30)), 1.0)
        shrunk = tf.where(self._shrunk > 0, self._shrunk, 1.0)
        self._shrunk.assign(shrunk)
        self._low.assign(tf.zeros_like(self._low))
        self._low_loss.assign(self._loss)
        self._low_slope.assign(self._slope)
        self._high.assign(np.inf * tf.ones_like(self._high))
        self._high_loss.assign(np.inf * tf.ones_like(self._high))
        self._trials.assign(tf.zeros_like(self._trials))
        return self._try(rate * tf.where(~known, gentle * shrunk, 1.0))

    def _try(self, length: Any) -> Any:
        self._length.assign(length)
        self._trial.assign(self._anchor + length * self._direction)
        return tf.convert_to_tensor(self._trial)
