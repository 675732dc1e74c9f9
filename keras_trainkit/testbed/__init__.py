"""Unit tests for update rules: many small problems, each with one difficulty."""

from keras_trainkit.testbed.catalogue import problems
from keras_trainkit.testbed.drift import Drift
from keras_trainkit.testbed.noise import Noise
from keras_trainkit.testbed.problem import FunctionProblem, Problem
from keras_trainkit.testbed.result import Result
from keras_trainkit.testbed.run import compare, run
from keras_trainkit.testbed.scale import Scale

__all__ = [
    "Drift",
    "FunctionProblem",
    "Noise",
    "Problem",
    "Result",
    "Scale",
    "compare",
    "problems",
    "run",
]
