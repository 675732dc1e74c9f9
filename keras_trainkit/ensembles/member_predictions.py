"""What each member predicts, and the targets beside it."""

from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.ensembles.voting_model import VotingModel
from keras_trainkit.keras_model.batches import Batches, is_stream


class MemberPredictions:
    """Predictions of each distinct member of an ensemble for the same examples.

    Args:
        ensemble: The ensemble.
        x: Inputs as for `predict`: arrays, or a dataset or other iterable of
            batches.
        y: Targets; `None` if `x` yields them.
        output: Name or number of the output, if there are several.
        batch_size: Examples in a batch of arrays, int >= 1.

    Raises:
        ValueError: If there are no targets, or it is not clear which output.
    """

    def __init__(
        self,
        ensemble: VotingModel,
        x: Any,
        y: Any = None,
        output: Any = None,
        batch_size: int = 256,
    ) -> None:
        check_integer("batch_size", batch_size, minimum=1)
        apart = _Apart(ensemble)
        if y is None:
            predicted, y = _stream(apart, x)
        else:
            predicted = apart.predict(x, batch_size=batch_size, verbose=0)
        predicted = _of_members(predicted)
        steps = _steps(predicted[0])
        names = _names(ensemble, steps)
        index = _chosen(steps, names, output)
        self.kind = ensemble.kinds[index]
        self.predicted = np.stack([_one(each, steps[index]) for each in predicted])
        self.target = _target(y, steps[index], names[index])
        if len(self.target) != self.predicted.shape[1]:
            raise ValueError(
                f"`y` must have a row for each of the {self.predicted.shape[1]} rows "
                f"of `x`. {received('rows', len(self.target))}"
            )


class _Apart(keras.Model):
    """Predicts what each distinct member predicts."""

    def __init__(self, ensemble: VotingModel) -> None:
        super().__init__(name="members", autocast=False)
        self.ensemble = ensemble
        self.built = True

    def call(self, inputs: Any) -> list[Any]:
        self.ensemble.built = True  # what was not, its call builds
        return [
            keras.tree.map_structure(_at_least_single, output)
            for output in self.ensemble.call_members(inputs, training=False)
        ]


def _at_least_single(output: Any) -> Any:
    half = output.dtype in ("float16", "bfloat16")
    return keras.ops.cast(output, "float32") if half else output


def _of_members(predicted: Any) -> list[Any]:
    return list(predicted) if isinstance(predicted, list | tuple) else [predicted]


def _stream(apart: Any, x: Any) -> tuple[Any, Any]:
    """Predicts batch by batch: a dataset may give them in another order again."""
    if not is_stream(x):
        raise ValueError(f"`y` must be given with arrays. {received('y', None)}")
    predicted, targets = [], []
    for inputs, y, _ in Batches(x).each():
        if y is None:
            raise ValueError(f"`x` must yield pairs (x, y). {received('y', None)}")
        predicted.append(apart.predict_on_batch(inputs))
        targets.append(y)
    return _joined(predicted), _joined(targets)


def _joined(parts: list[Any]) -> Any:
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list | tuple) and any(
        hasattr(part, "shape") for part in keras.tree.flatten(value)
    )


def _steps(outputs: Any) -> list[Any]:
    """The key or place of each output, `None` of the only one."""
    paths = [path for path, _ in keras.tree.flatten_with_path(outputs)]
    return [path[0] if path else None for path in paths]


def _names(ensemble: VotingModel, steps: list[Any]) -> list[Any]:
    """What each output is called: its key, or the name that its model gives it."""
    names = getattr(ensemble, "output_names", None)
    if names is None or len(names) != len(steps):
        return steps
    pairs = zip(steps, names, strict=True)
    return [step if isinstance(step, str) else name for step, name in pairs]


def _chosen(steps: list[Any], names: list[Any], output: Any) -> int:
    if output is None and len(steps) == 1:
        return 0
    for known in (names, steps):
        if output is not None and output in known:
            return known.index(output)
    words = ", ".join(repr(name) for name in names)
    raise ValueError(f"`output` must be one of {words}. {received('output', output)}")


def _target(y: Any, step: Any, name: Any) -> np.ndarray:
    if not _is_nested(y):
        return np.asarray(y)
    if isinstance(y, dict) and step not in y:
        step = name
    try:
        return _one(y, step)
    except (KeyError, IndexError, TypeError):
        raise ValueError(
            f"`y` must have targets of the output {name!r}. "
            + received("y", list(y) if isinstance(y, dict) else f"{len(y)} arrays")
        ) from None


def _one(outputs: Any, step: Any) -> np.ndarray:
    return np.asarray(outputs if step is None else outputs[step])
