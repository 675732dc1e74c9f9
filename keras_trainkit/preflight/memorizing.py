"""Can the model learn twenty examples by heart?"""

import itertools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.keras_model.batches import keep_rows
from keras_trainkit.optimizers.adam import Adam
from keras_trainkit.optimizers.stepper import Stepper
from keras_trainkit.preflight.functional import loss_problem, without_noise
from keras_trainkit.preflight.initial_loss import expected_losses
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.problems.flat import FlatLoss
from keras_trainkit.second_order.evaluations import Evaluations, OutOfEvaluationsError
from keras_trainkit.second_order.lbfgs_method import lbfgs

EXAMPLES = 20
STEPS = 600
RATES = (2.0**-7, 2.0**-10)  # of Adam; the second if the first does not arrive
ENOUGH = 0.02  # of a clueless guess, above the floor: learnt by heart
PROGRESS = 0.5  # of the first loss, that a model on its way has left behind
UNMOVED = 1e-5  # of the loss, within which it is the same
AFFORDED = 60  # losses with gradient that the time must allow for anything to be said
LATE = 0.01  # of the fall, from which the last tenth of the steps is no end


def check_memorizing(subject: Subject) -> Verdict:
    """Trains a copy of the weights on twenty examples, without noise or penalties.

    Where the loss does not move, or ends at one answer for all inputs, nothing can
    be learnt: a layer does not train, the loss is wrong, or the inputs say nothing.
    Where it ends above its floor otherwise, the model may just be small: a linear
    regression fits no twenty examples.

    Args:
        subject: The model and its data; `seconds` bounds the time. Where they allow
            too few steps to say anything, none is made.
    """
    model = subject.model
    if not subject.outputs:
        return not_judged("memorizing", "no output has a loss of its own")
    if not model.trainable_variables:
        return not_judged("memorizing", "the model has no trainable weights")
    batch = _distinct(subject)
    problem = loss_problem(subject, batch)
    rows = len(tf.nest.flatten(batch[0])[0])
    if rows == 1 < subject.rows:
        return not_judged("memorizing", "all rows looked at have the same inputs")
    floor, guess = _floor(subject), _guess(subject)
    history: list[_Course] = []
    with without_noise(model):
        flat = FlatLoss.of_problem(problem)
        start = flat.packing.pack(problem.values)
        loss, each = _loss_and_seconds(flat, start)
        if loss < floor:
            return not_judged(
                "memorizing", "the loss is below zero at the start: is its sign right?"
            )
        if AFFORDED * each > subject.seconds:
            return not_judged(
                "memorizing",
                f"a loss with its gradient takes {each:.2g} s, of which {AFFORDED} are "
                f"more than {subject.seconds:g} s: raise `seconds`",
            )
        seconds = subject.seconds / (1 + len(RATES))
        goal = _Goal(guess, seconds, subject.verbose)
        history.append(_search(flat, start, goal))
        # Where no lower loss is found along a line, Adam may still get around.
        for rate in RATES:
            if _arrived(history[-1].losses, floor, guess):
                break
            history.append(_train(flat, start, rate, goal))
        losses, vector = min(history, key=lambda course: min(course.losses))
        arrived = _arrived(losses, floor, guess)
        blind = not arrived and _is_blind(subject, batch, vector, min(losses))
    first, last = history[0].losses[0], min(losses)
    steps = losses.index(last) + 1
    why = f"{rows} examples: loss {first:.4g} to {last:.4g} in {steps} steps"
    if arrived:
        return judged("memorizing", why)
    left = (last - floor) / max(first - floor, 1e-12)
    done = max(len(course.losses) for course in history)
    if left >= PROGRESS and done < STEPS and np.isfinite(last):
        return not_judged(
            "memorizing",
            f"{why}; it ended after {done} of {STEPS} steps: raise `seconds`",
        )
    still = first - last <= UNMOVED * abs(first) or not np.isfinite(last)
    what = f"{first:.4g} to {last:.4g} in {steps} steps, floor {floor:.3g}."
    if still or blind:
        message = f"The model does not learn {rows} examples by heart: {what}"
        advice = (
            "Look for layers no gradient reaches, inputs that are all alike, wrong "
            "labels, or a loss that does not fit the output."
        )
    elif min(losses[: -max(1, len(losses) // 10)], default=first) - last > LATE * (
        first - last
    ):
        message = f"The model does not learn {rows} examples by heart yet: {what}"
        advice = "Scale inputs and targets, or give it more seconds or units."
    else:
        message = f"The model cannot fit {rows} examples by heart: {what}"
        advice = (
            "It probably has too few units for that. Fine if it is meant to be so "
            "small, as a linear or logistic regression; if not, give it more, and "
            "look at the labels and the scale of inputs and targets."
        )
    return judged(
        "memorizing",
        why,
        [
            Finding(
                message,
                "",
                "error" if still or blind else "warning",
                code="does_not_memorize",
                category="capacity",
                evidence={"first": first, "last": last, "steps": steps},
                advice=advice,
            )
        ],
    )


def _loss_and_seconds(flat: FlatLoss, start: np.ndarray) -> tuple[float, float]:
    """The loss, and the seconds that it takes with its gradient once it is traced."""
    vector = tf.constant(start)
    flat.value_and_gradient(vector)
    begun = time.monotonic()
    loss = float(flat.value_and_gradient(vector)[0])
    return loss, time.monotonic() - begun


class _Course(NamedTuple):
    """What a method has reached: its losses, and the weights at the end."""

    losses: list[float]
    vector: Any


def _is_blind(subject: Subject, batch: Any, vector: Any, loss: float) -> bool:
    """Whether the loss stays as it is if each row gets the inputs of another."""
    x, y, _ = batch
    moved = tf.nest.map_structure(
        lambda leaf: None if leaf is None else np.roll(leaf, 1, axis=0), x
    )
    flat = FlatLoss.of_problem(loss_problem(subject, (moved, y, None)))
    other = float(flat.value(tf.convert_to_tensor(vector)))
    return bool(abs(other - loss) <= UNMOVED * abs(loss))


def _distinct(subject: Subject) -> Any:
    """Returns twenty rows no two of which have the same inputs."""
    x, y, _ = subject.batch(10 * EXAMPLES)
    leaves = tf.nest.flatten(x)
    seen: dict[bytes, int] = {}
    for row in range(len(leaves[0])):
        key = b"".join(np.ascontiguousarray(leaf[row]).tobytes() for leaf in leaves)
        seen.setdefault(key, row)
    rows = np.array(sorted(list(seen.values())[:EXAMPLES]))
    # Weights of zero would hide examples; by heart means all of them.
    return keep_rows(x, rows), keep_rows(y, rows), None


def _floor(subject: Subject) -> float:
    """Returns the loss of perfect predictions: above zero for soft targets."""
    total = 0.0
    for output in subject.outputs:
        target: Any = output.batch_target.astype(np.float64)
        spread = output.label_smoothing
        if output.kind == "categorical_crossentropy":
            target = target * (1 - spread) + spread / target.shape[-1]
            total += float(_entropy(target).sum(axis=-1).mean())
        elif output.kind == "binary_crossentropy":
            target = target * (1 - spread) + spread / 2
            total += float((_entropy(target) + _entropy(1 - target)).mean())
    return total


def _entropy(share: np.ndarray) -> np.ndarray:
    return -share * np.log(np.clip(share, 1e-300, None))


def _guess(subject: Subject) -> float:
    """Returns the loss of a clueless guess, infinite where it is not known."""
    if len(subject.outputs) != 1:
        return float("inf")
    expected = expected_losses(subject.outputs[0])
    return float("inf") if expected is None else max(expected)


def _arrived(losses: list[float], floor: float, guess: float) -> bool:
    scale = max(min(losses[0], guess) - floor, 1e-12)
    return min(losses) - floor <= ENOUGH * scale


class _Goal:
    """When to stop, and the progress bar until then.

    Args:
        guess: The loss of a clueless guess.
        seconds: For each method.
        verbose: Whether to show a bar.
    """

    def __init__(self, guess: float, seconds: float, verbose: bool) -> None:
        self._guess, self._seconds, self._verbose = guess, seconds, verbose

    def follow(self, losses: Iterator[float], steps: int) -> list[float]:
        """Returns the losses up to the goal, the end of the time or of the steps."""
        bar = keras.utils.Progbar(steps, unit_name="step") if self._verbose else None
        begun, found = time.monotonic(), []
        for loss in itertools.islice(losses, steps):
            if not np.isfinite(loss):
                break
            found.append(loss)
            if bar is not None:
                bar.update(len(found), [("loss", loss)])
            done = loss <= 0.5 * ENOUGH * min(found[0], self._guess)
            if done or time.monotonic() - begun > self._seconds:
                break
        if bar is not None and len(found) < steps:
            bar.update(len(found), finalize=True)
        return found or [float("inf")]


def _search(flat: FlatLoss, start: np.ndarray, goal: _Goal) -> _Course:
    """Returns the losses of L-BFGS, which has no rate to guess."""
    evaluate = Evaluations(flat, 2 * STEPS)

    def losses() -> Iterator[float]:
        yield float(flat.value_and_gradient(tf.constant(start))[0])
        try:
            yield from (iterate.loss for iterate in lbfgs(evaluate, start))
        except OutOfEvaluationsError:
            return

    found = goal.follow(losses(), STEPS)
    best = evaluate.best
    return _Course(found, start if best is None else best.vector)


def _train(flat: FlatLoss, start: np.ndarray, rate: float, goal: _Goal) -> _Course:
    """Returns the losses of Adam."""
    adam = Stepper(Adam(rate), [start])

    def losses() -> Iterator[float]:
        while True:
            loss, gradient = flat.value_and_gradient(adam.values[0])
            yield float(loss)
            adam.step([gradient])

    found = goal.follow(losses(), STEPS)
    return _Course(found, adam.values[0])
