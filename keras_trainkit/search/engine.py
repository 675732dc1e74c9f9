"""KerasTuner, the engine of the searches, or how to get it."""

try:
    import keras_tuner
    import tensorboard  # noqa: F401  KerasTuner needs it and does not say so
except ImportError as error:
    raise ImportError(
        "keras_trainkit.search needs KerasTuner and TensorBoard: "
        "pip install keras_trainkit[search]. "
        f"Missing: {error.name}"
    ) from error

__all__ = ["keras_tuner"]
