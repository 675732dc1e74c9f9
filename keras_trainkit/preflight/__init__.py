"""Checks before training: data, labels, loss, gradient, machine; one check a file."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.finding import Verdict
from keras_trainkit.preflight import checks
from keras_trainkit.preflight.checks import *  # noqa: F403
from keras_trainkit.preflight.run import Preflight, preflight
from keras_trainkit.preflight.subject import Subject, UnjudgedError

__all__ = [
    *checks.__all__,
    "Preflight",
    "Subject",
    "UnjudgedError",
    "Verdict",
    "preflight",
]
