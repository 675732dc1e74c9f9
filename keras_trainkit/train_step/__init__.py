"""How anyone takes part in the compiled train step."""

import keras_trainkit.backend  # noqa: F401
