import dataclasses
import types

import numpy as np
import pytest

import keras_trainkit as tk
from keras_trainkit import diagnosis
from keras_trainkit.diagnosis.diagnose import fold
from keras_trainkit.finding import Finding
from keras_trainkit.record import Series, TrainingRecord
from tests.diagnosis.planted import HEALTHY, PLANTED, run, stuck


def with_losses(losses):
    record = TrainingRecord()
    steps = np.arange(len(losses))
    record.append([Series("loss")], steps, steps // 50, np.asarray(losses)[:, None])
    return record


def ended_in_nan(**changes):
    losses = np.where(np.arange(300) < 40, 2.3, np.nan)
    return stuck(losses=losses, nonfinite=("two", 40), example_loss=np.nan, **changes)


def curve(kind, seed):
    random = np.random.default_rng(seed)
    time = np.arange(300)
    noise = random.normal(size=300)
    if kind == "good":
        return 2.3 * np.exp(-time / 40) + 0.1 + 0.02 * noise
    if kind == "low":
        return 2.3 - 0.003 * time + 0.02 * noise
    if kind == "flat":
        return 2.3 + 0.05 * noise
    if kind == "diverging":
        return 2.3 * np.exp(time / 60) + 0.02 * noise
    return np.where(time < 10, 2.3 - 0.05 * time, 0.8 + 0.8 * np.abs(noise))


@pytest.mark.parametrize("kind", ["good", "low", "flat", "diverging", "high"])
def test_loss_curve_is_told_by_its_shape(kind):
    for seed in range(5):
        found = diagnosis.describe_loss_curve(with_losses(curve(kind, seed)))
        assert found.shape == kind, seed


def test_noise_around_a_low_loss_is_no_alarm():
    for seed in range(20):
        losses = 0.02 * np.random.default_rng(seed).exponential(size=300)
        assert not tk.diagnose(with_losses(losses)).alarms, seed


def test_small_last_batches_are_no_swings():
    for seed in range(20):
        random = np.random.default_rng(seed)
        losses = 1.0 + np.exp(-np.arange(480) / 40) + 0.1 * random.normal(size=480)
        losses[11::12] += 1.5 * random.normal(size=40)  # of one example each
        found = diagnosis.describe_loss_curve(with_losses(losses))
        assert found.shape in ("good", "low"), seed


def test_loss_curve_of_a_few_steps_is_not_judged():
    found = diagnosis.describe_loss_curve(with_losses([2.0, 1.0, 0.5]))
    assert found.shape == "unknown"


def test_loss_that_ends_not_finite_diverges():
    assert (
        diagnosis.describe_loss_curve(with_losses([1.0, np.nan])).shape == "diverging"
    )


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_raise_no_alarm(name):
    found = tk.diagnose(HEALTHY[name]())
    assert not found.alarms
    assert "No fault shows" in found.answer


@pytest.mark.parametrize("code", PLANTED)
def test_planted_fault_is_on_top_or_explained(code):
    found = tk.diagnose(PLANTED[code]())
    folded = {one.code for top in found for one in (top, *top.symptoms)}
    assert code in folded
    # Targets that hold much noise look like a model that is too small.
    expected = ("info",) if code == "underfitting" else ("warning", "error")
    assert found[0].severity in expected


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        (stuck(losses=np.full(300, np.nan), dead=1.0), "nonfinite"),
        (stuck(ratio=0.4, dead=1.0), "far_too_long_updates"),
        (stuck(input_spread=900.0, ratio=0.4, dead=1.0), "unscaled_inputs"),
        (stuck(gradient=[1e-9, 1e-6, 1e-3, 1], ratio=1e-6), "vanishing_gradient"),
        (run(np.linspace(2.3, 2.2, 300), ratio=1e-6), "rate_too_low"),
        (
            ended_in_nan(
                input_spread=900.0,
                prediction_low=np.nan,
                prediction_high=np.nan,
            ),
            "unscaled_inputs",
        ),
        (ended_in_nan(task={"reduction": "sum"}), "loss_is_summed"),
    ],
    ids=["nonfinite", "long", "inputs", "vanishing", "low", "inputs, NaN", "sum, NaN"],
)
def test_one_cause_folds_its_symptoms(record, cause):
    found = tk.diagnose(record)
    assert found.codes == (cause,)
    assert found[0].symptoms or cause in ("nonfinite", "rate_too_low")


def test_neighbours_tell_wrong_labels_from_a_model_that_cannot_learn():
    told = {
        alike: tk.diagnose(stuck(task={"neighbours_alike": alike}))[0]
        for alike in (0.5, 40.0)
    }
    assert (told[0.5].code, told[0.5].category) == ("labels_of_others", "labels")
    assert (told[40.0].code, told[40.0].category) == ("learns_nothing", "underfitting")
    assert "labels fit their inputs" in told[40.0].advice
    by_heart = PLANTED["labels_of_others"]()
    by_heart.metadata["task"]["neighbours_alike"] = 40.0
    assert "labels_of_others" not in tk.diagnose(by_heart).codes


def test_fold_names_each_finding_once():
    random = np.random.default_rng(0)
    codes = [f"code_{number}" for number in range(8)]
    for _ in range(200):
        chosen = random.permutation(codes)[: random.integers(1, 9)]
        findings = [
            Finding(
                "Odd.",
                severity=str(random.choice(["info", "warning", "error"])),
                confidence=float(random.random()),
                code=str(code),
                category="data",
            )
            for code in chosen
        ]
        explains = {
            code: tuple(map(str, random.permutation(codes)[: random.integers(4)]))
            for code in codes
        }
        folded = fold(findings, explains)
        everything = [one.code for top in folded for one in (top, *top.symptoms)]
        assert sorted(everything) == sorted(chosen)


@dataclasses.dataclass(frozen=True)
class Own(diagnosis.Rule):
    code = "large_loss"
    category = "underfitting"
    needs = ("loss",)
    most: float = 1.0

    def judge(self, course):
        if course.end <= self.most:
            return self.passes("small")
        return self.finds("Large.", evidence={"loss": course.end})


def test_users_add_rules_change_thresholds_and_silence():
    record = stuck(dead=0.7)
    assert (
        "large_loss" in tk.diagnose(record, [Own()], silence=["learns_nothing"]).codes
    )
    assert "large_loss" not in tk.diagnose(record, [Own(most=99.0)]).codes
    assert tk.diagnose(record).codes == ("learns_nothing",)
    dead = next(rule for rule in diagnosis.RULES if rule.code == "dead_units")
    strict = dataclasses.replace(dead, most=0.6)
    assert tk.diagnose(record, [strict]).codes == ("dead_units",)
    assert "learns_nothing" not in tk.diagnose(record, silence="learns_nothing").codes
    found = tk.diagnose(record, silence=["learns_nothing", "underfitting"])
    assert not found.alarms


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"run": 3}, "`run` must be"),
        ({"rules": ["dead_units"]}, "`rules` must hold `Rule` objects"),
        ({"silence": ["dead units"]}, "`silence` must hold codes of rules"),
        ({"silence": "dead units"}, "silence='dead units'"),
    ],
)
def test_diagnose_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        tk.diagnose(**{"run": TrainingRecord()} | arguments)


def test_a_path_and_a_monitor_are_read_too(tmp_path):
    path = tmp_path / "record.sqlite"
    record = TrainingRecord(path)
    losses = curve("diverging", 0)
    steps = np.arange(300)
    record.append([Series("loss")], steps, steps, losses[:, None])
    record.close()
    assert tk.diagnose(path).codes == ("diverging",)
    monitor = tk.callbacks.LossMonitor()
    with pytest.raises(RuntimeError, match="exists once `fit` has begun"):
        tk.diagnose(monitor)


def test_answers_say_what_to_do_now():
    assert "Not enough evidence" in tk.diagnose(with_losses([2.0, 1.9])).answer
    going = run(metadata={"status": "running"})
    assert tk.diagnose(going).answer.startswith("Healthy so far, keep training")
    sick = tk.diagnose(PLANTED["diverging"]())
    assert sick.answer.startswith("The loss diverges.")
    assert "learning rate" in str(sick)


def test_a_notebook_shows_findings_with_all_that_belongs_to_them():
    found = tk.diagnose(stuck(ratio=0.4, dead=1.0))
    page = found._repr_html_()
    assert page.count("<li>") == len(found) == page.count("</li>")
    first = found[0]
    for part in (first.severity, first.where, first.code, first.symptoms[0].code):
        assert part in page
    odd = dataclasses.replace(first, message="<script>", where="<b>")
    page = dataclasses.replace(found, findings=(odd,))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_what_a_probe_confirmed_comes_first():
    record = stuck(input_spread=900.0, train_accuracy_eval=0.9)
    first = tk.diagnose(record)
    assert set(first.codes) == {"unscaled_inputs", "metric_contradicts_predictions"}
    for category, code in {
        "data": "unscaled_inputs",
        "loss or output": "metric_contradicts_predictions",
    }.items():
        probe = types.SimpleNamespace(categories=(category,))
        found = tk.diagnose(record, probe=probe)
        assert found[0].code == code
        assert found[0].evidence["probe"] == "confirmed"
