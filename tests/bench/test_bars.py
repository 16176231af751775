"""What is made of measurements."""

import pytest

from .bars import Bar, ratio, rows
from .process import Run

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
