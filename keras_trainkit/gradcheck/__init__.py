"""Gradients checked against finite differences: kinks, noise and causes included."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.gradcheck.check import gradcheck
from keras_trainkit.gradcheck.result import Entry, GradientCheck

__all__ = ["Entry", "GradientCheck", "gradcheck"]
