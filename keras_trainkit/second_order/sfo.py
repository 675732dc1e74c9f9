"""Sum of functions optimizer: one quadratic a mini-batch, one Newton step for all."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.problems.flat import FlatLoss
from keras_trainkit.second_order.data import machine_memory
from keras_trainkit.second_order.evaluations import (
    Evaluations,
    Iterate,
    OutOfEvaluationsError,
)
from keras_trainkit.second_order.sfo_quadratic import Quadratic
from keras_trainkit.second_order.sfo_subspace import Subspace

FIRST = 2  # batches that take part from the start
FIRST_STEP = 1e-2  # length of it, in lengths of the weights
LONGEST = 10.0  # times the mean step so far, after the first pass
SHORTEST_SCALE = 1e-5  # of a Newton step, after failures
# Directions kept, in those that the last gradients and positions span: room for the
# pairs before these, without which the last digits take a third more passes.
LEAST_ROOM, MOST_ROOM = 1.5, 4
ROOM_BYTES = 2**28  # that the larger room may take

Loss = Callable[[int, np.ndarray], tuple[float, np.ndarray]]


def sfo(
    evaluate: Evaluations, start: np.ndarray, batches: FlatLoss, seed: int
) -> Iterator[Iterate]:
    """Yields the iterates of SFO, one a pass over the batches.

    The loss of an iterate is that of all data, computed once a pass without a gradient
    and not counted: the batches' last values are of other points, and the best point
    is to be known. The gradient is estimated by the batches' last ones, except at the
    end.

    Args:
        evaluate: The full loss, whose evaluations are counted by parts.
        start: The first vector, shape `(n,)`.
        batches: The loss whose chunks are the batches.
        seed: Of what is left to chance.

    Raises:
        OutOfEvaluationsError: At the end, unless no batch could lower the sum further.

    Reference:
        [Sohl-Dickstein, Poole and Ganguli, ICML
        2014](https://proceedings.mlr.press/v32/sohl-dicksteinb14.html)
    """
    count = len(batches.chunks)
    part = 1.0 / count

    def loss(place: int, vector: np.ndarray) -> tuple[float, np.ndarray]:
        evaluate.spend(part)
        given = tf.constant(vector, batches.packing.dtype)
        value, gradient = batches.value_and_gradient(given, [place])
        return float(value), gradient.numpy().astype(np.float64)

    state = _Sum(loss, count, start.astype(np.float64), seed)
    yielded, moves = 0, True
    # Enough is left for a step that fails and for the exact loss at the end.
    while moves and evaluate.spent + 1.0 + 12 * part <= evaluate.limit:
        moves = state.step()
        passed = int(evaluate.spent + 1e-9)
        if passed > yielded:
            yielded = passed
            vector = state.vector().astype(start.dtype)
            details = {"passes": float(passed), "batches": float(len(state.active))}
            value = float(batches.value(tf.constant(vector, batches.packing.dtype)))
            evaluate.offer(vector, value)
            yield Iterate(vector, value, state.gradient_norm(), details, False)
    point = evaluate(state.vector().astype(start.dtype))
    details = {"passes": evaluate.spent - 1.0, "batches": float(len(state.active))}
    yield Iterate(point.vector, point.value, point.gradient_norm, details)
    if moves:
        raise OutOfEvaluationsError


def check_subspace(weights: int, batches: int) -> None:
    """Refuses a subspace that does not fit into half of the machine's memory.

    Raises:
        ValueError: With the memory that it would take.
    """
    needed, limit = 8 * weights * _largest(weights, batches), machine_memory() // 2
    if needed > limit:
        raise ValueError(
            f"`subfunctions` must be fewer: the directions of {batches} batches of "
            f"{weights:,} weights take {needed / 2**30:,.1f} GiB, more than half of "
            f"this machine's memory. {received('subfunctions', batches)}"
        )


def _largest(weights: int, batches: int) -> int:
    spanned = 2 * batches + 2
    affordable = ROOM_BYTES // (8 * weights)
    room = max(math.ceil(LEAST_ROOM * spanned), min(MOST_ROOM * spanned, affordable))
    return min(room, weights)


class _Sum:
    """The sum of the batches' quadratics, and the position that they lead to."""

    def __init__(self, loss: Loss, count: int, start: np.ndarray, seed: int) -> None:
        self._loss, self._random = loss, np.random.default_rng(seed)
        largest = _largest(len(start), count)
        self._space = Subspace(start, largest)
        self._parts = [Quadratic(largest) for _ in range(count)]
        self.active = list(self._random.permutation(count)[: min(FIRST, count)])
        self._here = np.zeros(largest)
        self._before = np.zeros(largest)
        self._hessian = np.zeros((largest, largest))  # without the levels
        self._loose: list[np.ndarray] = []  # what a collapse must turn, too
        self._scale, self._since_growth = 1.0, 0
        self._foretold = 0.0  # fall of all batches, by the last step
        self._lengths: list[float] = []
        self._first_step = FIRST_STEP * max(1.0, float(np.linalg.norm(start)))

    def vector(self) -> np.ndarray:
        """The position, shape `(n,)`."""
        return self._space.vector(self._here)

    def gradient_norm(self) -> float:
        """The largest entry of the batches' last gradients, summed.

        Not of the quadratics' gradient at the position: a Newton step makes that zero.
        """
        seen = [part for part in self._parts if part.seen]
        slope = sum((part.gradient for part in seen), np.zeros(len(self._here)))
        whole = self._space.vector(slope * len(self._parts) / len(seen))
        return float(np.abs(whole - self._space.origin).max(initial=0.0))

    def step(self) -> bool:
        """Evaluates one batch and moves; whether anything is left to do."""
        place = self._choose()
        if place is None:
            return False
        part = self._parts[place]
        value, gradient = self._evaluate(place, self.vector())
        failed = self._failed(part, value, gradient)
        if failed:
            self._scale = max(self._scale / 2, SHORTEST_SCALE)
            value, gradient = self._back_off(place, value, gradient)
            if not np.isfinite(value):
                return False
        else:
            self._scale = 1 / len(self._parts) + self._scale * (
                1 - 1 / len(self._parts)
            )
        self._take(place, self._here, value, gradient)
        self._grow_if_due(failed)
        return self._move()

    def _evaluate(self, place: int, vector: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = self._loss(place, vector)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return np.inf, np.zeros(len(self._here))
        unit = self._space.outside(gradient)
        if unit is not None:
            if self._space.full:
                self._collapse(self._space.coordinates(gradient), unit)
            else:
                self._space.add(unit)
        return value, self._space.coordinates(gradient)

    def _collapse(self, inside: np.ndarray, unit: np.ndarray) -> None:
        """Keeps the last gradients and positions, and makes room for a new gradient.

        Args:
            inside: Its part in the space so far.
            unit: The direction of its part outside.
        """
        known = [self._parts[place] for place in self.active]
        kept = [inside, self._here, self._before, *self._loose]
        kept += [part.gradient for part in known] + [part.position for part in known]
        turn = self._space.collapse(np.array(kept), unit)
        self._here, self._before = turn @ self._here, turn @ self._before
        self._loose = [turn @ one for one in self._loose]
        for part in self._parts:
            part.turn(turn)
        self._hessian = turn @ self._hessian @ turn.T

    def _choose(self) -> int | None:
        for seen in (1, 0):
            waiting = [p for p in self.active if self._parts[p].seen == seen]
            if waiting:
                return int(self._random.choice(waiting))
        steps = np.array(
            [self._here - self._parts[place].position for place in self.active]
        )
        if self._random.uniform() < 0.5:
            far = np.einsum("ij,ij->i", steps @ self._total(), steps)
        else:
            far = np.array(
                [
                    step @ self._parts[place].times(step)
                    for place, step in zip(self.active, steps, strict=True)
                ]
            )
        if not far.max(initial=0.0) > 0:
            # All were seen just here: only a new one can say something.
            return self._activate()
        return int(self.active[int(far.argmax())])

    def _failed(self, part: Quadratic, value: float, gradient: np.ndarray) -> bool:
        if not np.isfinite(value):
            return True
        if not part.seen:
            others = [one.value for one in self._parts if one.seen]
            if len(others) <= 2:
                return False
            return bool(value > np.mean(others) + 3 * np.std(others))
        if value <= part.value:
            return False
        foretold = part.foretold(self._here)
        of_others = self._foretold - (part.value - foretold)
        return bool(value - foretold > of_others)

    def _back_off(
        self, place: int, value: float, gradient: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Goes to the better of the point that failed and the one before it."""
        part = self._parts[place]
        self._loose = [self._here, gradient]
        known, slope = self._evaluate(place, self._space.vector(self._before))
        self._loose.append(slope)
        if part.seen:
            expected = abs(part.foretold(self._before) - part.value)
        else:
            expected = abs(value - known)
        expected = max(expected, 1e-12) if np.isfinite(expected) else 1e-12
        for _ in range(10):
            if value - known < 10 * expected:
                break
            failed = self._before + 0.01 * (self._loose[0] - self._before)
            self._loose[0] = failed
            value, gradient = self._evaluate(place, self._space.vector(failed))
            self._loose[1] = gradient
        (failed, gradient, slope), self._loose = self._loose, []
        if not np.isfinite(value):
            self._here = self._before.copy()
            return known, slope
        if value < known:
            self._take(place, self._before, known, slope)
            self._here = failed
            return value, gradient
        self._take(place, failed, value, gradient)
        self._here = self._before.copy()
        return known, slope

    def _take(
        self, place: int, position: np.ndarray, value: float, gradient: np.ndarray
    ) -> None:
        part = self._parts[place]
        self._hessian -= (part.low * part.signs) @ part.low.T
        part.observe(position.copy(), value, gradient)
        if part.curved:
            part.rebuild()
        self._hessian += (part.low * part.signs) @ part.low.T
        if not part.curved:
            part.level = self._usual_level(gradient)

    def _usual_level(self, gradient: np.ndarray) -> float:
        """Returns the curvature of a batch that is seen for the first time."""
        curved = sum(part.curved for part in self._parts)
        if curved < 2:
            return max(float(np.linalg.norm(gradient)) / self._first_step, 1e-12)
        size = self._space.size
        values = np.linalg.eigvalsh(self._hessian[:size, :size])
        levels = sum(self._parts[place].level for place in self.active)
        return max(float(np.median(values) + levels) / len(self.active), 1e-12)

    def _total(self) -> np.ndarray:
        levels = sum(self._parts[place].level for place in self.active)
        return self._hessian + levels * np.eye(len(self._hessian))

    def _grow_if_due(self, failed: bool) -> None:
        self._since_growth += 1
        if len(self.active) == len(self._parts):
            return
        if any(self._parts[place].seen < 2 for place in self.active):
            return
        if failed or self._since_growth > len(self.active) or self._noisy():
            self._activate()

    def _noisy(self) -> bool:
        """Whether the active gradients tell less of their mean than of chance."""
        slopes = np.array([self._parts[place].gradient for place in self.active])
        mean = slopes.mean(axis=0)
        inverse = np.linalg.solve(self._total(), np.vstack([mean, slopes - mean]).T)
        spread = float(np.sum((slopes - mean) * inverse[:, 1:].T))
        error = spread / max(len(slopes) - 1, 1) / len(slopes)
        return bool(error >= mean @ inverse[:, 0])

    def _activate(self) -> int | None:
        waiting = sorted({*range(len(self._parts))} - {*self.active})
        if not waiting:
            return None
        self._since_growth = 0
        self.active.append(int(self._random.choice(waiting)))
        return self.active[-1]

    def _move(self) -> bool:
        matrix, size = self._total(), self._space.size
        seen = [place for place in self.active if self._parts[place].seen]
        slope = sum(
            (self._parts[place].slope(self._here) for place in seen),
            np.zeros(len(self._here)),
        )[:size]
        step = np.zeros(len(self._here))
        step[:size] = -self._scale * np.linalg.solve(matrix[:size, :size], slope)
        length = float(np.linalg.norm(step))
        if not np.isfinite(length):
            return False
        if len(self._lengths) > len(self._parts):
            longest = LONGEST * float(np.mean(self._lengths))
            if length > longest:
                step *= longest / length
                length = longest
        if length < 1e-14 * max(1.0, float(np.linalg.norm(self._here))):
            return len(self.active) < len(self._parts)
        self._lengths.append(length)
        self._foretold = float(step @ matrix @ step) / 2
        self._before, self._here = self._here, self._here + step
        return True
