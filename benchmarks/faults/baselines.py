"""What others would say of the same records: re-implemented from published thresholds.

A record holds norms and shares where these tools read whole tensors, so that some
thresholds are translated; where the translation loses something it is said.
"""

import numpy as np

from keras_trainkit.diagnosis import Course


def sagemaker(record):
    """Rules of the SageMaker Debugger, with its default thresholds.

    Loss not falling by 0.1 % in any ten steps; tensors that are not finite; validation
    10 % worse than training; updates above 10 or below 1e-8 of the weights; more than
    half of a layer's units dead; a gradient of mean size below 1e-7 (here its norm).
    """
    course = Course(record)
    found = []
    if course.first_nonfinite or not np.isfinite(course.values("loss")).all():
        found.append("numerical")
    losses = course.losses[::10]
    if len(losses) > 1 and (losses[1:] > 0.999 * losses[:-1]).any():
        found.append("underfitting")
    validation, training = course.last("val_loss"), course.last("epoch_loss")
    if training > 0 and (validation - training) / training > 0.1:
        found.append("overfitting")
    ratios = [values for _, values in course.update_ratios.values()]
    if any((one > 10).any() or (one[one > 0] < 1e-8).any() for one in ratios):
        found.append("learning rate")
    if any(values[-1] > 0.5 for values in course.dead.values()):
        found.append("activation")
    if any((values < 1e-7).any() for _, values in course.gradient_norms.values()):
        found.append("initialisation")
    return found


def deep_diagnosis(record):
    """Symptoms of DeepDiagnosis, with its published thresholds.

    70 % of a layer's outputs at zero or below (here exactly zero); more than half of
    its outputs saturated; the loss equal five times; a gradient below 1e-7; NaN;
    rate times gradient over weights outside 1e-5 to 1e-1; inputs outside -1 to 1;
    targets outside the range of the output.
    """
    course = Course(record)
    found = []
    if course.first_nonfinite or not np.isfinite(course.values("loss")).all():
        found.append("numerical")
    zero = [course.arrays(one)[2] for one in course.select("zero_fraction")]
    if any((values >= 0.7).any() for values in zero):
        found.append("activation")
    bounds = [course.arrays(one)[2] for one in course.select("saturated_fraction")]
    if any((values > 0.5).any() for values in bounds):
        found.append("activation")
    losses = course.losses
    if len(losses) > 5 and any(
        np.ptp(losses[place : place + 5]) == 0 for place in range(len(losses) - 5)
    ):
        found.append("underfitting")
    if any((values < 1e-7).any() for _, values in course.gradient_norms.values()):
        found.append("initialisation")
    rate = course.last("learning_rate")
    for layer, (_, gradients) in course.gradient_norms.items():
        weights = course.weight_norms[layer][1]
        ratio = rate * gradients[: len(weights)] / np.maximum(weights, 1e-12)
        if ((ratio < 1e-5) | (ratio > 1e-1)).any():
            found.append("learning rate")
    if course.last("input_low") < -1 or course.last("input_high") > 1:
        found.append("data")
    low, high = course.last("target_low"), course.last("target_high")
    if course.task.get("activation") in ("sigmoid", "tanh") and (
        high > 1 or low < (0 if course.task["activation"] == "sigmoid" else -1)
    ):
        found.append("loss or output")
    return found
