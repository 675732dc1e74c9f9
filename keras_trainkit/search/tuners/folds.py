"""The same data, each part once for validation."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.search.engine.outcome import Outcome

_NAMES = ("x", "y", "sample_weight")


class Folds:
    """Cuts the arrays of `fit` into parts that every trial shares.

    Args:
        fit_args: Positional arguments of `fit`; only `x` and `y`.
        fit_kwargs: Named arguments of `fit`.
        folds: Number of parts, int >= 2.

    Raises:
        ValueError: If the data are no arrays of one length or come with validation
            data of their own.
    """

    def __init__(
        self,
        fit_args: Sequence[Any],
        fit_kwargs: Mapping[str, Any],
        folds: int,
    ) -> None:
        for name in ("validation_data", "validation_split"):
            if fit_kwargs.get(name):
                raise ValueError(
                    f"`{name}` must be left out with `folds`, which validates on the "
                    f"parts of the data. {received(name, '...')}"
                )
        if len(fit_args) > 2:
            raise ValueError(
                "`search` must get no more than x and y by position with `folds`. "
                + received("arguments", len(fit_args))
            )
        given = dict(zip(_NAMES, fit_args, strict=False))
        given |= {name: fit_kwargs[name] for name in _NAMES if name in fit_kwargs}
        self._data = {
            name: keras.tree.map_structure(_as_array, value)
            for name, value in given.items()
            if value is not None
        }
        leaves = keras.tree.flatten(self._data)
        lengths = sorted({len(leaf) for leaf in leaves})
        if "x" not in self._data or len(lengths) != 1 or lengths[0] < folds:
            raise ValueError(
                f"`x` and `y` must be arrays of one length, {folds} rows at least. "
                + received("lengths", lengths)
            )
        self._count, self._length = folds, lengths[0]
        self.deal(0)

    def deal(self, seed: int) -> None:
        """Deals the rows to the parts, always alike for the same seed."""
        order = np.random.default_rng(seed).permutation(self._length)
        self._parts = [np.sort(part) for part in np.array_split(order, self._count)]

    def fit_arguments(
        self, fold: int, fit_kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of `fit` for one fold.

        Args:
            fold: Which part validates, from 0.
            fit_kwargs: Named arguments as given to `search`.
        """
        rest = [part for index, part in enumerate(self._parts) if index != fold]
        train = self._rows(np.sort(np.concatenate(rest)))
        held_out = self._rows(self._parts[fold])
        kwargs = {name: one for name, one in fit_kwargs.items() if name not in _NAMES}
        kwargs["validation_data"] = tuple(
            held_out.get(name)
            for name in _NAMES[: 3 if "sample_weight" in train else 2]
        )
        return (), kwargs | train

    def _rows(self, rows: np.ndarray) -> dict[str, Any]:
        return keras.tree.map_structure(lambda leaf: leaf[rows], self._data)


def fold_outcome(outcomes: Sequence[Outcome], objective: Any) -> Outcome:
    """The mean over the folds, and the objective of each fold beside it.

    Args:
        outcomes: One a fold, each at its best epoch.
        objective: The `keras_tuner.Objective` of the search.
    """
    mean = Outcome(
        {name: float(np.mean([one[name] for one in outcomes])) for name in outcomes[0]},
        int(np.mean([one.step for one in outcomes])),
    )
    for index, outcome in enumerate(outcomes):
        mean[f"{objective.name}_fold_{index + 1}"] = outcome[objective.name]
    return mean


def _as_array(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    if array.ndim == 0:
        raise ValueError(
            "`x` and `y` must be arrays, to be cut into `folds`. "
            + received("type", type(leaf).__name__)
        )
    return array
