"""Greedy selection: members join only while validation improves."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.ensembles.member_predictions import MemberPredictions
from keras_trainkit.ensembles.scores import find_score, known_kind
from keras_trainkit.ensembles.voting_model import VotingModel


def select(
    ensemble: VotingModel, found: MemberPredictions, metric: Any, most: int
) -> list[int]:
    """Returns which candidates an ensemble is best made of.

    Args:
        ensemble: All candidates as one ensemble, for its vote.
        found: What each candidate predicts, and the targets.
        metric: What is to improve; `None` for log loss or squared error.
        most: How many members at most, repetitions counted.

    Returns:
        Positions of candidates in the order in which they were added. Of equally
        good ones the first is taken.

    Raises:
        ValueError: If no candidate has a finite score.
    """
    units = found.predicted.shape[-1]
    kind = known_kind(found.kind, found.target, units)
    if metric is None:
        metric = "squared_error" if kind == "values" else "log_loss"
    score = find_score(metric, found.kind, found.target, units)
    sign = 1.0 if score.larger_is_better else -1.0
    outputs = [tf.constant(each) for each in found.predicted]

    def value(members: list[int]) -> float:
        shares = [1.0 / len(members)] * len(members)
        combined = ensemble.combine([outputs[i] for i in members], shares, found.kind)
        return float(sign * score.each(found.target, combined.numpy()).mean())

    chosen: list[int] = []
    reached = -np.inf
    while len(chosen) < most:
        values = [value([*chosen, candidate]) for candidate in range(len(outputs))]
        best = int(np.argmax(np.nan_to_num(values, nan=-np.inf)))
        if not values[best] > reached:
            break
        reached = values[best]
        chosen.append(best)
    if not chosen:
        raise ValueError(
            "`candidates` must have a model with a finite score. "
            + received("candidates", ensemble.member_labels())
        )
    return chosen
