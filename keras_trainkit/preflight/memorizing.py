"""Can the model learn twenty examples by heart?"""

import time
from typing import Any

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

EXAMPLES = 20
STEPS = 600
RATES = (2.0**-7, 2.0**-10)  # of Adam; the second if the first does not arrive
ENOUGH = 0.02  # of a clueless guess, above the floor: learnt by heart
PROGRESS = 0.5  # of the first loss, that a model on its way has left behind


def check_memorizing(subject: Subject) -> Verdict:
    """Trains a copy of the weights on twenty examples, without noise or penalties.

    A model that cannot fit twenty examples will not fit twenty thousand: a layer
    does not train, the loss is wrong, or the labels are not those of the inputs.

    Args:
        subject: The model and its data; `seconds` bounds the time.
    """
    model = subject.model
    if not subject.outputs:
        return not_judged("memorizing", "no output has a loss of its own")
    if not model.trainable_variables:
        return not_judged("memorizing", "the model has no trainable weights")
    batch = _distinct(subject)
    problem = loss_problem(subject, batch)
    rows = len(tf.nest.flatten(batch[0])[0])
    floor, guess = _floor(subject), _guess(subject)
    history: list[list[float]] = []
    with without_noise(model):
        flat = FlatLoss.of_problem(problem)
        start = flat.packing.pack(problem.values)
        for rate in RATES:
            seconds = subject.seconds / len(RATES)
            history.append(_train(subject, flat, start, rate, seconds, guess))
            if _arrived(history[-1], floor, guess):
                break
    losses = min(history, key=min)
    first, last = history[0][0], min(losses)
    steps = losses.index(last) + 1
    why = f"{rows} examples: loss {first:.4g} to {last:.4g} in {steps} steps"
    if _arrived(losses, floor, guess):
        return judged("memorizing", why)
    left = (last - floor) / max(first - floor, 1e-12)
    slow = left < PROGRESS
    if not slow and max(map(len, history)) < STEPS and np.isfinite(last):
        done = max(map(len, history))
        return not_judged(
            "memorizing",
            f"{why}; it ended after {done} of {STEPS} steps: raise `seconds`",
        )
    return judged(
        "memorizing",
        why,
        [
            Finding(
                f"The model does not learn {rows} examples by heart: "
                f"{first:.4g} to {last:.4g} in {steps} steps, floor {floor:.3g}.",
                "",
                # Small nets are on their way after 600 steps, and healthy.
                "info" if slow else "error",
                code="does_not_memorize",
                category="capacity",
                evidence={"first": first, "last": last, "steps": steps},
                advice="Scale inputs and targets, or give it more seconds or units."
                if slow
                else "Look for layers no gradient reaches, inputs that are all "
                "alike, wrong labels, or a loss that does not fit the output.",
            )
        ],
    )


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


def _train(
    subject: Subject,
    flat: FlatLoss,
    start: np.ndarray,
    rate: float,
    seconds: float,
    guess: float,
) -> list[float]:
    adam = Stepper(Adam(rate), [start])
    bar = keras.utils.Progbar(STEPS, unit_name="step") if subject.verbose else None
    losses: list[float] = []
    begun = time.monotonic()
    for count in range(1, STEPS + 1):
        loss, gradient = flat.value_and_gradient(adam.values[0])
        if not np.isfinite(float(loss)):
            break
        losses.append(float(loss))
        adam.step([gradient])
        if bar is not None:
            bar.update(count, [("loss", losses[-1])])
        done = losses[-1] <= 0.5 * ENOUGH * min(losses[0], guess)
        if done or time.monotonic() - begun > seconds:
            break
    if bar is not None and len(losses) < STEPS:
        bar.update(len(losses), finalize=True)
    return losses or [float("inf")]
