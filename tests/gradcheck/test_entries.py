"""Which places are compared, and what a report says of each."""

import types

import numpy as np
import pytest

from keras_trainkit.gradcheck.difference import Measured
from keras_trainkit.gradcheck.entries import make_entries, worst_first
from keras_trainkit.gradcheck.evaluator import Jobs
from keras_trainkit.gradcheck.result import Entry
from keras_trainkit.gradcheck.sampling import sample_jobs


class Places:
    """Tensors of some shapes, one after another, and jobs over them."""

    def __init__(self, **shapes):
        self.problem = types.SimpleNamespace(
            names=list(shapes), term_names=("data", "total")
        )
        self.shapes = list(shapes.values())
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]
        self.offsets = np.cumsum([0, *self.sizes])
        self.total = sum(self.sizes)
        self.branches = ["relu", "max"]

    def direction(self, start, end, row):
        whole = (np.array([one]) for one in (start, end, row))
        return Jobs(*whole, np.ones(1), np.ones(1))

    def coordinates(self, places):
        start = np.asarray(places, int).reshape(-1)
        ones = np.ones(len(start))
        return Jobs(start, start + 1, 0 * start, ones, ones)


EVALUATOR = Places(kernel=(2, 3), empty=(0, 4), scale=(), bias=(5,))


def jobs_of(gradient, evaluator=EVALUATOR, directions=2, coordinates=3, **options):
    options = {"joint": False, "seed": 0, **options}
    return sample_jobs(
        evaluator,
        np.array(gradient, float),
        directions=directions,
        coordinates=coordinates,
        **options,
    )


def spans(jobs):
    return list(
        zip(jobs.start.tolist(), jobs.end.tolist(), jobs.row.tolist(), strict=True)
    )


def test_joint_directions_go_over_all_tensors():
    jobs = jobs_of(np.zeros((1, 12)), joint=True, directions=3)
    assert spans(jobs) == [(0, 12, 1), (0, 12, 2), (0, 12, 3)]


def test_each_tensor_has_directions_and_coordinates_of_its_own():
    found = spans(jobs_of(np.ones((2, 12))))
    assert [one for one in found if one[2]] == [
        (0, 6, 1),
        (0, 6, 2),
        (7, 12, 1),
        (7, 12, 2),
    ]
    places = [start for start, _, row in found if not row]
    assert all(end - start == 1 for start, end, row in found if not row)
    # A number has one place and no direction, an empty tensor neither.
    assert [
        sum(low <= p < high for p in places) for low, high in ((0, 6), (6, 7), (7, 12))
    ] == [3, 1, 3]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("seed", range(12))
def test_the_largest_a_zero_and_others_are_chosen(seed):
    gradient = np.full((2, 12), 0.5)
    gradient[1, 4] = -9.0  # of either term
    gradient[:, 2] = 0.0
    gradient[0, 1] = 0.0  # the other term is not
    gradient[:, 7:] = 0.0
    found = [start for start, _, row in spans(jobs_of(gradient, seed=seed)) if not row]
    assert {4, 2} <= set(found)
    assert len(set(found)) == len(found) == 7
    assert (
        jobs_of(gradient, seed=seed).start.tolist()
        == jobs_of(gradient, seed=seed).start.tolist()
    )


@pytest.mark.parametrize(
    ("coordinates", "expected"), [(0, []), (1, [2]), (3, [0, 1, 2]), (9, [0, 1, 2])]
)
def test_as_many_places_are_chosen_as_there_are(coordinates, expected):
    jobs = jobs_of([[0.0, 1.0, -2.0]], Places(a=(3,)), coordinates=coordinates)
    assert [start for start, _, row in spans(jobs) if not row] == expected


def test_an_entry_names_its_tensor_its_place_and_its_term():
    jobs = Jobs.join(
        [
            EVALUATOR.direction(0, 6, 2),
            EVALUATOR.coordinates([6, 5, 11]),
            EVALUATOR.direction(7, 12, 1),
            EVALUATOR.direction(0, 12, 1),
        ]
    )
    shape = (6, 2)
    analytic = np.arange(12.0).reshape(shape)
    numeric = analytic + np.array([0.0, 1.0])
    crossed = np.full(shape, -1)
    crossed[1, 0], crossed[2, 1] = 0, 1
    verdict = np.full(shape, "ok", "<U4")
    verdict[5, 1] = "FAIL"
    steps = np.arange(12.0).reshape(shape) / 16
    found = make_entries(
        EVALUATOR,
        jobs,
        Measured(analytic, numeric, 2 * numeric, steps, crossed, verdict),
    )
    assert [(one.parameter, one.index) for one in found[::2]] == [
        ("kernel", "direction 2"),
        ("scale", ()),
        ("kernel", (1, 2)),
        ("bias", (4,)),
        ("bias", "direction 1"),
        ("all", "direction 1"),
    ]
    assert [one[:2] for one in found[1::2]] == [one[:2] for one in found[::2]]
    assert [one.term for one in found] == ["data", "total"] * 6
    assert [one.analytic for one in found] == list(range(12))
    assert [one.numeric for one in found] == numeric.ravel().tolist()
    assert [one.error_estimate for one in found] == (2 * numeric).ravel().tolist()
    assert [one.step for one in found] == steps.ravel().tolist()
    assert found[3].relative_error == pytest.approx(1 / 4)
    assert found[2].relative_error == 0.0
    assert [one.kink for one in found[2:6]] == ["relu", "", "", "max"]
    assert {one.kink for one in found[6:]} == {""}
    assert [one.verdict for one in found[-2:]] == ["ok", "FAIL"]


def test_a_direction_over_the_only_tensor_bears_its_name():
    alone = Places(kernel=(2, 2))
    jobs, ones = alone.direction(0, 4, 1), np.ones((1, 2))
    measured = Measured(
        ones, ones, ones, ones, -ones.astype(int), np.full((1, 2), "ok")
    )
    assert make_entries(alone, jobs, measured)[0].parameter == "kernel"


def test_the_worst_come_first_by_verdict_and_then_by_error():
    entries = [
        Entry("a", (), "loss", 0.0, 0.0, error, 0.0, 0.0, "", verdict)
        for verdict, error in [
            ("zero", 0.9),
            ("ok", 0.1),
            ("FAIL", 0.2),
            ("kink", 0.5),
            ("FAIL", 0.8),
            ("noisy", 0.3),
            ("ok", 0.4),
        ]
    ]
    found = [(one.verdict, one.relative_error) for one in worst_first(entries)]
    assert found == [
        ("FAIL", 0.8),
        ("FAIL", 0.2),
        ("ok", 0.4),
        ("ok", 0.1),
        ("noisy", 0.3),
        ("kink", 0.5),
        ("zero", 0.9),
    ]
