"""Methods of second order: the full loss, its curvature, no learning rate."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.second_order.gradient_source import GradientSource
from keras_trainkit.second_order.hessian import hessian, hessian_vector_product
from keras_trainkit.second_order.lbfgs_optimizer import LBFGS
from keras_trainkit.second_order.minimization import Minimization
from keras_trainkit.second_order.minimize import minimize
from keras_trainkit.second_order.objective import Objective
from keras_trainkit.second_order.spectrum import (
    Estimate,
    hessian_trace,
    top_eigenvalues,
)

__all__ = [
    "LBFGS",
    "Estimate",
    "GradientSource",
    "Minimization",
    "Objective",
    "hessian",
    "hessian_trace",
    "hessian_vector_product",
    "minimize",
    "top_eigenvalues",
]
