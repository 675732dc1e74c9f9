"""Is the loss of the fresh model what a clueless guess would lose?"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.observation import Observation
from keras_trainkit.preflight.subject import Output, Subject

HIGH = 1.5  # times the expectation from which the loss is suspicious
WRONG = 4.0  # times the expectation from which it is a mistake
UNLUCKY = 10.8  # times its mean that chi square of one degree exceeds in 1 of 1000
SCALED = 4.0  # mean square of an input up to which it counts as scaled
LOW = 0.5  # times the expectation below which the model knows too much


def check_initial_loss(subject: Subject) -> Verdict:
    """Compares each output's loss, without penalties, with its expectation.

    The expectation is ln C for C exclusive classes, ln 2 for yes or no, the mean
    square of the targets for squared error; or, if the last bias was set to the
    priors, the loss of the best constant guess: the entropy of the classes, the
    variance of the targets.

    Args:
        subject: The model and its data.
    """
    findings, words = [], []
    for output in subject.outputs:
        expected = expected_losses(output)
        if expected is None:
            continue
        blind, best = expected
        with keras.StatelessScope():
            target = tf.convert_to_tensor(output.batch_target)
            loss = float(output.loss(target, tf.convert_to_tensor(output.predicted)))
        reduction = getattr(output.loss, "reduction", "sum_over_batch_size")
        if reduction == "sum":
            loss /= len(output.batch_target)
        words.append(
            f"{output.name}: {loss:.4g}, expected {blind:.4g}, best constant guess "
            f"{best:.4g}"
        )
        chance = chance_loss(output, subject.observation)
        findings += _compare(output, loss, blind, best, chance)
    if not words:
        return not_judged("initial loss", "no expectation is known for these losses")
    return judged("initial loss", "; ".join(words), findings)


def expected_losses(output: Output) -> tuple[float, float] | None:
    """Returns what a uniform guess and the best constant guess lose.

    Args:
        output: An output with its targets and its loss.

    Returns:
        Both losses, or `None` if the loss is none of those known.

    Example:
        Three of four examples in class 0 of two: `(0.693, 0.562)`.
    """
    target = output.batch_target
    if output.kind == "mean_squared_error":
        values: Any = target.astype(np.float64)
        return float(np.mean(values**2)), float(np.mean(np.var(values, axis=0)))
    if output.kind == "mean_absolute_error":
        values = target.astype(np.float64)
        middle = np.median(values, axis=0)
        return float(np.mean(np.abs(values))), float(np.mean(np.abs(values - middle)))
    if output.kind == "binary_crossentropy":
        share = np.clip(target.astype(np.float64).mean(axis=0), 1e-12, 1 - 1e-12)
        entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
        return math.log(2.0), float(np.mean(entropy))
    units = output.predicted.shape[-1]
    if output.kind == "categorical_crossentropy":
        shares = target.reshape(-1, target.shape[-1]).mean(axis=0)
    elif output.kind == "sparse_categorical_crossentropy":
        shares = np.unique(target, return_counts=True)[1] / target.size
    else:
        return None
    shares = shares[shares > 0]
    return math.log(max(units, 2)), float(-np.sum(shares * np.log(shares)))


def chance_loss(output: Output, seen: Observation) -> float:
    """Returns what fresh weights may add to the loss by bad luck, without a fault.

    A linear layer whose weights have the variance `2 / (inputs + outputs)` predicts
    numbers of the mean square `energy * variance`, `energy` being the mean squared
    length of its inputs. Where these lie mostly along one direction, the mean square
    varies as chi square of one degree of freedom does: above 10.8 times its mean in
    one of a thousand draws.

    Args:
        output: An output with its targets and its loss.
        seen: What the layers received.

    Returns:
        In units of the loss; 0 for other losses and other last layers.
    """
    if output.kind not in ("mean_squared_error", "mean_absolute_error"):
        return 0.0
    for layer, received, given in seen.heads:
        if not isinstance(layer, keras.layers.Dense):
            continue
        if np.shape(given) != output.predicted.shape:
            continue
        if not np.allclose(np.asarray(given), output.predicted, rtol=1e-3, atol=1e-6):
            continue
        rows: Any = received.astype(np.float64).reshape(-1, received.shape[-1])
        inputs, units = rows.shape[-1], output.predicted.shape[-1]
        # Inputs that are not scaled are a fault of their own.
        energy = min(float(np.mean(np.sum(rows**2, axis=1))), SCALED * inputs)
        square = UNLUCKY * energy * 2.0 / (inputs + units)
        return square if output.kind == "mean_squared_error" else math.sqrt(square)
    return 0.0


def _compare(
    output: Output, loss: float, blind: float, best: float, chance: float
) -> list[Finding]:
    evidence = {"loss": loss, "expected": blind, "best_constant": best}
    top = max(blind, best)
    if not math.isfinite(loss) or loss > HIGH * top + chance:
        wrong = not math.isfinite(loss) or loss > WRONG * top + chance
        return [
            Finding(
                f"The fresh model loses {loss:.4g}, a clueless guess {blind:.4g}.",
                output.name,
                "error" if wrong else "warning",
                code="initial_loss_too_high",
                category="initialisation",
                evidence=evidence,
                advice="Scale the inputs, or the initial weights of the last layer; "
                "check the pairing of output and loss.",
            )
        ]
    if loss < LOW * min(blind, best):
        return [
            Finding(
                f"The fresh model loses {loss:.4g}, less than guessing: {best:.4g}.",
                output.name,
                "warning",
                code="initial_loss_too_low",
                category="labels",
                evidence=evidence,
                advice="Fine if the model is trained already; if not, the targets "
                "may leak into the inputs.",
            )
        ]
    if output.kind == "mean_squared_error" and blind > 10 * best:
        return [
            Finding(
                f"A constant would reduce the loss from {blind:.4g} to {best:.4g}: "
                "the first epochs only learn the mean.",
                output.name,
                "warning",
                code="targets_off_center",
                category="labels",
                evidence=evidence,
                advice="Standardise the targets, or set the last bias to their mean.",
            )
        ]
    if blind > 2.0 * best and loss > 1.5 * best:
        return [
            Finding(
                f"With these class shares a constant guess loses {best:.4g}; the "
                "first epochs only learn the shares.",
                output.name,
                "info",
                code="class_shares_unset",
                category="initialisation",
                evidence=evidence,
                advice="Set the last bias to the log of the priors.",
            )
        ]
    return []
