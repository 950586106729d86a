"""How well what is made again agrees with what is shipped: each function tells the differences."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ttfslib import Run
from ttfslib.experiment.table import defining

LEVEL = 0.99
"""How sure it is that a further seed falls into the interval that the shipped ones give."""
ONE_SEED_ACCURACY, ONE_SEED_WIDTH = 0.02, 0.3
"""What a single shipped seed lets expect: accuracy within this, widths within this share."""
OUTSIDE = 0.1
"""Share of a sweep's networks, or of the entries of a column, that may lie outside their interval.
Among the shipped ones, each held to the others of its group, up to 0.075 of a column do."""
NEAR, RARE = 0.01, 0.01
"""How far a number that is measured again may be off, as a share of what its column spans, and the
share of a column's numbers that may be off by more: what a change of rounding does to them."""
OF_LAYER = ("group", "seed", "layer")
"""What names a row that `tools/ensemble.py` writes."""

Differences = list[str]
Row = dict[str, str]
Table = Sequence[Row]


# What a further seed lets expect


def accuracy_interval(known: Sequence[float]) -> tuple[float, float]:
    """Where the accuracy of a further training is to be expected."""
    low, high = _interval(known, ONE_SEED_ACCURACY)
    return max(low, 0.0), min(high, 1.0)


def width_interval(known: Sequence[float]) -> tuple[float, float]:
    """Where the width of a layer's packets is to be expected in a further training."""
    return _interval(known, ONE_SEED_WIDTH * known[0])


def _interval(known: Sequence[float], if_one: float) -> tuple[float, float]:
    """Interval in which a further value of a normal distribution falls with certainty `LEVEL`."""
    n, middle = len(known), float(np.mean(known))
    half = if_one
    if n > 1:
        quantile = stats.t.ppf((1 + LEVEL) / 2, n - 1)
        half = float(quantile * np.std(known, ddof=1) * math.sqrt(1 + 1 / n))
    return middle - half, middle + half


# A network


def differences(remade: Run, shipped: Run, twins: Sequence[Run]) -> Differences:
    """In what a network that was trained again differs from its shipped twin more than it may.

    Parameters
    ----------
    remade, shipped : Run
        Of the same settings and seed.
    twins : sequence of Run
        What is shipped of these settings, with any seed.
    """
    if all(map(np.array_equal, remade.weights(), shipped.weights())):
        return []
    versions = remade.metrics["versions"]
    if "processor" in versions and versions == shipped.metrics["versions"]:
        return ["the weights differ although versions and processor agree"]
    found = []
    accuracy = remade.metrics["test_accuracy"]
    low, high = accuracy_interval([twin.metrics["test_accuracy"] for twin in twins])
    if not low <= accuracy <= high:
        found.append(f"accuracy {accuracy:.2%} is not between {low:.2%} and {high:.2%}")
    profiles = [run.metrics["layers"]["shorth"] for run in (remade, *twins)]
    for i, (width, *known) in enumerate(zip(*profiles, strict=True)):
        if None in (width, *known):
            continue
        low, high = width_interval(known)
        if not low <= width <= high:
            found.append(f"width {width:.3f} of layer {i} is not between {low:.3f} and {high:.3f}")
    return found


# A sweep


def sweep_differences(remade: Table, shipped: Table) -> Differences:
    """Networks that failed, or accuracies that those of the same settings do not let expect."""
    known = {defining(row): row for row in shipped}
    found, outside = [], []
    for row in remade:
        twin = known.get(defining(row), {})
        if row["weights"] and row["weights"] == twin.get("weights"):
            continue
        who = f"{row['group']}, seed {row['seed']}"
        if row["error"] != twin.get("error", ""):
            found.append(f"{who}: {row['error']}")
        elif alike := [
            float(r["test_accuracy"]) for r in shipped if r["weights"] and _alike(r, row)
        ]:
            low, high = accuracy_interval(alike)
            if not low <= float(row["test_accuracy"]) <= high:
                outside.append(
                    f"{who}: accuracy {row['test_accuracy']} is not {low:.4f} to {high:.4f}"
                )
        else:
            found.append(f"{who}: it is not in the shipped table")
    return found + (outside if len(outside) > OUTSIDE * len(remade) else [])


def _alike(one: Row, other: Row) -> bool:
    """Whether two rows have the same settings, with any seed."""
    return defining({**one, "seed": ""}) == defining({**other, "seed": ""})


def unchanged(remade: Table, shipped: Table) -> set[tuple[str, str]]:
    """Groups and seeds of the networks of a sweep that have the very weights of their twins."""
    marks = {(row["group"], row["seed"]): row["weights"] for row in shipped if row["weights"]}
    named = [((row["group"], row["seed"]), row["weights"]) for row in remade]
    return {name for name, mark in named if marks.get(name) == mark}


def layer_differences(
    remade: Table, shipped: Table, same: Collection[tuple[str, str]]
) -> Differences:
    """In what the layers of a sweep's networks differ from what those of their groups let expect.

    Parameters
    ----------
    remade, shipped : tables
        As `tools/ensemble.py` writes them.
    same : collection of groups and seeds
        Networks of the same weights: what is measured of them has to be the same, as printed.
    """
    if found := _other_rows(remade, shipped, OF_LAYER):
        return found
    pairs = list(zip(remade, shipped, strict=True))
    pairs_same = [pair for pair in pairs if (pair[0]["group"], pair[0]["seed"]) in same]
    others = [row for row, _ in pairs if (row["group"], row["seed"]) not in same]
    found = [said for row, twin in pairs_same for said in _not_as_printed(row, twin, OF_LAYER)]
    known: dict[tuple[str, str], list[Row]] = {}
    for row in shipped:
        known.setdefault((row["group"], row["layer"]), []).append(row)
    for column in [name for name in shipped[0] if name not in OF_LAYER]:
        outside = [
            row
            for row in others
            if not _expected(row[column], [r[column] for r in known[row["group"], row["layer"]]])
        ]
        if len(outside) > OUTSIDE * len(others):
            found.append(
                f"{column}: {len(outside)} of {len(others)} entries are not where those of their "
                f"groups let expect them; {_told(outside[0], column, OF_LAYER)}"
            )
    return found


def _expected(entry: str, known: Sequence[str]) -> bool:
    """Whether an entry lies where those of other seeds let expect it, as far as they tell."""
    value, values = float(entry), [float(each) for each in known]
    if not np.isfinite(values).all():
        return not np.isnan(values).all() or math.isnan(value)
    low, high = _interval(values, max(ONE_SEED_ACCURACY, ONE_SEED_WIDTH * abs(values[0])))
    return value in values or low <= value <= high


# Other tables


def printed_differences(remade: Table, shipped: Table, n_names: int, *, exact: bool) -> Differences:
    """In what a table that was measured again on the same networks differs from the shipped one.

    Parameters
    ----------
    remade, shipped : tables
        Cells may hold several numbers.
    n_names : int
        So many of the first columns name a row.
    exact : bool
        Whether everything has to be as it is printed. Elsewhere rounding moves a last digit, and
        now and then a spike or an image to the other side of a limit: `RARE` of the numbers of a
        column may be off by more than `NEAR` of what the column spans.
    """
    names = tuple(shipped[0])[:n_names]
    if found := _other_rows(remade, shipped, names):
        return found
    pairs = list(zip(remade, shipped, strict=True))
    if exact:
        return [said for row, twin in pairs for said in _not_as_printed(row, twin, names)]
    found = []
    for column in [name for name in shipped[0] if name not in names]:
        values = [(_numbers(row[column]), _numbers(twin[column])) for row, twin in pairs]
        near = NEAR * _span([twin for _, twin in values])
        misses = [_misses(*each, near) for each in values]
        total = sum(len(twin) for _, twin in values)
        if sum(misses) > RARE * total:
            row, _ = pairs[int(np.argmax(misses))]
            found.append(
                f"{column}: {sum(misses)} of {total} numbers are off; {_told(row, column, names)}"
            )
    return found


def _numbers(cell: str) -> NDArray[np.float64]:
    return np.array(cell.split(), dtype=float)


def _span(values: Sequence[NDArray[np.float64]]) -> float:
    """Between which the finite numbers of a column lie."""
    numbers = np.concatenate(values)
    finite = numbers[np.isfinite(numbers)]
    return float(np.ptp(finite)) if len(finite) else 0.0


def _misses(remade: NDArray[np.float64], shipped: NDArray[np.float64], near: float) -> int:
    """How many numbers of a cell are off by more than a distance."""
    if len(remade) != len(shipped):
        return max(len(remade), len(shipped))
    return int((~np.isclose(remade, shipped, rtol=1e-12, atol=near, equal_nan=True)).sum())


def spread_differences(remade: Table, shipped: Table) -> Differences:
    """Entries that differ by more than the widest spread of their column over seeds."""
    key = ("change", "seed")
    known = {tuple(row[k] for k in key): row for row in shipped}
    found = []
    for column in [name for name in shipped[0] if name not in key]:
        by_change: dict[str, list[float]] = {}
        for row in shipped:
            by_change.setdefault(row["change"], []).append(float(row[column]))
        spread = max(np.ptp(values) for values in by_change.values() if np.isfinite(values).all())
        for row in remade:
            twin = known[tuple(row[k] for k in key)]
            if row[column] != twin[column] and not (
                abs(float(row[column]) - float(twin[column])) <= spread
            ):
                found.append(f"{row['change']}, seed {row['seed']}: {column} {row[column]}")
    return found


# Rows and cells


def _other_rows(remade: Table, shipped: Table, names: Sequence[str]) -> Differences:
    """Whether two tables have other columns, or rows of other names."""
    if (columns := list(shipped[0])) != list(remade[0] if remade else []):
        return [f"the columns are not {', '.join(columns)}"]
    found, known = ([tuple(row[name] for name in names) for row in t] for t in (remade, shipped))
    if found == known:
        return []
    other = next(pair for pair in zip_longest(found, known, fillvalue=()) if pair[0] != pair[1])
    return [f"row {' '.join(other[0]) or 'none'} in the place of {' '.join(other[1]) or 'none'}"]


def _not_as_printed(row: Row, twin: Row, names: Collection[str]) -> Differences:
    """Each cell that is not the text of its twin."""
    columns = [column for column in twin if row[column] != twin[column]]
    return [f"{_told(row, column, names)} and not {twin[column]}" for column in columns]


def _told(row: Row, column: str, names: Collection[str]) -> str:
    """A cell, with the names of its row."""
    return f"{' '.join(row[name] for name in names)}: {column} {row[column]}"
