"""L-BFGS as a Keras optimizer: one evaluation a train step."""

import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.keras_model.arrays import keep_rows
from keras_trainkit.keras_model.batches import Batches
from keras_trainkit.problems.packing import Packing

SUFFICIENT, FLATTER = 1e-4, 0.9  # of the first slope: decrease, and what is left
TRIALS = 20  # lengths along one direction
CURVED = 1e-8  # least curvature of a pair, relative to the largest it could have
DAMPED = 0.2  # of the expected curvature, below which a pair is damped
FEW = 100  # rows of an overlap, below which pairs are mostly noise
SAME = 1e-3  # relative difference of losses at the same weights, by rounding


@keras.saving.register_keras_serializable(package="keras_trainkit")
class LBFGS(keras.optimizers.Optimizer):
    """L-BFGS in `compile`: the full batch with a line search, or overlapping batches.

    **Full batch**, `fit(x, y, batch_size=len(x))`: each train step evaluates one
    point, as each step of `fit` does; the optimizer takes the loss that Keras shows
    it (`scale_loss`) and decides whether the point is good enough to go on from, or
    another length along the same direction is to be tried. Steps inside of a search
    may show a higher loss; `fit` ends at the best point reached. There is no rate to
    set, and the loss must be the same at the same weights: no dropout.

    **Overlapping batches**, `fit(optimizer.batches(x, y, batch_size=2000),
    shuffle=False)`: the multi-batch rule. A change of the gradient is taken from the
    rows that two consecutive batches share, at the weights before and after the step,
    so that it holds curvature and not the difference of two samples. Each batch comes
    in three pieces: the rows shared with the batch before, its own, and those shared
    with the next. Steps have a fixed length, `learning_rate`; 0.1 to 0.3 does for most.

    Args:
        learning_rate: Length of a step in lengths of the direction, > 0: the first one
            that is tried, or the fixed one of overlapping batches. `None` for 1.0 and
            0.2.
        history_size: Pairs that are remembered, int >= 1; each takes the memory of two
            gradients.
        overlap: The part of a batch that it shares with the next, in (0, 0.5); `None`
            for the full batch.
        name: The optimizer's name.

    Raises:
        ValueError: If an argument is out of range, or, when it is built, if weights
            are not float32 or float64, have constraints, or lie on several replicas.

    Example:
        ```python
        net = keras.Sequential([keras.layers.Dense(10, "softmax")])
        net.compile(tk.second_order.LBFGS(), "sparse_categorical_crossentropy")
        net.fit(x, y, batch_size=len(x), epochs=300)
        ```

    Reference:
        [Liu and Nocedal, 1989](https://doi.org/10.1007/BF01589116); [Berahas, Nocedal
        and Takáč, 2016](https://arxiv.org/abs/1605.06049)
    """

    # Its steps follow from a line search or the curvature: no rate is to be sought.
    sets_own_steps = True

    def __init__(
        self,
        learning_rate: float | None = None,
        history_size: int = 10,
        overlap: float | None = None,
        name: str = "lbfgs",
        **kwargs: Any,
    ) -> None:
        if overlap is not None:
            check_number(
                "overlap", overlap, 0, 0.5, open_minimum=True, open_maximum=True
            )
        if learning_rate is None:
            learning_rate = 1.0 if overlap is None else 0.2
        if not callable(learning_rate):
            check_number("learning_rate", learning_rate, 0, open_minimum=True)
        check_integer("history_size", history_size, 1)
        refused = [one for one, value in kwargs.items() if value not in (None, False)]
        refused = [one for one in refused if one not in _UNUSED]
        if refused:
            raise ValueError(
                "L-BFGS needs the plain gradient of the loss: it takes no "
                f"{', '.join(refused)}. {received(refused[0], kwargs[refused[0]])}"
            )
        super().__init__(learning_rate=learning_rate, name=name)
        self.history_size = int(history_size)
        self.overlap = None if overlap is None else float(overlap)
        self._shown: Any = None
        self._fed_by_batches = False

    def batches(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int,
        seed: int = 0,
    ) -> tf.data.Dataset:
        """Returns the data in overlapping batches, three pieces each, for `fit`.

        Pass `shuffle=False` to `fit`: the order is drawn here.

        Args:
            x: Inputs as arrays in any nesting.
            y: Targets, or `None`.
            sample_weight: Weights of the examples, or `None`.
            batch_size: Rows of a batch, the shared ones included; thousands rather
                than hundreds.
            seed: Seed of the order of the rows, drawn anew at each epoch.

        Raises:
            ValueError: If the optimizer has no overlap, or the rows do not suffice for
                one batch.
        """
        if self.overlap is None:
            raise ValueError(
                "`overlap` of the optimizer must be a number for overlapping batches. "
                f"{received('overlap', None)}"
            )
        check_integer("batch_size", batch_size, 3)
        data = Batches(x, y, sample_weight)
        if data.streamed:
            raise ValueError(f"`x` must be arrays. {received('x', type(x).__name__)}")
        shared = max(1, round(self.overlap * batch_size))
        own = batch_size - 2 * shared
        if own < 1 or data.rows < batch_size:
            raise ValueError(
                "`batch_size` must leave rows of its own beside the shared ones, and "
                f"be at most the number of rows, {data.rows}. "
                f"{received('batch_size', batch_size)}"
            )
        if shared < FEW:
            warnings.warn(
                f"Batches of {batch_size} share {shared} rows: their change of the "
                "gradient is mostly noise, and momentum or Adam will do better. Use "
                f"at least {FEW / self.overlap:.0f} rows a batch.",
                stacklevel=2,
            )
        self._fed_by_batches = True
        return _overlapping(self, data.arrays, data.rows, own, shared, seed)

    def build(self, variables: list[Any]) -> None:
        """Makes the state: flat vectors as long as all weights together."""
        if self.built:
            return
        _check(variables)
        super().build(variables)
        kind = "float64" if any(v.dtype == "float64" for v in variables) else "float32"
        shapes = [tuple(variable.shape) for variable in variables]
        self._packing = Packing(shapes, [tf.as_dtype(v.dtype) for v in variables], kind)
        total, pairs = self._packing.total, self.history_size
        vectors = (
            ("anchor", "gradient", "direction", "trial")
            if self.overlap is None
            else ("shared_gradient", "gathered", "step", "image")
        )
        numbers = (
            ("loss", "slope", "length", "low", "low_loss", "low_slope", "high")
            + ("high_loss", "trials", "begun", "shrunk")
            if self.overlap is None
            else ("piece_number", "begun")
        )
        for name in vectors:
            self._state(name, (total,), kind)
        for name in numbers:
            self._state(name, (), kind)
        self._state("steps", (pairs, total), kind)
        self._state("changes", (pairs, total), kind)
        self._state("factors", (pairs,), kind)
        self._state("scale", (), kind)

    def scale_loss(self, loss: Any) -> Any:
        """Looks at the loss of this step, and leaves it as it is."""
        self._shown = loss
        return loss

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Takes the gradient at the weights up and moves them.

        Args:
            grads: One gradient for each weight, or `None`.
            trainable_variables: The weights; by default those that it was built with.

        Raises:
            ValueError: If the step does not show its loss, or `overlap` is set and the
                data are not `batches`.
        """
        loss, self._shown = self._shown, None
        variables = list(trainable_variables or self._trainable_variables)
        if not self.built:
            self.build(variables)
        order = [self._get_variable_index(variable) for variable in variables]
        if order != list(range(len(self._trainable_variables))):
            raise ValueError(
                "L-BFGS needs the gradients of all weights that it was built with, in "
                f"their order. {received('weights', len(order))}"
            )
        gradient = self._packing.join(list(grads))
        weights = self._packing.join([tf.convert_to_tensor(v) for v in variables])
        if self.overlap is not None:
            if not self._fed_by_batches:
                raise ValueError(
                    "An optimizer with `overlap` must be fed by its own batches: "
                    "model.fit(optimizer.batches(x, y, batch_size=...)). "
                    f"{received('overlap', self.overlap)}"
                )
            moved = self._piece(weights, gradient)
        else:
            if loss is None:
                raise ValueError(
                    "The step must show its loss by `optimizer.scale_loss(loss)`, as "
                    "Keras' own train_step does without mixed_float16. "
                    f"{received('loss', None)}"
                )
            moved = self._search(weights, tf.cast(loss, gradient.dtype), gradient)
        for variable, part in zip(variables, self._packing.split(moved), strict=True):
            variable.assign(part)
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Any) -> None:
        """Ends `fit` at the best point that a search along the loss has reached."""
        if self.built and self.overlap is None and float(self._begun) > 0:
            parts = self._packing.split(tf.convert_to_tensor(self._anchor))
            for variable, part in zip(self._trainable_variables, parts, strict=True):
                variable.assign(part)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        config = super().get_config()
        return {
            "name": config["name"],
            "learning_rate": config["learning_rate"],
            "history_size": self.history_size,
            "overlap": self.overlap,
        }

    def _state(self, name: str, shape: tuple[int, ...], kind: str) -> None:
        made = self.add_variable(shape, "zeros", kind, name=name)
        setattr(self, f"_{name}", made)

    def _search(self, x: Any, loss: Any, gradient: Any) -> Any:
        """Returns the next weights to be evaluated, on the full batch.

        A search by bisection and parabolas for the weak Wolfe conditions, spread over
        the train steps.
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
        return tf.cond(aims, self._aim, lambda: self._try(length))

    def _check_same(self, at_anchor: Any, loss: Any) -> Any:
        apart = tf.abs(loss - self._loss)
        same = apart <= SAME * tf.maximum(tf.abs(loss), 1e-12)
        return tf.debugging.Assert(
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

    def _begin(self, x: Any, loss: Any, gradient: Any, again: Any) -> tuple[Any, Any]:
        """Starts from a point; looks at a new one twice."""
        self._anchor.assign(x)
        self._gradient.assign(gradient)
        self._loss.assign(loss)

        kept = tf.cast(again, x.dtype)
        self._factors.assign(self._factors * kept)
        self._direction.assign(tf.zeros_like(x))
        self._begun.assign(tf.ones_like(self._begun))
        return again, tf.zeros([], x.dtype)

    def _judge(self, x: Any, loss: Any, gradient: Any) -> tuple[Any, Any]:
        """Goes on from a trial that is good enough, or tries another length."""
        slope = _dot(gradient, self._direction)
        finite = tf.math.is_finite(loss) & tf.math.is_finite(slope)
        slack = 4 * _rounding(x) * tf.abs(self._loss)
        promised = SUFFICIENT * self._length * self._slope
        lower = finite & (
            loss <= self._loss + tf.maximum(promised, -tf.abs(self._loss)) + slack
        )
        flat = slope >= FLATTER * self._slope

        def take() -> Any:
            b_s = -self._length * self._gradient
            self._remember(x - self._anchor, gradient - self._gradient, b_s)
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
        going = tf.cast(~over, length.dtype)
        self._factors.assign(self._factors * going)
        self._shrunk.assign(tf.where(over, self._shrunk / 16, self._shrunk))
        return over, following

    def _aim(self) -> Any:
        """Chooses a direction from the anchor, and returns the first trial along it."""
        gradient = tf.convert_to_tensor(self._gradient)
        direction = -self._two_loops(gradient)
        slope = _dot(gradient, direction)
        downhill = (slope < 0) & tf.math.is_finite(slope)
        known = downhill & tf.reduce_any(self._factors > 0)
        self._factors.assign(
            tf.where(downhill, self._factors, tf.zeros_like(self._factors))
        )
        direction = tf.where(downhill, direction, -gradient)
        square = _dot(gradient, gradient)
        self._direction.assign(direction)
        self._slope.assign(tf.where(downhill, slope, -square))
        rate = tf.cast(self.learning_rate, gradient.dtype)
        gentle = tf.minimum(1.0, tf.math.rsqrt(tf.maximum(square, 1e-30)))
        shrunk = tf.where(self._shrunk > 0, self._shrunk, 1.0)
        self._shrunk.assign(shrunk)
        self._low.assign(tf.zeros_like(self._low))
        self._low_loss.assign(self._loss)
        self._low_slope.assign(self._slope)
        self._high.assign(np.inf * tf.ones_like(self._high))
        self._high_loss.assign(np.inf * tf.ones_like(self._high))
        self._trials.assign(tf.zeros_like(self._trials))
        return self._try(rate * tf.where(known, 1.0, gentle * shrunk))

    def _try(self, length: Any) -> Any:
        self._length.assign(length)
        self._trial.assign(self._anchor + length * self._direction)
        return tf.convert_to_tensor(self._trial)

    def _piece(self, x: Any, gradient: Any) -> Any:
        """Takes one piece of a batch up; the last one moves the weights.

        Pieces: the rows shared with the batch before, its own rows, the rows shared
        with the next.
        """
        part = tf.constant(self.overlap, x.dtype)
        piece = tf.convert_to_tensor(self._piece_number)

        def first() -> Any:
            change = gradient - self._shared_gradient

            def pair() -> Any:
                self._remember(
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
            direction = -self._two_loops(whole)
            square = _dot(whole, whole)
            downhill = finite & (_dot(whole, direction) < 0)
            known = downhill & tf.reduce_any(self._factors > 0)
            gentle = tf.minimum(1.0, tf.math.rsqrt(tf.maximum(square, 1e-30)))
            rate = tf.cast(self.learning_rate, x.dtype)
            rate = rate * tf.where(known, 1.0, gentle)
            step = rate * tf.where(downhill, direction, -whole)
            step = tf.where(finite, step, tf.zeros_like(step))
            # After NaN the weights stay, and what was remembered is no help.
            keep = tf.cast(downhill, x.dtype)
            self._factors.assign(self._factors * keep)
            self._step.assign(step)
            self._image.assign(-rate * whole)
            self._begun.assign(tf.cast(finite, x.dtype))
            self._piece_number.assign(tf.zeros_like(piece))
            return x + step

        return tf.switch_case(tf.cast(piece, tf.int32), [first, own, last])

    def _remember(self, s: Any, y: Any, b_s: Any) -> None:
        """Takes a pair up, damped where it is hardly curved, if it is curved at all."""
        s_y, s_b_s = _dot(s, y), _dot(s, b_s)
        known = tf.reduce_any(self._factors > 0)
        weak = known & (s_y < DAMPED * s_b_s)
        kept = tf.where(weak, (1 - DAMPED) * s_b_s / (s_b_s - s_y), 1.0)
        y = kept * y + (1 - kept) * b_s
        s_y, s_s, y_y = _dot(s, y), _dot(s, s), _dot(y, y)
        curved = (s_y > CURVED * tf.sqrt(s_s * y_y)) & tf.math.is_finite(y_y)

        def take() -> Any:
            for rows, row in ((self._steps, s), (self._changes, y)):
                rows.assign(tf.concat([rows[1:], row[None]], axis=0))
            factors = tf.concat([self._factors[1:], [1 / s_y]], axis=0)
            self._factors.assign(factors)
            self._scale.assign(s_y / y_y)
            return tf.constant(0)

        tf.cond(curved, take, lambda: tf.constant(0))

    def _two_loops(self, gradient: Any) -> Any:
        """Returns the inverse Hessian of the pairs times a gradient."""
        factors = tf.convert_to_tensor(self._factors)
        steps, changes = (
            tf.convert_to_tensor(self._steps),
            tf.convert_to_tensor(self._changes),
        )
        rest, weights = gradient, []
        for place in reversed(range(self.history_size)):
            weight = factors[place] * _dot(steps[place], rest)
            rest = rest - weight * changes[place]
            weights.append(weight)
        known = tf.reduce_any(factors > 0)
        rest = rest * tf.where(known, tf.convert_to_tensor(self._scale), 1.0)
        for place, weight in enumerate(reversed(weights)):
            back = factors[place] * _dot(changes[place], rest)
            rest = rest + (weight - back) * steps[place]
        return rest


# What Keras hands over at loading for options that are not set.
_UNUSED = ("jit_compile", "is_legacy_optimizer")


def _dot(a: Any, b: Any) -> Any:
    return tf.tensordot(tf.convert_to_tensor(a), tf.convert_to_tensor(b), 1)


def _rounding(x: Any) -> float:
    return float(np.finfo(x.dtype.as_numpy_dtype).eps)


def _check(variables: list[Any]) -> None:
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        raise ValueError(
            "L-BFGS must run on one device: a search needs the whole loss. "
            f"{received('replicas', tf.distribute.get_strategy().num_replicas_in_sync)}"
        )
    for variable in variables:
        name = getattr(variable, "path", variable.name)
        if tf.as_dtype(variable.dtype) not in (tf.float32, tf.float64):
            raise ValueError(
                "L-BFGS works on float32 or float64 weights. Received: "
                f"variable={name!r} of dtype {variable.dtype}"
            )
        if getattr(variable, "constraint", None) is not None:
            raise ValueError(
                "L-BFGS works on weights without constraints. Received: "
                f"variable={name!r} with {variable.constraint!r}"
            )


def _overlapping(
    optimizer: LBFGS, arrays: Any, rows: int, own: int, shared: int, seed: int
) -> tf.data.Dataset:
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
