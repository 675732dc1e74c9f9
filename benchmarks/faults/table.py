"""Counts what was found, what was named rightly, and how often healthy runs cried."""

import collections
import datetime

from scipy import stats

import keras_trainkit as tk
from benchmarks.faults.baselines import deep_diagnosis, sagemaker
from benchmarks.faults.faulty import CAUSES, HIDDEN
from benchmarks.faults.run import as_line, read, record_path
from keras_trainkit.record import TrainingRecord

RANK = {"error": 0, "warning": 1}


def judged(folder):
    """Every program that counts, with what each detector says of it.

    Returns:
        A list of dictionaries; "says" maps a detector to the categories it names, the
        first being its first. Healthy ones that did not learn, and faulty ones that
        learnt all the same, are left out, and counted in the second value.
    """
    checks = {(one["name"], one["seed"]): one for one in read(folder, "preflight")}
    programs, left_out = [], collections.Counter()
    for line in read(folder, "training"):
        hidden = line["family"] in HIDDEN
        if line["learnt"] != (line["kind"] == "healthy") and not hidden:
            left_out[line["kind"]] += 1
            continue
        record = TrainingRecord.open(record_path(folder, line["name"], line["seed"]))
        diagnosis = tk.diagnose(record)
        line["findings"] = [as_line(one) for one in diagnosis.alarms]
        line["all"] = [as_line(one) for one in diagnosis]
        says = {
            "tk.diagnose": [one.category for one in diagnosis.alarms],
            "SageMaker's thresholds": sagemaker(record),
            "DeepDiagnosis' thresholds": deep_diagnosis(record),
            "Keras' own warnings": ["loss or output"] * bool(line["keras_warnings"]),
            "always silent": [],
            'always "learning rate and activation"': ["learning rate", "activation"],
        }
        check = checks.get((line["name"], line["seed"]))
        if check is not None:
            alarms = [one for one in check["findings"] if one["severity"] in RANK]
            line["checks"] = alarms
            errors = [one for one in alarms if one["severity"] == "error"]
            says["tk.preflight, errors"] = [one["category"] for one in errors]
            says["tk.preflight, warnings too"] = [one["category"] for one in alarms]
            # Of alarms as grave as one another what a run showed comes first.
            both = [*line["findings"], *errors]
            both.sort(key=lambda one: RANK[one["severity"]])
            line["both"] = both
            says["both (errors of preflight)"] = [one["category"] for one in both]
        programs.append(line | {"says": says})
    return programs, left_out


def write_table(folder, listed=False):
    """Prints the tables of one part as Markdown."""
    programs, left_out = judged(folder)
    faulty = [one for one in programs if one["kind"] == "faulty"]
    healthy = [one for one in programs if one["kind"] == "healthy"]
    print(f"{datetime.date.today()}: {len(faulty)} faulty, {len(healthy)} healthy.")
    print(
        f"Not counted: {left_out['faulty']} faulty ones that learnt all the same, "
        f"{left_out['healthy']} healthy ones that did not.\n"
    )
    names = list(dict.fromkeys(name for one in programs for name in one["says"]))
    print("| | faulty found | cause first | cause named | healthy flagged |")
    print("|---|---|---|---|---|")
    for name in sorted(names, key=lambda name: not name.startswith(("tk", "both"))):
        asked = [one for one in faulty if name in one["says"]]
        calm = [one for one in healthy if name in one["says"]]
        found = sum(bool(one["says"][name]) for one in asked)
        first = sum(_right(one, one["says"][name][:1]) for one in asked)
        named = sum(_right(one, one["says"][name]) for one in asked)
        cried = sum(bool(one["says"][name]) for one in calm)
        cells = [(found, asked), (first, asked), (named, asked), (cried, calm)]
        print(f"| {name} | {' | '.join(_share(n, of) for n, of in cells)} |")
    print()
    _families(faulty)
    _confidence(programs)
    _rates(programs)
    if listed:
        _list(programs)


def _right(program, categories):
    return bool(CAUSES[program["family"]] & set(categories))


def _share(count, of):
    if not of:
        return "-"
    interval = stats.binomtest(count, len(of)).proportion_ci(0.95)
    return (
        f"{count} of {len(of)} ({count / len(of):.0%}; {interval.low:.0%} to "
        f"{interval.high:.0%})"
    )


def _families(faulty):
    print("| family | programs | found by preflight | by diagnose | by both | first |")
    print("|---|---|---|---|---|---|")
    families = collections.defaultdict(list)
    for one in faulty:
        families[one["family"]].append(one)
    for family, members in sorted(families.items()):
        cells = [str(len(members))]
        for name in (
            "tk.preflight, errors",
            "tk.diagnose",
            "both (errors of preflight)",
        ):
            asked = [one["says"][name] for one in members if name in one["says"]]
            cells.append(str(sum(map(bool, asked))) if asked else "-")
        best = [
            one["says"].get("both (errors of preflight)", one["says"]["tk.diagnose"])
            for one in members
        ]
        first = sum(
            _right(one, said[:1]) for one, said in zip(members, best, strict=True)
        )
        print(f"| {family.replace('_', ' ')} | {' | '.join(cells)} | {first} |")
    print()


def _confidence(programs):
    """Of findings that are sure, how many are right: all on top, and the first."""
    groups = collections.defaultdict(lambda: ([], []))
    for one in programs:
        for place, finding in enumerate(one["findings"]):
            right = _names_cause(one, finding)
            every, first = groups[min(int(10 * finding["confidence"]), 9)]
            every.append((finding["confidence"], right))
            if not place:
                first.append(right)
    print("| confidence | its mean | findings | right | first findings | right |")
    print("|---|---|---|---|---|---|")
    for tenth, (every, first) in sorted(groups.items()):
        mean = sum(confidence for confidence, _ in every) / len(every)
        rights = [right for _, right in every]
        print(
            f"| {tenth / 10:.1f} to {(tenth + 1) / 10:.1f} | {mean:.2f} "
            f"| {len(rights)} | {sum(rights) / len(rights):.0%} | {len(first)} "
            f"| {f'{sum(first) / len(first):.0%}' if first else '-'} |"
        )
    print()


def rates(programs):
    """For each rule: how often it named the cause, another one, and cried wolf.

    Only alarms on top of a diagnosis count, not those folded under another.
    """
    counts = {rule.code: [0, 0, 0] for rule in tk.diagnosis.RULES}
    for one in programs:
        for finding in one["findings"]:
            right, other, healthy = 0, 1, 2
            place = healthy if one["kind"] == "healthy" else other
            counts[finding["code"]][right if _names_cause(one, finding) else place] += 1
    return counts


def write_counts(folder):
    """Prints the counts that `keras_trainkit.diagnosis.track_record` holds."""
    for code, (right, other, healthy) in rates(judged(folder)[0]).items():
        print(f'    "{code}": ({right}, {right + other + healthy}),')


def _names_cause(program, finding):
    return program["kind"] == "faulty" and _right(program, [finding["category"]])


def _rates(programs):
    print("| rule | named the cause | named another | on healthy programs |")
    print("|---|---|---|---|")
    for code, counts in rates(programs).items():
        print(f"| `{code}` | {' | '.join(map(str, counts))} |")
    print()


def _list(programs):
    for one in programs:
        codes = [finding["code"] for finding in one["findings"]]
        right = one["kind"] == "healthy" or _right(one, one["says"]["tk.diagnose"][:1])
        good = right and bool(codes) == (one["kind"] == "faulty")
        share = one["last"] / one["trivial"]
        checks = [finding["code"] for finding in one.get("checks", [])]
        print(
            " " if good else "!", one["name"], f"val/trivial {share:.3g}", codes, checks
        )
