"""Problems of equally many variables, evaluated at once for all seeds."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.testbed.problem import FunctionProblem, Problem
from keras_trainkit.testbed.segments import evaluate, tables

_BY_STEP = ("factors", "summands", "steepness", "offset")
_BY_SEED = ("start", "spread")


class Seen(NamedTuple):
    """What a step sees: noise-free values and noisy gradients."""

    values: Any
    gradients: Any


@dataclasses.dataclass(frozen=True)
class Block:
    """Catalogue problems of `d` variables, `p` of them, each with `s` seeds.

    Args:
        start: Where they start, shape `(p, s, d)`.
        joints: Of the functions, shape `(p, d, stretches - 1)`.
        rows: Of the functions, shape `(p, d, stretches, 8)`.
        base: The functions' values at their beginning, shape `(p, 1, d)`.
        rotation: Shape `(p, d, d)`.
        curl: Shape `(p, d, d)`.
        factors: Of the noise at each step, shape `(steps, p, s, d)`.
        summands: Of the noise at each step, shape `(steps, p, s, d)`.
        steepness: At each step and at the end, shape `(steps + 1, p, s, 1)`.
        offset: At each step and at the end, shape `(steps + 1, p, s, d)`.
        spread: Standard deviation of an additive noise at the end, of each unit of
            x, shape `(p, s, d)`.
        weight: Mean factor of the noise over the largest of the problem, shape
            `(p, 1, d)`.
    """

    start: Any
    joints: Any
    rows: Any
    base: Any
    rotation: Any
    curl: Any
    factors: Any
    summands: Any
    steepness: Any
    offset: Any
    spread: Any
    weight: Any

    @classmethod
    def of(cls, problems: Sequence[Problem], seeds: Sequence[int], steps: int) -> Any:
        """Lays problems out, and draws their noise."""
        count, d = len(problems), problems[0].dimensions
        joints, rows = tables([f for one in problems for f in one.functions()])
        shape = (steps, count, len(seeds), d)
        factors, summands = np.ones(shape), np.zeros(shape)
        steepness = np.ones((steps + 1, count, len(seeds), 1))
        offset = np.zeros((steps + 1, count, len(seeds), d))
        spread = np.zeros((count, len(seeds), d))
        for i, problem in enumerate(problems):
            noisy = any(noise.kind != "none" for noise in problem.noises)
            if problem.drifting.kind == "none" and not noisy:
                continue
            for j, seed in enumerate(seeds):
                generator = problem.generator(1, seed)
                for k, noise in enumerate(problem.noises):
                    steep, growth, offset[:, i, j, k] = problem.drifting.draws(
                        generator, steps
                    )
                    if k == 0:
                        steepness[:, i, j, 0] = steep
                    factors[:, i, j, k], summands[:, i, j, k] = noise.draws(
                        generator, growth[:steps]
                    )
                    if noise.kind == "additive":
                        spread[i, j, k] = noise.size * growth[-1]
        means = np.array(
            [[noise.log_mean_factor() for noise in one.noises] for one in problems]
        )
        means -= means.max(axis=1, keepdims=True)
        starts = np.stack([problem.start for problem in problems])
        arrays = {
            "start": np.repeat(starts[:, None], len(seeds), axis=1),
            "joints": joints.reshape(count, d, -1),
            "rows": rows.reshape(count, d, *rows.shape[1:]),
            "base": np.array([[[s.value for s in one.scales]] for one in problems]),
            "rotation": np.stack([problem.rotation() for problem in problems]),
            "curl": np.stack([problem.curl() for problem in problems]),
            "factors": factors,
            "summands": summands,
            "steepness": steepness,
            "offset": offset,
            "spread": spread,
            "weight": np.exp(means)[:, None],
        }
        return cls(**{name: tf.constant(array) for name, array in arrays.items()})

    def repeated(self, times: int) -> "Block":
        """Returns the block with all its seeds so many times, one set after another."""
        axes = dict.fromkeys(_BY_STEP, 2) | dict.fromkeys(_BY_SEED, 1)
        return dataclasses.replace(
            self,
            **{name: _tiled(getattr(self, name), axes[name], times) for name in axes},
        )

    def at(self, problem: Any, seed: Any) -> "Block":
        """Returns the block of one problem and one seed, given by integer tensors."""

        def part(name: str, axes: tuple[int | None, int | None]) -> Any:
            array = getattr(self, name)
            for axis, index in zip(axes, (problem, seed), strict=True):
                if axis is not None:
                    array = tf.gather(array, [index], axis=axis)
            return array

        return Block(
            **{
                field.name: part(
                    field.name,
                    (1, 2)
                    if field.name in _BY_STEP
                    else (0, 1 if field.name in _BY_SEED else None),
                )
                for field in dataclasses.fields(self)
            }
        )

    def see(self, x: Any, step: Any) -> Seen:
        """Returns what the optimizer sees at points, shape `(p, s, d)`, at a step.

        Values have shape `(p, s)`, gradients that of the points.
        """
        y, values, slopes = self._parts(x, step)
        factor, summand = self.factors[step], self.summands[step]
        gradients = slopes * factor + summand
        if self._several:
            # The sign of the noisy value: it may be wrong near zero.
            gradients *= tf.sign(values * factor + y * summand)
            gradients = tf.einsum("pji,psj->psi", self.rotation, gradients)
            gradients += tf.einsum("pij,psj->psi", self.curl, x)
            values = tf.reduce_sum(tf.abs(values), axis=2)
        else:
            values = values[:, :, 0]
        return Seen(values, gradients)

    def score(self, x: Any) -> Any:
        """Returns the expected values at last points, shape `(p, s)`.

        They are in units of the mean factor of the noise, which is the same
        everywhere and would drown all differences where it is large.
        """
        y, values, _ = self._parts(x, tf.shape(self.offset)[0] - 1)
        if not self._several:
            return values[:, :, 0]
        return tf.reduce_sum(
            self.weight * _mean_of_absolute(values, tf.abs(y) * self.spread), axis=2
        )

    def _parts(self, x: Any, step: Any) -> tuple[Any, Any, Any]:
        y = x
        if self._several:
            y = tf.einsum("pij,psj->psi", self.rotation, x)
        y -= self.offset[step]
        functions = [-1, tf.shape(x)[1]]
        flat = tf.reshape(tf.transpose(y, [0, 2, 1]), functions)
        joints = tf.reshape(self.joints, [-1, self.joints.shape[2]])
        rows = tf.reshape(self.rows, [-1, *self.rows.shape[2:]])
        back = [tf.shape(x)[0], x.shape[2], tf.shape(x)[1]]
        values, slopes = (
            tf.transpose(tf.reshape(part, back), [0, 2, 1])
            for part in evaluate(flat, joints, rows)
        )
        steep = self.steepness[step]
        return y, self.base + steep * (values - self.base), steep * slopes

    @property
    def _several(self) -> bool:
        return self.joints.shape[1] > 1


@dataclasses.dataclass(frozen=True)
class FunctionBlock:
    """One function of the user's own, with `s` seeds; `p` is 1.

    Args:
        function: Of points, shape `(runs, d)`.
        start: Shape `(1, s, d)`.
        factors: As of a `Block`.
        summands: As of a `Block`.
    """

    function: Any
    start: Any
    factors: Any
    summands: Any

    @classmethod
    def of(cls, problem: FunctionProblem, seeds: Sequence[int], steps: int) -> Any:
        """Draws the noise of a problem.

        Raises:
            ValueError: If its function does not return one value a point.
        """
        d = problem.dimensions
        _check_values(problem)
        draws = [
            [
                noise.draws(generator, np.ones(steps))
                for generator in [problem.generator(1, seed)]
                for noise in problem.noises
            ]
            for seed in seeds
        ]
        factors, summands = np.moveaxis(np.array(draws), (2, 3), (0, 1))
        start = np.broadcast_to(problem.start, (1, len(seeds), d))
        return cls(
            problem.function,
            tf.constant(start, tf.float64),
            tf.constant(factors[:, None]),
            tf.constant(summands[:, None]),
        )

    def repeated(self, times: int) -> "FunctionBlock":
        """Returns the block with all its seeds so many times, as of a `Block`."""
        return FunctionBlock(
            self.function,
            _tiled(self.start, 1, times),
            _tiled(self.factors, 2, times),
            _tiled(self.summands, 2, times),
        )

    def at(self, problem: Any, seed: Any) -> "FunctionBlock":
        """Returns the block of one seed."""
        del problem
        return FunctionBlock(
            self.function,
            tf.gather(self.start, [seed], axis=1),
            tf.gather(self.factors, [seed], axis=2),
            tf.gather(self.summands, [seed], axis=2),
        )

    def see(self, x: Any, step: Any) -> Seen:
        """Returns what the optimizer sees, as from a `Block`."""
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = self.score(x)
        gradients = tape.gradient(
            values, x, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return Seen(values, gradients * self.factors[step] + self.summands[step])

    def score(self, x: Any) -> Any:
        """Returns the values at points."""
        values = tf.convert_to_tensor(self.function(x[0]))
        return tf.reshape(tf.cast(values, tf.float64), [1, tf.shape(x)[1]])


def _check_values(problem: FunctionProblem) -> None:
    # More points than variables, so that the two are not mistaken for each other.
    points = np.tile(problem.start, (problem.dimensions + 1, 1))
    values = problem.function(tf.constant(points, tf.float64))
    if getattr(values, "shape", None) != (len(points),):
        raise ValueError(
            "`function` must return one value for each point, shape (runs,) for "
            f"points of shape (runs, {problem.dimensions}). "
            f"{received('returned', getattr(values, 'shape', values))} for "
            f"{len(points)} points"
        )


def _tiled(array: Any, axis: int, times: int) -> Any:
    return tf.concat([array] * times, axis=axis)


def _mean_of_absolute(mean: Any, deviation: Any) -> Any:
    """The mean of the absolute value of a normal variable."""
    safe = tf.maximum(deviation, np.finfo("float64").tiny)
    ratio = mean / safe
    density = tf.exp(-ratio * ratio / 2) * math.sqrt(2 / math.pi)
    normal = safe * density + mean * tf.math.erf(ratio / math.sqrt(2))
    return tf.where(deviation > 0, normal, tf.abs(mean))
