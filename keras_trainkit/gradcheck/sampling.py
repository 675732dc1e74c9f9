"""Chooses which directions and coordinates of each tensor are compared."""

import numpy as np

from keras_trainkit.gradcheck.evaluator import Evaluator, Jobs


def sample_jobs(
    evaluator: Evaluator,
    gradient: np.ndarray,
    *,
    directions: int,
    coordinates: int,
    joint: bool,
    seed: int,
) -> Jobs:
    """Returns random directions and a few coordinates of every tensor.

    Args:
        evaluator: Knows where the tensors lie.
        gradient: The claimed gradient of each term, shape `(terms, places)`.
        directions: Random directions a tensor, or over all of them at once.
        coordinates: Coordinates a tensor: the largest gradient, a zero if there
            is one, and others at random.
        joint: Whether only directions over all tensors together are compared.
        seed: Seed of the choice.
    """
    rows = range(1, directions + 1)
    if joint:
        return Jobs.join([evaluator.direction(0, evaluator.total, row) for row in rows])
    random = np.random.default_rng(seed)
    size = np.abs(gradient).max(axis=0)
    jobs = []
    for tensor in range(len(evaluator.sizes)):
        start, end = (int(place) for place in evaluator.offsets[tensor : tensor + 2])
        if start == end:
            continue
        if end - start > 1:
            jobs += [evaluator.direction(start, end, row) for row in rows]
        places = _coordinates(size[start:end], coordinates, random)
        jobs.append(evaluator.coordinates(start + places))
    return Jobs.join(jobs)


def _coordinates(
    size: np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    if count >= len(size):
        return np.arange(len(size))
    if count < 1:
        return np.arange(0)
    chosen = [int(np.argmax(size))]
    # Where all are zero, the largest is one of them.
    zeros = np.setdiff1d(np.flatnonzero(size == 0), chosen)
    if len(zeros) and count > 1:
        chosen.append(int(random.choice(zeros)))
    for place in random.permutation(len(size))[: count + 2]:
        if len(chosen) < count and int(place) not in chosen:
            chosen.append(int(place))
    return np.array(chosen)
