"""Any Keras optimizer is run, judged, and left as it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.testbed.batch import Batch
from keras_trainkit.testbed.candidates import candidates
from keras_trainkit.testbed.descent import one_by_one, together
from keras_trainkit.testbed.elementwise import is_elementwise
from keras_trainkit.testbed.reference import RATES

FEW = ("none", "additive 0.1")
KERAS = keras.optimizers


def few(shape="abs", **choice):
    return tk.testbed.problems(shape, noise=FEW, **choice)


def quiet(optimizers, problems=None, **options):
    return tk.testbed.run(
        optimizers, problems or few(), seeds=4, steps=30, verbose=False, **options
    )


class Timid(KERAS.SGD):
    """Refuses long gradients."""

    def update_step(self, gradient, variable, learning_rate):
        short = tf.debugging.assert_less(
            tf.abs(gradient), tf.constant(5.0, gradient.dtype), message="too long"
        )
        with tf.control_dependencies([short]):
            super().update_step(gradient, variable, learning_rate)


class Broken(KERAS.SGD):
    def update_step(self, gradient, variable, learning_rate):
        raise RuntimeError("no such thing")


def valley(x):
    a, b = tf.unstack(x, axis=1)
    return (1 - a) ** 2 + 10 * (b - a * a) ** 2


MADE = {
    "SGD": lambda: tk.optimizers.SGD(0.1),
    "schedule": lambda: tk.optimizers.Momentum(
        tk.schedules.InverseTimeDecay(0.5, 0.1), tk.schedules.Linear(0.5, 0.9, 20)
    ),
    "Adam": lambda: tk.optimizers.Adam(0.1, clipvalue=1.0, weight_decay=0.01),
    "accumulating": lambda: KERAS.Adam(0.1, gradient_accumulation_steps=3),
    "averaging": lambda: KERAS.SGD(0.1, use_ema=True, ema_momentum=0.9),
    "Ftrl": lambda: KERAS.Ftrl(0.1),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.slow if name in ("SGD", "averaging", "Ftrl") else (),
        )
        for name in MADE
    ],
)
def test_all_at_once_is_one_by_one(name):
    problems = [*few(["abs", "cliff"], scale="steep"), tk.testbed.Problem("relu-bend")]
    batch = Batch(problems, range(2), 10)
    assert is_elementwise(MADE[name])
    at_once, stayed = together(MADE[name](), batch)
    last, valid, failures = one_by_one(MADE[name], batch)
    np.testing.assert_allclose(at_once, last, rtol=1e-14)
    np.testing.assert_array_equal(stayed, valid)
    assert not failures


@pytest.mark.parametrize(
    "make",
    [
        lambda: KERAS.SGD(0.1, clipnorm=1.0),
        lambda: tk.optimizers.Adam(0.1, global_clipnorm=1.0),
        lambda: KERAS.Lamb(0.1),
    ],
    ids=["clipnorm", "global_clipnorm", "Lamb"],
)
def test_rule_that_looks_at_other_elements_is_found_out(make):
    assert not is_elementwise(make)


def test_clipping_by_norm_takes_a_problem_as_a_whole():
    problem = tk.testbed.Problem(["line", "line"], scale=["steep", "normal"])
    frame = quiet(tk.optimizers.SGD(0.1, clipnorm=1.0), [problem]).to_frame()
    # Each step is 0.1 long, along the slopes -10 and -1.
    step = 0.1 * np.array([10, 1]) / np.hypot(10, 1)
    expected = 400 - 30 * (10 * step[0] + step[1])
    assert frame["score"][0] == pytest.approx(expected, rel=1e-6)


def test_scores_are_those_of_a_loop_in_numpy():
    problem = tk.testbed.Problem("quad_bowl", "additive 0.1")
    frame = quiet(tk.optimizers.Momentum(0.125, 0.5), [problem]).to_frame()
    scores = []
    for seed in range(4):
        summands = problem.generator(1, seed).standard_normal(30) * 0.1
        x = v = 0.0
        for summand in summands:
            v = 0.5 * v - 0.125 * (2 * (x - 0.5) + summand)
            x += v
        scores.append(200 - 0.25 + (x - 0.5) ** 2)
    assert frame["score"][0] == pytest.approx(np.median(scores), rel=1e-12)


def test_gradient_descent_is_never_better_than_itself():
    rates = [float(rate) for rate in RATES[-12::3]]
    problems = tk.testbed.problems(scale=["normal", "saddle"], noise=FEW)
    frame = tk.testbed.compare(
        KERAS.SGD, rates, problems, seeds=4, steps=30, verbose=False
    ).to_frame()
    assert (frame["progress"].dropna() <= 1 + 1e-4).all()
    assert not frame["grade"].eq("far better").any()


def test_optimizer_that_raises_fails_with_its_reason_and_the_rest_goes_on():
    result = quiet({"timid": Timid(0.01), "broken": Broken(0.1), "fine": "sgd"})
    frame = result.to_frame().set_index(["optimizer", "test"])
    timid = frame.loc["timid"]
    steep = timid["scale"].eq("steep")
    assert timid["grade"][steep].eq("raised").all()
    assert timid["reason"][steep].str.contains("too long").all()
    assert timid["grade"][~steep].ne("raised").all()
    assert frame.loc["broken", "reason"].eq("RuntimeError: no such thing").all()
    assert frame.loc["fine", "verdict"].eq("pass").any()
    assert result.pass_rates()["raised"].to_dict() == {
        "timid": 0.25,
        "broken": 1.0,
        "fine": 0.0,
    }


def test_divergence_fails_with_its_reason():
    frame = quiet(KERAS.SGD(50.0), few(["cliff", "quad_bowl"], scale="steep"))
    frame = frame.to_frame()
    bowl = frame[frame["shape"].eq("quad_bowl")]
    assert bowl["grade"].eq("diverged").all()
    assert bowl["reason"].eq("4 of 4 runs diverged").all()
    assert bowl["score"].isna().all()
    assert frame["shape"].eq("cliff").any()
    assert frame["verdict"].eq("fail").all()


def test_optimizer_that_is_passed_stays_as_it_is():
    optimizer = tk.optimizers.Adam(0.1)
    quiet(optimizer)
    assert not optimizer.built
    assert int(optimizer.iterations) == 0


def test_own_function_is_a_test_like_others():
    own = tk.testbed.FunctionProblem("valley", valley, [-1.0, 1.0])
    result = quiet([tk.optimizers.Adam(0.1), KERAS.SGD(0.1, clipnorm=1.0)], [own])
    frame = result.to_frame()
    assert frame["family"].eq("own").all()
    assert frame["start"].eq(4.0).all()
    assert frame["progress"].between(0, 2).all()


def test_labels_tell_rule_rate_and_options():
    tested = candidates(
        [tk.optimizers.Adam(0.1), KERAS.Adam(0.1), KERAS.SGD(0.1, momentum=0.9), "sgd"]
        + [tk.optimizers.SGD(tk.schedules.InverseTimeDecay(1.0, 0.1))] * 2,
    )
    assert [one.label for one in tested] == [
        "Adam(0.1)",
        "keras.Adam(0.1)",
        "keras.SGD(0.1, momentum=0.9)",
        "keras.SGD(0.01)",
        "SGD(InverseTimeDecay)",
        "SGD(InverseTimeDecay) (2)",
    ]


def test_nothing_to_compare_with_is_dropped_or_said():
    hopeless = tk.testbed.Problem("bend")  # no gradient at the start
    result = quiet("sgd", [hopeless, *few()])
    assert result.dropped == (hopeless.name,)
    assert hopeless.name not in set(result.to_frame()["test"])
    with pytest.raises(ValueError, match="On none of the `problems`"):
        quiet("sgd", [hopeless])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([],), "`optimizers` must hold at least one"),
        (("fast",), "An optimizer must be a Keras optimizer"),
        ((3,), "An optimizer must be a Keras optimizer"),
        (("sgd", ["abs"]), "`problems` must be a sequence of Problem"),
        (("sgd", few()[:1] * 2), "must have a name of its own"),
    ],
)
def test_bad_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        tk.testbed.run(*arguments, verbose=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sgd", "0.1"), "`rates` must be several rates"),
        (("sgd", []), "`rates` must hold at least one"),
        (("sgd", [0.1, -1]), "`rates` must be a finite number > 0"),
        ((3,), "A rule must be a Keras optimizer"),
        ((lambda rate: rate,), "must return a Keras optimizer"),
        (
            (tk.optimizers.SGD(tk.schedules.InverseTimeDecay(1.0, 0.1)),),
            "pass a callable of the rate",
        ),
    ],
)
def test_bad_argument_of_compare_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        tk.testbed.compare(*arguments, problems=few(), verbose=False)


def test_seeds_and_steps_are_checked():
    with pytest.raises(ValueError, match="`seeds` must be an integer >= 1"):
        tk.testbed.run("sgd", few(), seeds=0, verbose=False)
    with pytest.raises(ValueError, match="`steps` must be an integer >= 1"):
        tk.testbed.run("sgd", few(), steps=1.5, verbose=False)


@pytest.mark.parametrize("returned", [tf.reduce_sum, lambda x: x[0], lambda x: None])
def test_a_function_must_return_one_value_a_point(returned):
    problem = tk.testbed.FunctionProblem("own", returned, [1.0, 2.0])
    with pytest.raises(ValueError, match="one value for each point"):
        tk.testbed.run("sgd", [problem], verbose=False)
