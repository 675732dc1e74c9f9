"""A fast way to perturb every entry of a kernel or bias: cut the graph behind it.

A layer's kernel enters one linear operation. Moving one entry moves that
operation's output along a known direction, so the graph before it need not be
evaluated again, and the graph behind it is evaluated for many entries at once.
"""

import dataclasses
import functools
import time
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.gradcheck.elementwise import Chain, carry, follow
from keras_trainkit.gradcheck.evaluator import Evaluator, Jobs

BYTES = 2**24  # of perturbed outputs at a time
WORTH = 0.06  # seconds that a cut must save; its own trace costs about 0.1
FEWEST = 200  # coordinates of one tensor below which no cut is considered


@dataclasses.dataclass
class LinearCut:
    """One kernel or bias behind which the graph is cut.

    Args:
        features: What each row of the kernel is multiplied with, `(rows, places)`.
        output: The linear operation's output, shape `(places, columns)`.
        base: The tensor at the cut, shape `(places, units)`: that output, or the
            next product's if only elementwise operations lie between.
        behind: Maps a base and outer products added to it to the terms.
        carried: Maps batches of outputs through what lies between; `None` if the
            cut is at the output itself.
        kernel: The next product's kernel, shape `(columns, units)`, or `None`.
    """

    features: np.ndarray
    output: np.ndarray
    base: np.ndarray
    behind: Any
    carried: Any = None
    kernel: np.ndarray | None = None

    def losses(self, entries: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """Evaluates the terms with one entry moved at a time.

        Args:
            entries: Flat positions in the tensor, shape `(n,)`.
            moves: Signed moves of them, shape `(n,)`.

        Returns:
            Terms, shape `(n, terms)`.
        """
        chunk = max(8, BYTES // (8 * self.base.size))
        base = tf.constant(self.base)
        results = []
        for start in range(0, len(entries), chunk):
            part = slice(start, start + chunk)
            along, where = self._products(entries[part], moves[part])
            results.append(
                self.behind(base, tf.constant(along), tf.constant(where)).numpy()
            )
        return np.concatenate(results)

    def _products(
        self, entries: np.ndarray, moves: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the two factors of each outer product that is added to the base."""
        width = self.output.shape[-1]
        rows, columns = entries // width, entries % width
        if self.carried is None or self.kernel is None:
            return self.features[rows] * moves[:, None], np.eye(width)[columns]
        # All columns are carried at once: one pass a row and move, not a job.
        sizes, place = np.unique(moves, return_inverse=True)
        keys, job = np.unique(rows * len(sizes) + place, return_inverse=True)
        shift = self.features[keys // len(sizes)] * sizes[keys % len(sizes)][:, None]
        moved = self.carried(tf.constant(self.output + shift[:, :, None])).numpy()
        moved -= self.carried(tf.constant(self.output)).numpy()
        return moved[job, :, columns], self.kernel[columns]


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
        parts.extend(evaluator.packing.split(flat))
        return tf.stack(evaluator.problem.terms(parts))

    # The public way to feed a tensor inside a traced graph.
    wrapped = tf.compat.v1.wrap_function(
        traced, [tf.TensorSpec([evaluator.total], tf.float64)]
    )
    point = tf.constant(evaluator.flat)
    cuts = {}
    # A kernel's product may be where the elementwise operations of another end.
    shared: dict[Any, Any] = {}
    for tensor in wanted:
        found = _linear_operation(parts[tensor])
        if found is None:
            continue
        features, output = found
        chain = follow(output)
        cut = output if chain is None else chain.output
        others = [] if chain is None else [o for o in chain.others if o is not None]
        extra = [] if chain is None else [chain.kernel, chain.output]
        before = wrapped.prune(wrapped.inputs[0], [features, output, *others, *extra])
        if cut.ref() not in shared:
            behind = wrapped.prune([wrapped.inputs[0], cut], wrapped.outputs[0])
            shared[cut.ref()] = _batched(behind, point, tuple(cut.shape))
        rows, value, *known = (one.numpy() for one in before(point))
        columns = value.shape[-1]
        kept = {
            "features": rows.reshape(-1, rows.shape[-1]).T.copy(),
            "output": value.reshape(-1, columns),
            "behind": shared[cut.ref()],
        }
        if chain is None:
            cuts[tensor] = LinearCut(base=kept["output"], **kept)
        else:
            kernel, base = known[-2:]
            carried = functools.partial(carry, chain, _spread(chain, known[:-2]))
            cuts[tensor] = LinearCut(base=base, carried=carried, kernel=kernel, **kept)
    return cuts


def _spread(chain: Chain, values: list[np.ndarray]) -> list[np.ndarray | None]:
    """Puts the known values at the operations that use them."""
    queue = list(values)
    return [None if other is None else queue.pop(0) for other in chain.others]


def _batched(behind: Any, point: Any, shape: tuple[int, ...]) -> Any:
    pair = tf.TensorSpec([None, None], tf.float64)

    @tf.function(autograph=False, input_signature=[pair, pair, pair])
    def evaluate(base: Any, along: Any, where: Any) -> Any:
        moved = base[None] + along[:, :, None] * where[:, None, :]
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
