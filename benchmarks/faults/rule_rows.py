"""The guide's table of rules: what each finds, and how often it was right."""

from benchmarks.faults.table import judged, rates
from keras_trainkit.diagnosis import RULES
from keras_trainkit.diagnosis.track_record import confidence_of

PARTS = ("tuning", "held_out")


def write_rules(folder):
    """Prints a row a rule, with its alarms on both parts.

    Args:
        folder: Where the results of the parts lie.
    """
    counted = [rates(judged(f"{folder}/{part}")[0]) for part in PARTS]
    print(
        "| code | category | fires when (thresholds are fields of the rule) | needs |"
    )
    print("|---|---|---|---|")
    for rule in RULES:
        says = " ".join((type(rule).__doc__ or "").split("\n\n")[0].split())
        fields = ", ".join(f"`{name}={value:g}`" for name, value in vars(rule).items())
        print(f"| `{rule.code}` | {rule.category} | {says} {fields} ".rstrip(), end=" ")
        print(f"| {', '.join(rule.needs)} |")
    print()
    print(
        "| rule | tuning: named the cause | another | on healthy "
        "| held out: named the cause | another | on healthy | confidence |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for rule in RULES:
        cells = [str(count) for part in counted for count in part[rule.code]]
        print(f"| {rule.code} | {' | '.join(cells)} | {confidence_of(rule.code):.2f} |")
