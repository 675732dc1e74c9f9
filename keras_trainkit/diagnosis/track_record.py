"""How often each rule named the cause, counted on programs made for that.

The counts are those of the tuning part of `benchmarks/faults` and are printed by
`python -m benchmarks.faults counts`: of the alarms of a rule that stood on top of a
diagnosis, those whose category named the fault that the program was given, and all,
those on healthy programs among them. Thresholds were chosen with the same programs in
view, so that other programs may be told less well; the guide compares.
"""

# code: (named the cause, alarms in all)
COUNTS: dict[str, tuple[int, int]] = {}
# A rule that was never heard is as good as the average one, with the weight of four
# alarms: few counts never make a rule sure.
PRIOR_WEIGHT = 4.0
# Of rules that nobody has counted.
UNKNOWN = 0.5


def confidence_of(code: str) -> float:
    """Returns the share of a rule's alarms that name the cause, as far as is known.

    The mean of a beta distribution whose prior is the share of all rules together.

    Args:
        code: Of the rule.

    Returns:
        In (0, 1), two digits; 0.5 for a rule that was not counted.
    """
    if code not in COUNTS:
        return UNKNOWN
    right, alarms = COUNTS[code]
    prior = average()
    return round((right + PRIOR_WEIGHT * prior) / (alarms + PRIOR_WEIGHT), 2)


def average() -> float:
    """Share of all alarms that named the cause."""
    return sum(right for right, _ in COUNTS.values()) / max(
        1, sum(alarms for _, alarms in COUNTS.values())
    )
