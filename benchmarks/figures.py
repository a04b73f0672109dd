"""Medians, spreads and ratios of windows that stood in rounds."""

from collections.abc import Iterable, Sequence
from math import isnan
from statistics import median


def middle(values: Iterable[float | None]) -> float | None:
    """Return the median of those that are known; None if none is."""
    known = [value for value in values if value is not None and not isnan(value)]
    return median(known) if known else None


def spread(values: Iterable[float | None]) -> float | None:
    """Return half of the range as a share of the median; None of fewer than two."""
    known = [value for value in values if value is not None and not isnan(value)]
    if len(known) < 2 or not median(known):
        return None
    return (max(known) - min(known)) / 2 / median(known)


def ratios(
    ones: Sequence[float | None], others: Sequence[float | None]
) -> list[float | None]:
    """Compare round by round: windows of one round stood close together."""
    return [
        one / other if one is not None and other else None
        for one, other in zip(ones, others, strict=True)
    ]


def worst_by_best(values: Iterable[float | None]) -> float | None:
    """Tell how far the values lie apart: the largest by the smallest."""
    known = [value for value in values if value is not None and not isnan(value)]
    return max(known) / min(known) if known and min(known) > 0 else None
