"""The weight files of a trial."""

import os
from typing import Any

_BEST = "checkpoint.weights.h5"  # KerasTuner's name
_LAST = "last.weights.h5"


class TrialWeights:
    """Where the weights of a trial and of its executions lie.

    Args:
        directory: The trial's directory.
        executions: Trainings of one trial, int >= 1.
        keep_last: Whether the last weights are kept beside the best.
    """

    def __init__(self, directory: str, executions: int = 1, keep_last: bool = False):
        self._folder = directory
        self._executions = executions
        self._names = (_BEST, _LAST) if keep_last else (_BEST,)

    @property
    def best(self) -> str:
        """The weights of the trial's best epoch."""
        return os.path.join(self._folder, _BEST)

    @property
    def last(self) -> str:
        """The weights of the trial's last epoch."""
        return os.path.join(self._folder, _LAST)

    def of_execution(self, execution: int) -> list[str]:
        """Where one execution puts its best and, if they are kept, last weights."""
        prefix = "" if self._executions == 1 else f"execution_{execution + 1}."
        return [os.path.join(self._folder, prefix + name) for name in self._names]

    def keep(self, chosen: int) -> None:
        """Leaves the files of one execution as those of the trial."""
        if self._executions == 1:
            return
        for execution in range(self._executions):
            for path, name in zip(
                self.of_execution(execution), self._names, strict=True
            ):
                if execution == chosen and os.path.exists(path):
                    os.replace(path, os.path.join(self._folder, name))
                elif os.path.exists(path):
                    os.remove(path)


def load_weights(model: Any, path: str, build_config: Any) -> None:
    """Loads weights and optimizer state, also into a model that is not built yet."""
    if not model.built:
        model.build_from_config(_with_tuples(build_config))
        # Keras builds the layers of a subclassed model, but does not say so.
        model.built = True
    # Without its variables the optimizer's state in the file would be skipped.
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    model.load_weights(path)


def _with_tuples(config: Any) -> Any:
    """Shapes as tuples again, which JSON has made lists of."""
    if isinstance(config, dict):
        return {key: _with_tuples(value) for key, value in config.items()}
    if isinstance(config, list):
        return tuple(_with_tuples(value) for value in config)
    return config
