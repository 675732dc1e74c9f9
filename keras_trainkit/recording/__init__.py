"""Measures taken inside the compiled train step; the callbacks are its users."""

import keras_trainkit.backend  # noqa: F401
