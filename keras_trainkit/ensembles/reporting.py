"""Measures an ensemble against its members."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number
from keras_trainkit.ensembles.bootstrap import paired_gain
from keras_trainkit.ensembles.class_order import class_order_findings
from keras_trainkit.ensembles.ensemble_report import EnsembleReport
from keras_trainkit.ensembles.member_predictions import MemberPredictions
from keras_trainkit.ensembles.scores import check_classes, find_score, known_kind
from keras_trainkit.ensembles.vote import normalized
from keras_trainkit.ensembles.voting_model import VotingModel
from keras_trainkit.finding import Finding


def report(
    ensemble: VotingModel,
    found: MemberPredictions,
    shares: Sequence[float],
    metric: Any,
    confidence: float,
    resamples: int,
    seed: int,
) -> EnsembleReport:
    """Returns what `Ensemble.report` promises.

    Args:
        ensemble: The ensemble.
        found: What its distinct members predict.
        shares: The part of the vote of each.
        metric: Name or function; see `find_score`.
        confidence: Coverage of the intervals, in (0, 1).
        resamples: Draws of the bootstrap, int >= 1.
        seed: Seed of the bootstrap.
    """
    confidence = check_number(
        "confidence", confidence, 0, 1, open_minimum=True, open_maximum=True
    )
    resamples = check_integer("resamples", resamples, minimum=1)
    units = found.predicted.shape[-1]
    kind = known_kind(found.kind, found.target, units)
    if kind == "classes" and units > 1:
        check_classes(found.target, found.predicted[0])
    score = find_score(metric, found.kind, found.target, units)

    def combined(chosen: Sequence[int]) -> np.ndarray:
        outputs = [tf.constant(found.predicted[index]) for index in chosen]
        part = normalized([shares[index] for index in chosen])
        return ensemble.combine(outputs, part, found.kind).numpy()

    def score_of(chosen: Sequence[int]) -> float:
        return float(score.each(found.target, combined(chosen)).mean())

    each = np.array([score.each(found.target, p) for p in found.predicted])
    ours = score.each(found.target, combined(range(len(each))))
    sign = 1.0 if score.larger_is_better else -1.0
    best = each[np.argmax(sign * each.mean(axis=1))]
    gains = tuple(
        paired_gain(over, sign * (ours - theirs), confidence, resamples, seed)
        for over, theirs in (
            ("the mean member", each.mean(axis=0)),
            ("the best member", best),
        )
    )
    names = ensemble.member_labels()
    findings = _logits_findings(found.predicted, found.kind, kind)
    if kind == "classes" and units > 1:
        findings += class_order_findings(found.target, found.predicted, names)
    return EnsembleReport(
        metric=score.name,
        larger_is_better=score.larger_is_better,
        members=tuple(names),
        shares=tuple(shares),
        member_scores=each.mean(axis=1),
        score=float(ours.mean()),
        gains=gains,
        disagreement=_disagreement(found.predicted, kind),
        confidence=confidence,
        examples=len(found.target),
        findings=tuple(findings),
        subset_score=score_of,
    )


def _disagreement(predicted: np.ndarray, kind: str) -> np.ndarray:
    if kind == "values":
        values: Any = predicted.astype(np.float64)
        return np.array([[_distance(a, b) for b in values] for a in values])
    several = kind == "classes" and predicted.shape[-1] > 1
    decided = predicted.argmax(axis=-1) if several else predicted > 0.5
    return np.array([[np.mean(a != b) for b in decided] for a in decided])


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def _logits_findings(predicted: np.ndarray, kind: str, guessed: str) -> list[Finding]:
    if kind != "unknown" or guessed == "values":
        return []
    low, high = float(predicted.min()), float(predicted.max())
    if low >= 0 and high <= 1:
        return []
    return [
        Finding(
            "Members seem to end in logits, which are averaged as they are.",
            code="members_end_in_logits",
            category="ensemble",
            evidence={"smallest": round(low, 3), "largest": round(high, 3)},
            advice="Pass `from_logits=True` to `Ensemble`.",
        )
    ]
