"""The optimizers of a model are found wherever it keeps them, and counted once."""

import keras
import numpy as np
import pytest

import keras_trainkit as tk
from keras_trainkit.keras_model.optimizers import (
    inner_of,
    inner_optimizer,
    optimizers_of,
    parts_of_optimizer,
    schedule_position,
    step_counter,
    steps_gathered,
    steps_per_update,
    updates_made,
)
from tests import models


def test_optimizers_in_attributes_lists_dicts_and_inner_models_are_found():
    model = models.compiled()
    inner = models.compiled()
    model.critic = inner
    model.several = [keras.optimizers.SGD(), {"one": keras.optimizers.Adam()}]
    found = optimizers_of(model)
    assert found[0] is model.optimizer
    wanted = [
        model.optimizer,
        inner.optimizer,
        model.several[0],
        model.several[1]["one"],
    ]
    assert {id(one) for one in found} == {id(one) for one in wanted}


def test_one_that_scales_the_loss_stands_for_the_one_inside():
    inside = keras.optimizers.SGD()
    scaled = keras.optimizers.LossScaleOptimizer(inside)
    model = models.compiled(optimizer=scaled)
    assert optimizers_of(model) == [scaled]
    assert inner_of(scaled) is inside
    assert parts_of_optimizer(scaled) == [scaled, inside]


@pytest.mark.parametrize(
    ("optimizer", "position"),
    [
        (lambda: keras.optimizers.SGD(gradient_accumulation_steps=2), 4),
        (lambda: tk.optimizers.SGD(gradient_accumulation_steps=2), 2),
        (lambda: keras.optimizers.SGD(), 5),
    ],
    ids=["of Keras", "an update rule", "without"],
)
def test_steps_updates_and_the_schedule_are_counted(optimizer, position):
    model = models.compiled(optimizer=optimizer)
    x, y = models.data(40)
    model.fit(x, y, batch_size=8, verbose=0)
    gathered = steps_per_update(model)
    assert int(step_counter(model.optimizer).numpy()) == 5
    assert updates_made(model.optimizer) == 5 // gathered
    assert schedule_position(model.optimizer) == position


def test_a_model_without_an_optimizer_has_none():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    assert optimizers_of(model) == []
    assert steps_per_update(model) == 1
    assert np.isfinite(steps_per_update(model))


def test_of_no_optimizer_one_step_makes_an_update():
    inside = keras.optimizers.SGD(gradient_accumulation_steps=3)
    scaled = keras.optimizers.LossScaleOptimizer(inside)
    assert [steps_gathered(one) for one in (inside, scaled)] == [3, 3]
    assert steps_gathered(keras.optimizers.SGD()) == steps_gathered(None) == 1
    assert inner_optimizer(models.compiled(optimizer=scaled)) is inside
    assert inner_optimizer(keras.layers.Dense(1)) is None
