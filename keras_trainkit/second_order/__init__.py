"""Methods of second order: the full loss, its curvature, no learning rate."""

from keras_trainkit.second_order.gradient_source import GradientSource
from keras_trainkit.second_order.minimization import Minimization
from keras_trainkit.second_order.minimize import minimize
from keras_trainkit.second_order.objective import Objective

__all__ = ["GradientSource", "Minimization", "Objective", "minimize"]
