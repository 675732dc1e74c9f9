"""Weights and optimizer of a training on a cluster, kept in one file."""

import os
import zipfile
from typing import Any

import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.files import whole_file


class Checkpoint:
    """A file of plain arrays that is either the old or the new one.

    Args:
        path: Where it is kept, `None` for nowhere.
        model: The model whose weights, states and optimizer it holds.
    """

    def __init__(self, path: str | os.PathLike[str] | None, model: Any) -> None:
        self.path = None if path is None else os.fspath(path)
        self._model = model

    def save(self) -> None:
        """Replaces the file as a whole: a kill at any point leaves the old one."""
        if self.path is None:
            return
        arrays = [variable.numpy() for variable in state_of(self._model)]
        with whole_file(self.path) as beside, open(beside, "wb") as file:
            np.savez(file, *arrays)

    def restore(self) -> bool:
        """Puts the file's values into the model.

        Returns:
            Whether there was a file.

        Raises:
            ValueError: If the file is damaged or of another model.
        """
        if self.path is None or not os.path.exists(self.path):
            return False
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = [file[f"arr_{place}"] for place in range(len(file.files))]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(
                f"`checkpoint` is damaged ({error}). Delete it to begin anew. "
                + received("checkpoint", self.path)
            ) from error
        variables = state_of(self._model)
        shapes = [array.shape for array in arrays]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise ValueError(
                "`checkpoint` must be of the same model and optimizer; its "
                f"{len(shapes)} arrays do not fit this model's {len(variables)}. "
                + received("checkpoint", self.path)
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return True


def state_of(model: Any) -> list[Any]:
    """Weights, states of layers and of the optimizer, in a fixed order."""
    return [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *model.optimizer.variables,
    ]
