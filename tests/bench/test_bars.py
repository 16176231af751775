"""What is made of measurements."""

import pytest

from .bars import STARTS, Bar, outcomes_of_starts, ratio, rows
from .process import Run
from .stage import renamed

RECORDS = 1000


def rounds(**nanoseconds: list[float]) -> dict[str, list[Run]]:
    """Rows with one run a round; the wall's clock shows twice the processor's time."""
    return {
        name: [Run(RECORDS, each * RECORDS / 1e9, 2 * each * RECORDS / 1e9) for each in runs]
        for name, runs in nanoseconds.items()
    }


def test_a_ratio_is_taken_within_each_round_and_its_median_counts() -> None:
    results = rounds(fast=[100, 200, 300], slow=[400, 1600, 300])
    assert ratio(results, Bar("", "fast", "slow", 1), "cpu") == pytest.approx(4)
    assert ratio(results, Bar("", "fast", "slow", 1), "wall") == pytest.approx(4)


def test_what_one_side_is_spared_is_taken_off_or_put_onto() -> None:
    results = rounds(fast=[1500], slow=[5000], gunzip=[1000])
    bar = Bar("", "fast", "slow", 1, spared="gunzip")
    assert ratio(results, bar, "cpu", off_fast=1) == pytest.approx(10)
    assert ratio(results, bar, "cpu") == pytest.approx(5000 / 1500)
    assert ratio(results, bar, "cpu", onto_slow=1) == pytest.approx(4)


def test_a_row_says_what_a_record_takes() -> None:
    row = rows(rounds(fast=[300, 100, 200]))[0]
    assert (row["cpu_ns_min"], row["cpu_ns_median"], row["wall_ns_median"]) == pytest.approx((100, 200, 400))


def test_a_start_passes_by_its_median_below_the_bar() -> None:
    starts = {row: [most.most] * 2 + [0.0] for most in STARTS for row in (most.row, most.other_clock) if row}
    assert not any(outcome.passed for outcome in outcomes_of_starts(starts))
    starts = {row: [each[0], 0.0, 0.0] for row, each in starts.items()}
    assert all(outcome.passed for outcome in outcomes_of_starts(starts))


def test_a_copy_of_a_rule_is_another_rule() -> None:
    rule = "package events.iam.grant\n# custom:\n#   id: IAM-02\n_x if data.events.iam.grant.y\n_z if data.events.iam.grants\n"
    copy = "package events.iam.grant_1\n# custom:\n#   id: IAM-02-1\n_x if data.events.iam.grant_1.y\n_z if data.events.iam.grants\n"
    assert renamed(rule, "events.iam.grant", "_1") == copy
    assert renamed(rule, "events.iam.grant", "") == rule
