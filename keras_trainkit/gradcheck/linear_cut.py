"""A fast way to perturb every entry of a kernel or bias: cut the graph behind it.

A layer's kernel enters one linear operation. Moving one entry moves that
operation's output along a known direction, so the graph before it need not be
evaluated again, and the graph behind it is evaluated for many entries at once.
"""

import dataclasses
import time
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.gradcheck.evaluator import Evaluator, Jobs

BYTES = 2**24  # of perturbed outputs at a time
WORTH = 0.12  # seconds that a cut must save, about what its own trace costs
FEWEST = 200  # coordinates of one tensor below which no cut is considered


@dataclasses.dataclass
class LinearCut:
    """One kernel or bias behind which the graph is cut.

    Args:
        features: What each row of the kernel is multiplied with, `(rows, places)`.
        output: The linear operation's output, shape `(..., columns)`.
        behind: Maps batches of outputs, rows, columns and moves to the terms.
    """

    features: np.ndarray
    output: np.ndarray
    behind: Any

    def losses(self, entries: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """Evaluates the terms with one entry moved at a time.

        Args:
            entries: Flat positions in the tensor, shape `(n,)`.
            moves: Signed moves of them, shape `(n,)`.

        Returns:
            Terms, shape `(n, terms)`.
        """
        columns = self.output.shape[-1]
        chunk = max(8, BYTES // (8 * self.output.size))
        features = tf.constant(self.features)
        output = tf.constant(self.output.reshape(-1, columns))
        results = []
        for start in range(0, len(entries), chunk):
            part = entries[start : start + chunk]
            results.append(
                self.behind(
                    features,
                    output,
                    tf.constant(part // columns),
                    tf.constant(part % columns),
                    tf.constant(moves[start : start + chunk]),
                ).numpy()
            )
        return np.concatenate(results)


def first_losses(evaluator: Evaluator, jobs: Jobs, steps: np.ndarray) -> np.ndarray:
    """Evaluates the terms of jobs at their steps, through cuts where they pay.

    Args:
        evaluator: What is evaluated.
        jobs: The directions, `n` of them.
        steps: Signed steps along them, shape `(n, m)`.

    Returns:
        Terms, shape `(n, m, terms)`.
    """
    starts, single = jobs.start, jobs.single
    owner: Any = np.searchsorted(evaluator.offsets, starts, side="right") - 1
    counts = np.bincount(owner[single], minlength=len(evaluator.sizes))
    wanted = np.flatnonzero(counts >= FEWEST).tolist()
    if wanted:
        cost = _seconds(evaluator, jobs[:8], steps[:8]) * steps.shape[1]
        wanted = [tensor for tensor in wanted if counts[tensor] * cost > WORTH]
    cuts = _checked_cuts(evaluator, wanted) if wanted else {}
    quick = single & np.isin(owner, list(cuts))
    slow = np.flatnonzero(~quick)
    terms = np.empty((len(jobs), steps.shape[1], len(evaluator.problem.term_names)))
    if len(slow):
        terms[slow], _ = evaluator.losses(jobs[slow], steps[slow])
    for tensor, cut in cuts.items():
        rows = np.flatnonzero(quick & (owner == tensor))
        entries: Any = np.repeat(
            starts[rows] - evaluator.offsets[tensor], steps.shape[1]
        )
        terms[rows] = cut.losses(entries, steps[rows].ravel()).reshape(
            len(rows), steps.shape[1], -1
        )
    return terms


def _seconds(evaluator: Evaluator, jobs: Jobs, steps: np.ndarray) -> float:
    """Times one evaluation. The choice that hangs on it changes no number."""
    evaluator.losses(jobs, steps)
    begun = time.perf_counter()
    evaluator.losses(jobs, steps)
    return (time.perf_counter() - begun) / steps.size


def _checked_cuts(evaluator: Evaluator, wanted: list[int]) -> dict[int, LinearCut]:
    """Keeps the cuts that give what the whole function gives, at three entries."""
    if not evaluator.problem.double:
        return {}
    try:
        cuts = linear_cuts(evaluator, wanted)
    except (ValueError, TypeError, NotImplementedError, tf.errors.OpError):
        return {}
    kept = {}
    for tensor, cut in cuts.items():
        entries = np.array(
            [0, evaluator.sizes[tensor] // 2, evaluator.sizes[tensor] - 1]
        )
        places = evaluator.offsets[tensor] + entries
        jobs = evaluator.coordinates(places)
        whole, _ = evaluator.losses(jobs, np.full((3, 1), 1e-2))
        if np.allclose(
            cut.losses(entries, np.full(3, 1e-2)), whole[:, 0], 1e-12, 1e-300
        ):
            kept[tensor] = cut
    return kept


def linear_cuts(evaluator: Evaluator, wanted: list[int]) -> dict[int, LinearCut]:
    """Returns a cut for each wanted tensor that enters one linear operation only.

    Args:
        evaluator: What is evaluated, in float64.
        wanted: Positions of tensors.
    """
    parts: list[Any] = []

    def traced(flat: Any) -> Any:
        parts.extend(evaluator.split(flat))
        return tf.stack(evaluator.problem.terms(parts))

    # The public way to feed a tensor inside a traced graph.
    wrapped = tf.compat.v1.wrap_function(
        traced, [tf.TensorSpec([evaluator.total], tf.float64)]
    )
    point = tf.constant(evaluator.flat)
    cuts = {}
    for tensor in wanted:
        found = _linear_operation(parts[tensor])
        if found is None:
            continue
        features, output = found
        before = wrapped.prune(wrapped.inputs[0], [features, output])
        behind = wrapped.prune([wrapped.inputs[0], output], wrapped.outputs[0])
        rows, value = (one.numpy() for one in before(point))
        cuts[tensor] = LinearCut(
            rows.reshape(-1, rows.shape[-1]).T.copy(),
            value,
            _batched(behind, point, value.shape),
        )
    return cuts


def _batched(behind: Any, point: Any, shape: tuple[int, ...]) -> Any:
    kinds = ((2, tf.float64), (2, tf.float64), (1, tf.int64), (1, tf.int64))

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([None] * rank, kind) for rank, kind in kinds]
        + [tf.TensorSpec([None], tf.float64)],
    )
    def evaluate(
        features: Any, output: Any, rows: Any, columns: Any, moves: Any
    ) -> Any:
        along = tf.gather(features, rows) * moves[:, None]
        where = tf.one_hot(columns, shape[-1], dtype=tf.float64)
        moved = output[None] + along[:, :, None] * where[:, None, :]
        moved = tf.reshape(moved, [-1, *shape])
        return tf.vectorized_map(lambda one: behind(point, one), moved)

    return evaluate.get_concrete_function()


def _linear_operation(tensor: Any) -> tuple[Any, Any] | None:
    """Returns the features and the output of the only operation using `tensor`."""
    bias = tensor.shape.rank == 1
    size = tensor.shape.num_elements()
    while True:
        users = tensor.consumers()
        if len(users) != 1:
            return None
        (user,) = users
        passing = user.type == "Identity" or (
            bias and user.type == "Reshape" and user.outputs[0].shape[-1] == size
        )
        if not passing:
            break
        tensor = user.outputs[0]
    if not user.outputs or not user.outputs[0].shape.is_fully_defined():
        return None
    output = user.outputs[0]
    if bias:
        if user.type not in ("BiasAdd", "AddV2") or output.shape[-1] != size:
            return None
        layout = user.get_attr("data_format") if user.type == "BiasAdd" else b"NHWC"
        same = tensor.shape.num_elements() == tensor.shape[-1]
        if layout != b"NHWC" or not same or output.shape.rank < 2:
            return None
        with output.graph.as_default():
            return tf.ones_like(output[..., :1]), output
    if user.inputs[0] is tensor or user.inputs[1] is not tensor:
        return None
    source = user.inputs[0]
    if user.type == "MatMul":
        if user.get_attr("transpose_a") or user.get_attr("transpose_b"):
            return None
        return source, output
    if user.type == "Conv2D":
        return _patches(user, source, output)
    return None


def _patches(user: Any, source: Any, output: Any) -> tuple[Any, Any] | None:
    kernel = user.inputs[1].shape
    padding = user.get_attr("padding").decode()
    if (
        user.get_attr("data_format") != b"NHWC"
        or padding not in ("SAME", "VALID")
        or source.shape[-1] != kernel[2]
    ):
        return None
    with output.graph.as_default():
        patches = tf.image.extract_patches(
            source,
            sizes=[1, int(kernel[0]), int(kernel[1]), 1],
            strides=list(user.get_attr("strides")),
            rates=list(user.get_attr("dilations")),
            padding=padding,
        )
    return patches, output
