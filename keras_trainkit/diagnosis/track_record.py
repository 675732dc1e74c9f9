"""How often each rule named the cause, counted on programs made for that.

The counts are those of the tuning part of `benchmarks/faults` and are printed by
`python -m benchmarks.faults counts`: of the alarms of a rule that stood on top of a
diagnosis, those whose category named the fault that the program was given, and all,
those on healthy programs among them. Thresholds were chosen with the same programs in
view, so that other programs may be told less well; the guide compares.
"""

# code: (named the cause, alarms in all)
COUNTS: dict[str, tuple[int, int]] = {
    "alike_units": (0, 0),
    "bottleneck": (0, 0),
    "constant_targets": (1, 1),
    "contradicted_labels": (0, 0),
    "dead_units": (1, 2),
    "diverging": (0, 0),
    "far_too_long_updates": (1, 1),
    "frozen_layers": (0, 0),
    "inference_differs": (0, 0),
    "labels_of_others": (1, 1),
    "learns_nothing": (1, 1),
    "loss_contradicts_predictions": (0, 0),
    "loss_ignores_order": (0, 0),
    "loss_is_summed": (1, 1),
    "metric_contradicts_predictions": (0, 0),
    "noisy_filters": (0, 0),
    "nonfinite": (0, 0),
    "output_not_probabilities": (0, 0),
    "overfitting": (1, 1),
    "penalties_outweigh_data": (1, 1),
    "rate_decayed": (0, 0),
    "rate_too_high": (0, 0),
    "rate_too_low": (1, 1),
    "saturated_units": (0, 0),
    "stopped_too_early": (0, 0),
    "targets_out_of_reach": (0, 0),
    "unbounded_loss": (0, 0),
    "underfitting": (0, 0),
    "unreached_weights": (0, 0),
    "unscaled_inputs": (0, 0),
    "validation_differs": (0, 0),
    "validation_too_good": (0, 0),
    "vanishing_gradient": (0, 0),
    "waiting_for_data": (0, 0),
    "wild_start": (0, 0),
    "worse_than_persistence": (0, 0),
}
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
    """Share of all alarms that named the cause, by Laplace's rule of succession."""
    right = sum(right for right, _ in COUNTS.values())
    alarms = sum(alarms for _, alarms in COUNTS.values())
    return (right + 1) / (alarms + 2)
