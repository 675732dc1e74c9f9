"""Tells what kind of mistake makes a gradient differ from its differences."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Sample:
    """Entries of one tensor with both derivatives.

    Args:
        places: Flat positions in the tensor, shape `(n,)`.
        shape: The tensor's shape.
        analytic: The claimed derivatives, shape `(n,)`.
        numeric: The measured derivatives, shape `(n,)`.
        wrong: Which entries disagree, shape `(n,)`.
        values: The entries of the tensor itself, shape `(n,)`.
        transposed: Measured derivatives at the transposed positions, or `None`.
    """

    places: np.ndarray
    shape: tuple[int, ...]
    analytic: np.ndarray
    numeric: np.ndarray
    wrong: np.ndarray
    values: np.ndarray
    transposed: np.ndarray | None = None


def likely_cause(sample: Sample, examples: int = 0) -> str:
    """Returns one sentence on the likeliest mistake.

    Args:
        sample: Entries of a tensor most of which disagree.
        examples: Rows of the batch, to recognise a mean taken for a sum.
    """
    analytic, numeric = sample.analytic, sample.numeric
    claimed, measured = np.linalg.norm(analytic), np.linalg.norm(numeric)
    if claimed <= 1e-9 * measured:
        return (
            "missing: the analytic gradient is zero where the loss does change "
            "(a stop_gradient, a detached value, a forgotten path)"
        )
    if measured <= 1e-9 * claimed:
        return (
            "surrogate: the loss does not change at all (rounding with a "
            "straight-through gradient, or a gradient that should be zero)"
        )
    for explain in (_factor, _transposed, _missing_term, _one_slice, _gaps):
        words = explain(sample, examples)
        if words:
            return words
    cosine = float(analytic @ numeric / (claimed * measured))
    return (
        f"dense mismatch: the two gradients have cosine {cosine:.4f} and the "
        f"lengths {claimed:.3g} (analytic) and {measured:.3g} (numeric); a missing "
        "term or a wrong derivative upstream"
    )


def few_entries(places: np.ndarray, shape: tuple[int, ...]) -> str:
    """Returns one sentence on a few wrong entries among many right ones.

    Args:
        places: Flat positions of the wrong entries, at least one.
        shape: The tensor's shape.
    """
    size = int(np.prod(shape))
    indices = np.stack(np.unravel_index(places, shape), axis=1)
    for axis in range(len(shape) if len(shape) > 1 else 0):
        slices = np.unique(indices[:, axis])
        if len(places) > 2 and len(slices) * size // shape[axis] == len(places):
            return (
                f"only indices {slices[:8].tolist()} of axis {axis} are wrong: a "
                "mask, a slice or a broadcast along that axis"
            )
    listed = ", ".join(str(tuple(int(i) for i in index)) for index in indices[:5])
    count = "one entry" if len(places) == 1 else f"{len(places)} entries"
    return f"{count} of {size} wrong: {listed}"


def transposed_places(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns where each entry of a matrix would come from had it been transposed."""
    if len(shape) != 2 or min(shape) < 2:
        return None
    rows, columns = shape
    return (places % rows) * columns + places // rows


def _factor(sample: Sample, examples: int) -> str:
    analytic, numeric = sample.analytic, sample.numeric
    factor = float(analytic @ numeric / (numeric @ numeric))
    rest = np.linalg.norm(analytic - factor * numeric)
    if rest > 0.05 * abs(factor - 1.0) * np.linalg.norm(numeric):
        return ""
    if abs(factor + 1.0) < 1e-3:
        return "sign: the analytic gradient is the negative of the numeric one"
    for known, words in (
        (float(examples), "a sum taken where the loss takes a mean"),
        (1.0 / max(examples, 1), "a mean taken where the loss takes a sum"),
    ):
        if examples > 1 and abs(factor / known - 1.0) < 1e-3:
            return (
                f"constant factor {factor:.6g}, the number of examples or its "
                f"inverse: {words} over the batch"
            )
    return (
        f"constant factor: the analytic gradient is {factor:.8g} times the numeric one"
    )


def _transposed(sample: Sample, examples: int) -> str:
    turned = sample.transposed
    if turned is None or not np.all(np.isfinite(turned)):
        return ""
    if np.linalg.norm(sample.analytic - turned) > 1e-3 * np.linalg.norm(turned):
        return ""
    return "transposed: each entry is the derivative of the transposed position"


def _missing_term(sample: Sample, examples: int) -> str:
    missing = sample.numeric - sample.analytic
    length = np.linalg.norm(missing)
    for shape, words in (
        (sample.values, "{:.4g} times the value itself, as an L2 penalty's"),
        (np.sign(sample.values), "{:.4g} times its sign, as an L1 penalty's"),
        (np.ones_like(missing), "the constant {:.4g}"),
    ):
        norm = np.linalg.norm(shape)
        if len(missing) < 3 or norm == 0 or np.ptp(sample.values) == 0:
            continue
        weight = float(missing @ shape / norm**2)
        if np.linalg.norm(missing - weight * shape) < 1e-3 * length:
            return f"missing term: what is missing is {words.format(weight)}"
    return ""


def _one_slice(sample: Sample, examples: int) -> str:
    if len(sample.shape) < 2 or sample.wrong.sum() < 3:
        return ""
    for axis, index in enumerate(np.unravel_index(sample.places, sample.shape)):
        index = np.asarray(index)
        wrong = np.unique(index[sample.wrong])
        right = np.unique(index[~sample.wrong])
        if not np.intersect1d(wrong, right).size and 0 < len(wrong) <= len(right):
            return (
                f"only indices {wrong[:8].tolist()} of axis {axis} are wrong: a "
                "mask, a slice or a broadcast along that axis"
            )
    return ""


def _gaps(sample: Sample, examples: int) -> str:
    zero = sample.wrong & (sample.analytic == 0)
    if not zero.any() or zero.sum() < 0.9 * sample.wrong.sum():
        return ""
    return (
        "entries missing: the analytic gradient is zero at wrong entries only, "
        "the others agree: a mask, a padding or an indexing mistake"
    )
