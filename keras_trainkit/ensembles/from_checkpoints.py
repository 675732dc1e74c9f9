"""Members from files: points of one training run, or of several."""

import os
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import check_flag, check_integer, received

_WEIGHTS = ".weights.h5"
_MODELS = (".keras", ".h5")


def members_from_checkpoints(
    paths: Any,
    members: int | None,
    build_model: Callable[[], keras.Model] | None,
    custom_objects: Any,
    skip_damaged: bool,
) -> list[keras.Model]:
    """Loads the members; see `Ensemble.from_checkpoints`."""
    check_flag("skip_damaged", skip_damaged)
    files = checkpoint_files(paths)
    if members is not None:
        check_integer("members", members, minimum=1)
    if build_model is None and any(file.endswith(_WEIGHTS) for file in files):
        raise ValueError(
            "`build_model` must be given for files of weights: they do not hold the "
            f"model. {received('build_model', None)}"
        )
    found: list[keras.Model] = []
    # The last first: of a run, the later points are wanted.
    for file in reversed(files):
        if members is not None and len(found) == members:
            break
        try:
            found.append(_load(file, build_model, custom_objects))
        except Exception as error:
            # What a damaged file raises is not known: OSError, BadZipFile, KeyError.
            words = f"Checkpoint '{file}' cannot be read: {error}"
            if not skip_damaged:
                raise ValueError(
                    f"{words} Pass `skip_damaged=True` to leave it out. "
                    + received("skip_damaged", skip_damaged)
                ) from error
            warnings.warn(f"Left out: {words}", stacklevel=3)
    if not found:
        raise ValueError(
            "`paths` must name a checkpoint that can be read. "
            + received("paths", paths)
        )
    if members is not None and len(found) < members:
        raise ValueError(
            f"`members` must be at most the {len(found)} checkpoints that can be read. "
            + received("members", members)
        )
    return found[::-1]


def checkpoint_files(paths: Any) -> list[str]:
    """Returns the files, those of a directory in the order of their numbers.

    Args:
        paths: A directory, a file, or a list of files, which keeps its order.

    Raises:
        ValueError: If there are none, or files of a directory are both whole models
            and weights.
    """
    if isinstance(paths, str | os.PathLike):
        path = os.fspath(paths)
        if not os.path.isdir(path):
            return [path]
        names = [
            name
            for name in os.listdir(path)
            # A hidden one may be what a killed run left half written.
            if name.endswith(_MODELS) and not name.startswith(".")
        ]
        weights = [name for name in names if name.endswith(_WEIGHTS)]
        if weights and len(weights) < len(names):
            raise ValueError(
                "`paths` must be a list of files where a directory holds both whole "
                f"models and weights. {received('paths', path)}"
            )
        files = [os.path.join(path, name) for name in sorted(names, key=_natural)]
    elif isinstance(paths, Sequence):
        files = [os.fspath(path) for path in paths]
    else:
        files = []
    if not files:
        raise ValueError(
            "`paths` must be a directory with files ending in .keras or .weights.h5, "
            f"or a list of such files. {received('paths', paths)}"
        )
    return files


def _natural(name: str) -> list[Any]:
    """Sorts epoch_9 before epoch_10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _load(file: str, build_model: Any, custom_objects: Any) -> keras.Model:
    if not os.path.exists(file):
        raise FileNotFoundError("there is no such file.")
    if file.endswith(_WEIGHTS):
        model = build_model()
        model.load_weights(file)
    else:
        model = keras.models.load_model(file, custom_objects=custom_objects)
    for weight in model.weights:
        values = np.asarray(weight)
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise ValueError(f"weight '{weight.path}' is not finite.")
    return model
