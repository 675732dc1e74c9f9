import types

import numpy as np
import pytest
from scipy import stats

from keras_trainkit.search import edge_warnings, log_uniform, momentum
from keras_trainkit.search.ranges.edges import (
    count_best,
    places_of,
    present_space,
    probability,
    rank,
    warning_lines,
)
from tests.search.stand_in import space_of, tuner_of


def rate(hp):
    log_uniform(hp, "learning_rate", 1e-6, 1e1)


def search(score, declare=rate, trials=30, direction="min", seed=0):
    """Random trials of one rate in log space; `score` is a function of its log10."""
    generator = np.random.default_rng(seed)
    logarithms = generator.uniform(-6, 1, trials)
    rows = [({"learning_rate": 10**one}, score(one)) for one in logarithms]
    return tuner_of(declare, rows, direction)


def test_edge_at_the_upper_end_is_found_in_log_space():
    (finding,) = edge_warnings(search(lambda one: -one))
    assert finding.where == "learning_rate"
    assert "upper end" in finding.message
    assert "log space" in finding.message
    assert finding.severity == "warning"
    assert finding.confidence > 0.99
    assert finding.evidence["trials"] == 30
    assert finding.evidence["best trials"] == 6
    assert finding.advice == "Search on with a wider range: 1e-06 to 2000."


def test_edge_at_the_lower_end_is_found_when_more_is_better():
    (finding,) = edge_warnings(search(lambda one: -one, direction="max"))
    assert "lower end" in finding.message
    assert "5e-09 to 10" in finding.advice


@pytest.mark.parametrize("optimum", [-4.5, -3.5, -2.5, -1.5, -0.5])
def test_no_edge_where_the_best_lies_inside(optimum):
    assert not edge_warnings(search(lambda one: (one - optimum) ** 2, trials=40))


def test_no_edge_where_training_diverges_beyond_the_best():
    # The best lie right below the rates that fail, in the outer part of the range.
    def score(one):
        return np.inf if one > 0.4 else -one

    assert not edge_warnings(search(score, trials=60))


def test_one_best_trial_at_the_end_is_no_edge():
    rows = [
        ({"learning_rate": 10**one}, abs(one + 2)) for one in np.linspace(-6, 1, 30)
    ]
    rows[-1] = (rows[-1][0], -1.0)
    assert not edge_warnings(tuner_of(rate, rows))


def test_few_trials_say_nothing():
    assert not edge_warnings(search(lambda one: -one, trials=7))
    assert edge_warnings(search(lambda one: -one, trials=20))


@pytest.mark.parametrize(
    ("declare", "natural"),
    [
        (lambda hp: hp.Float("x", 0.0, 0.5), True),
        (lambda hp: hp.Float("x", 0.1, 0.5), False),
        (lambda hp: hp.Int("x", 1, 50), True),
        (lambda hp: hp.Int("x", 8, 50), False),
    ],
)
def test_an_end_that_nothing_lies_beyond_is_no_edge(declare, natural):
    generator = np.random.default_rng(0)
    rows = []
    for _ in range(40):
        hp = types.SimpleNamespace()
        space = tuner_of(declare, []).oracle.get_space().space[0]
        hp.x = space.prob_to_value(generator.random())
        rows.append(({"x": hp.x}, hp.x))
    assert bool(edge_warnings(tuner_of(declare, rows))) != natural


def test_upper_end_of_a_share_is_no_edge_at_one():
    generator = np.random.default_rng(0)
    rows = [({"x": value}, -value) for value in generator.random(40)]
    assert not edge_warnings(tuner_of(lambda hp: hp.Float("x", 0.0, 1.0), rows))
    halves = [({"x": values["x"] / 2}, score) for values, score in rows]
    (finding,) = edge_warnings(tuner_of(lambda hp: hp.Float("x", 0.0, 0.5), halves))
    assert finding.advice.endswith("0 to 0.75.")


def test_rising_choice_is_only_hinted_at():
    values = [0.5, 0.9, 0.95, 0.99] * 10
    rows = [
        ({"momentum": one}, -one + 1e-6 * place) for place, one in enumerate(values)
    ]
    (finding,) = edge_warnings(tuner_of(momentum, rows))
    assert finding.severity == "info"
    assert finding.advice == "Offer a further value, such as 0.998."
    assert "largest offered" in finding.message


@pytest.mark.parametrize(
    "declare",
    [
        lambda hp: hp.Choice("x", ["a", "b", "c"]),
        lambda hp: hp.Choice("x", [1, 2]),
        lambda hp: hp.Boolean("x"),
        lambda hp: hp.Fixed("x", 3),
        lambda hp: hp.Float("x", 2.0, 2.0),
    ],
)
def test_names_flags_and_single_values_have_no_ends(declare):
    space = tuner_of(declare, []).oracle.get_space().space[0]
    values = [space.random_sample(seed) for seed in range(40)]
    rows = [({"x": value}, float(place)) for place, value in enumerate(sorted(values))]
    assert edge_warnings(tuner_of(declare, rows)) == []


def test_hyperparameters_of_other_trials_do_not_count():
    # Active in half of the trials only, as inside a conditional scope.
    generator = np.random.default_rng(1)
    rows = []
    for index, one in enumerate(generator.uniform(-6, 1, 60)):
        values = {"learning_rate": 10**one} if index % 2 else {}
        rows.append((values, -one if values else -5.0))
    (finding,) = edge_warnings(tuner_of(rate, rows))
    assert finding.evidence["trials"] == 30


def test_probability_is_the_hypergeometric_tail():
    for trials, best, near, found in [(30, 6, 4, 3), (12, 3, 12, 2), (100, 10, 15, 9)]:
        expected = stats.hypergeom.sf(found - 1, trials, near, best)
        assert probability(trials, best, near, found) == pytest.approx(expected)
    assert probability(10, 3, 2, 0) == 1


@pytest.mark.parametrize(
    ("trials", "best"), [(0, 0), (7, 0), (8, 3), (20, 4), (50, 10), (500, 10)]
)
def test_best_trials_are_a_fifth_within_limits(trials, best):
    assert count_best(trials) == best


@pytest.mark.parametrize("hyperparameters", [1, 4, 8])
@pytest.mark.parametrize("trials", [10, 30, 100])
@pytest.mark.slow
def test_false_alarms_stay_below_the_chance_asked_for(trials, hyperparameters):
    # Scores that depend on nothing: whatever is found is false.
    generator = np.random.default_rng(trials + hyperparameters)

    def declare(hp):
        for index in range(hyperparameters):
            log_uniform(hp, f"h{index}", 1e-3, 1e3)

    searches = 200
    alarms = 0
    for _ in range(searches):
        places = 10 ** generator.uniform(-3, 3, (trials, hyperparameters))
        rows = [
            ({f"h{index}": one for index, one in enumerate(row)}, generator.random())
            for row in places
        ]
        alarms += bool(edge_warnings(tuner_of(declare, rows)))
    # 5 % asked for; three standard deviations of the count on top.
    assert alarms <= searches * 0.05 + 3 * np.sqrt(searches * 0.05 * 0.95)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tuner": 3}, "`tuner` must be a KerasTuner tuner. Received: tuner=3"),
        ({"chance": 0}, "`chance` must be a finite number > 0 and < 1"),
        ({"chance": 1.5}, "Received: chance=1.5"),
    ],
)
def test_edge_warnings_name_a_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        edge_warnings(**{"tuner": search(lambda one: one), **arguments})


def trial(score, status="COMPLETED", **values):
    hyperparameters = types.SimpleNamespace(values=values)
    return types.SimpleNamespace(
        score=score, status=status, hyperparameters=hyperparameters
    )


@pytest.mark.parametrize(
    ("direction", "order"), [("min", [-2.0, 0.5, 3.0]), ("max", [3.0, 0.5, -2.0])]
)
def test_rank_puts_what_has_no_finite_score_last_in_its_order(direction, order):
    trials = [
        trial(-9.0, "FAILED"),
        trial(0.5),
        trial(np.nan),
        trial(-9.0, "RUNNING"),
        trial(3.0),
        trial(np.inf),
        trial(-np.inf),
        trial(None),
        trial(9.0, "INVALID"),
        trial(-2.0),
        trial(9.0, "STOPPED"),
    ]
    ranked = rank(trials, direction)
    assert [one.score for one in ranked[:3]] == order
    assert ranked[3:] == [trials[place] for place in (0, 2, 5, 6, 7, 8)]


def test_places_are_those_of_the_trials_that_have_a_value():
    (hp,) = space_of(rate).space
    ranked = [
        trial(0.0, learning_rate=1e1),
        trial(0.0, other=1.0),
        trial(0.0, learning_rate=10**-2.5),
        trial(0.0, learning_rate=1e-6),
    ]
    assert places_of(hp, ranked) == pytest.approx([1.0, 0.5, 0.0])


def test_the_present_stage_stands_for_a_search_in_stages():
    tuner = search(lambda one: one, trials=3)
    space, trials = present_space(tuner.oracle)
    assert [hp.name for hp in space] == ["learning_rate"]
    assert trials == list(tuner.oracle.trials.values())
    tuner.oracle.present_stage = lambda: ("space", "trials")
    assert present_space(tuner.oracle) == ("space", "trials")


def test_lines_tell_of_ranges_and_not_of_hints():
    def declare(hp):
        rate(hp)
        hp.Choice("units", list(range(1, 11)))

    # The better the rate, the larger the units too.
    rows = [
        ({"learning_rate": 10**one, "units": 1 + round((one + 6) * 9 / 7)}, -one)
        for one in np.random.default_rng(0).uniform(-6, 1, 60)
    ]
    tuner = tuner_of(declare, rows)
    found = edge_warnings(tuner)
    assert {one.severity for one in found} == {"warning", "info"}
    (line,) = warning_lines(tuner)
    (warning,) = (one for one in found if one.severity == "warning")
    assert line == f"{warning.message} {warning.advice}"
