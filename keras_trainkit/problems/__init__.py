"""A loss as a pure function of tensors, and its gradient."""

import keras_trainkit.backend  # noqa: F401
