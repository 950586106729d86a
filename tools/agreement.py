"""How well what is made again agrees with what is shipped: each function tells the differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from itertools import zip_longest
from operator import itemgetter

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
"""Share of the entries of a column, or of the means of its groups, that may lie outside. Those
of a single network, and the means of two groups, always may."""
FAR, SEEN, OF_GROUP, OUT = 4.0, 2.0, 2.0, 3.0
"""An entry lies far outside from so many half-widths on, if it is also so many times as far from
the mean of its group as any shipped entry of the column from that of its own; so many half-widths
the mean of a group may lie off; and so many stand for an entry without a number."""
LEVEL_OF_ALL = 0.999
"""How sure it is that the mean of all further networks falls into its interval."""
POOLED, ROUNDED = 4, 0.001
"""Degrees of freedom with which the variance of all groups counts in each; share of what a column
spans that a standard deviation is at least."""
NEAR, RARE = 0.01, 0.01
"""How far a number that is measured again may be off, as a share of what its column spans, and the
share of a column's numbers that may be off by more: what a change of rounding does to them."""
NETWORK = ("group", "seed")
RESULTS = ("test_", "validation_", "train_", "decision_time", "width_", "activity_")
"""How the columns of a sweep's table begin that are measured, but for CPU minutes."""
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
    """In what the networks of a sweep differ from what those of the same settings let expect.

    Networks of the same weights have to have the very results of their twins, but for the time
    that they took.
    """
    known = {defining(row): row for row in shipped}
    lost = len(known.keys() - set(map(defining, remade)))
    found = [f"{lost} of {len(known)} networks are missing"] if lost else []
    others = []
    for row in remade:
        twin = known.get(defining(row))
        if twin is None:
            found.append(f"{_of_network(row)}: it is not in the shipped table")
        elif row["error"] != twin["error"]:
            found.append(f"{_of_network(row)}: {row['error'] or 'it did not fail'}")
        elif row["weights"] == twin["weights"]:
            found += _not_as_printed(row | {"cpu_minutes": ""}, twin | {"cpu_minutes": ""}, NETWORK)
        else:
            others.append(row)
    trained = [row for row in shipped if row["weights"]]
    return found + [
        said
        for column in shipped[0]
        if column.startswith(RESULTS)
        for said in _outside(column, others, trained, _settings)
    ]


def _network(row: Row) -> tuple[str, str]:
    return row["group"], row["seed"]


def _of_network(row: Row) -> str:
    return f"{row['group']}, seed {row['seed']}"


def _settings(row: Row) -> Hashable:
    """What rows have in common that differ only by their seeds."""
    return defining({**row, "seed": ""})


def unchanged(remade: Table, shipped: Table) -> set[tuple[str, str]]:
    """Groups and seeds of the networks of a sweep that have the very weights of their twins."""
    marks = {_network(row): row["weights"] for row in shipped if row["weights"]}
    return {_network(row) for row in remade if marks.get(_network(row)) == row["weights"]}


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
    others = [row for row in remade if _network(row) not in same]
    found = [
        said
        for row, twin in zip(remade, shipped, strict=True)
        if _network(row) in same
        for said in _not_as_printed(row, twin, OF_LAYER)
    ]
    for column in [name for name in shipped[0] if name not in OF_LAYER]:
        found += _outside(column, others, shipped, itemgetter("group", "layer"))
    return found


# Entries, groups and columns


class Expected:
    """Where further seeds of some groups are expected in one measure, given the shipped ones.

    An interval from three seeds alone is so wide that it hardly holds anything. So the variances
    of all groups of the sweep are pooled, which has many more degrees of freedom; but some groups
    vary more than others. What counts is the mean of a group's own variance, weighed by its degrees
    of freedom, and of the pooled one, weighed by `POOLED`. A single entry may also lie where the
    seeds of its group alone let it, if that is wider.
    """

    def __init__(self, known: Mapping[Hashable, Sequence[float]]) -> None:
        self.all_finite = {group: bool(np.isfinite(v).all()) for group, v in known.items()}
        self.known = {group: _finite(values) for group, values in known.items()}
        off = [v - v.mean() for v in self.known.values() if len(v) > 1]
        self.freedom = sum(len(v) - 1 for v in off)
        self.variance = sum(float(v @ v) for v in off) / max(self.freedom, 1)
        self.least = (ROUNDED * _span(list(self.known.values()))) ** 2
        self.widest = max((float(np.abs(v).max()) for v in off), default=0.0)

    def score(self, group: Hashable, values: Sequence[float]) -> float:
        """How many half-widths of its interval an entry, or the mean of several, lies off.

        Numbers that are not finite count only where there are no others: then it is outside,
        unless some of the shipped entries are not finite either.
        """
        new, known = _finite(values), self.known[group]
        if not len(new) or not len(known):
            return OUT if len(new) or self.all_finite[group] else 0.0
        if set(new) <= set(known):
            return 0.0
        half = self._half_width(known, len(new))
        return self.off(group, values) / half if half else math.inf

    def off(self, group: Hashable, values: Sequence[float]) -> float:
        """How far the mean of some entries lies from that of the shipped ones."""
        new, known = _finite(values), self.known[group]
        return abs(float(new.mean() - known.mean())) if len(new) and len(known) else 0.0

    def is_far(self, group: Hashable, value: float) -> bool:
        """Whether an entry lies far outside, and farther than shipped ones from their means.

        One that differs although those of no group do is far outside.
        """
        score = self.score(group, [value])
        farther = self.off(group, [value]) > SEEN * self.widest
        return score == math.inf or (farther and score > FAR)

    def _half_width(self, known: NDArray[np.float64], n_new: int) -> float:
        if not self.freedom:
            return max(ONE_SEED_ACCURACY, ONE_SEED_WIDTH * abs(float(known[0])))
        own = len(known) - 1
        squares = own * float(np.var(known, ddof=1)) if own else 0.0
        variance = max((squares + POOLED * self.variance) / (own + POOLED), self.least)
        half = _quantile(min(own + POOLED, self.freedom)) * math.sqrt(
            variance * (1 / n_new + 1 / len(known))
        )
        alone = _interval(known.tolist(), 0.0) if n_new == 1 else (0.0, 0.0)
        return max(half, (alone[1] - alone[0]) / 2)


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    numbers = np.array(values, dtype=float)
    return numbers[np.isfinite(numbers)]


def _quantile(freedom: float, level: float = LEVEL) -> float:
    return float(stats.t.ppf((1 + level) / 2, freedom))


def _outside(
    column: str, remade: Table, shipped: Table, group_of: Callable[[Row], Hashable]
) -> Differences:
    """Whether a measure of other networks is not where `Expected` says.

    Told are entries far outside; groups whose mean and most of whose entries are outside; more than
    a share `OUTSIDE` of the entries, or of the groups' means; and the mean of all.
    """
    expected = Expected(_by_group(column, shipped, group_of))
    groups: dict[Hashable, list[Row]] = {}
    for row in remade:
        groups.setdefault(group_of(row), []).append(row)
    found, entries, means = [], [], []
    for group, rows in groups.items():
        values = [_value(row, column) for row in rows]
        out = [r for r, v in zip(rows, values, strict=True) if expected.score(group, [v]) > 1]
        far = [r for r, v in zip(rows, values, strict=True) if expected.is_far(group, v)]
        mean = expected.score(group, values)
        entries += out
        means += rows[:1] if mean > 1 else []
        if far:
            found.append(f"{_entry(far[0], column)} is far outside")
        elif len(out) > max(1, len(rows) / 2) and mean > OF_GROUP:
            found.append(
                f"{_entry(out[0], column)} and {len(out) - 1} more of its group are outside"
            )
    found += _too_many(column, "entries", entries, len(remade), 1, _of_network)
    found += _too_many(column, "means", means, len(groups), 2, itemgetter("group"))
    return found + _shifted(column, remade, shipped, group_of)


def _by_group(
    column: str, table: Table, group_of: Callable[[Row], Hashable]
) -> dict[Hashable, list[float]]:
    found: dict[Hashable, list[float]] = {}
    for row in table:
        found.setdefault(group_of(row), []).append(_value(row, column))
    return found


def _entry(row: Row, column: str) -> str:
    layer = f", layer {row['layer']}" if "layer" in row else ""
    return f"{_of_network(row)}{layer}: {column} {row.get(column, '')}"


def _value(row: Row, column: str) -> float:
    return float(row.get(column) or "nan")


def _too_many(
    column: str, what: str, outside: Table, total: int, n_free: int, name: Callable[[Row], str]
) -> Differences:
    """Whether more lie outside than may, of more than so many networks or groups."""
    if len(outside) <= OUTSIDE * total or len(set(map(name, outside))) <= n_free:
        return []
    return [f"{column}: {len(outside)} of {total} {what} are outside; {_entry(outside[0], column)}"]


def _shifted(
    column: str, remade: Table, shipped: Table, group_of: Callable[[Row], Hashable]
) -> Differences:
    """Whether the networks lie all in all to one side of the means of their groups.

    The layers of a network count as one. Degrees of freedom are those of Welch and Satterthwaite.
    """
    means = {
        group: float(values.mean())
        for group, each in _by_group(column, shipped, group_of).items()
        if len(values := _finite(each))
    }
    new, old = (_offsets(column, table, means, group_of) for table in (remade, shipped))
    by_group: dict[str, list[float]] = {}
    for (group, _), off in old.items():
        by_group.setdefault(group, []).append(off)
    squares = [float(np.square(v).sum()) for v in by_group.values() if len(v) > 1]
    counts = [len(v) - 1 for v in by_group.values() if len(v) > 1]
    if not new or not sum(squares):
        return []
    freedom = sum(squares) ** 2 / sum(s**2 / n for s, n in zip(squares, counts, strict=True))
    error = math.sqrt(sum(squares) / sum(counts) * (1 / len(new) + 1 / len(old)))
    shift = float(np.mean(list(new.values())))
    if abs(shift) <= _quantile(freedom, LEVEL_OF_ALL) * error:
        return []
    return [f"{column}: the mean of all networks is off by {shift:.3g}"]


def _offsets(
    column: str, table: Table, means: Mapping[Hashable, float], group_of: Callable[[Row], Hashable]
) -> dict[tuple[str, str], float]:
    """How far each network lies from the mean of its group, on average over its layers."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in table:
        value, group = _value(row, column), group_of(row)
        if math.isfinite(value) and group in means:
            found.setdefault(_network(row), []).append(value - means[group])
    return {network: float(np.mean(offs)) for network, offs in found.items()}


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
        column may be off by more than `NEAR` of what the column spans. Where a column `measure`
        names what the `values` are, each measure is a column of its own.
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
        kinds = [twin.get("measure", "") if column == "values" else "" for _, twin in pairs]
        for kind in dict.fromkeys(kinds):
            chosen = [i for i, each in enumerate(kinds) if each == kind]
            near = NEAR * _span([values[i][1] for i in chosen])
            misses = [_misses(*values[i], near) for i in chosen]
            total = sum(len(values[i][1]) for i in chosen)
            if sum(misses) > RARE * total:
                told = _told(pairs[chosen[int(np.argmax(misses))]][0], column, names)
                found.append(f"{column}: {sum(misses)} of {total} numbers are off; {told}")
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
    if found := _other_rows(remade, shipped, key):
        return found
    for column in [name for name in shipped[0] if name not in key]:
        by_change = _by_group(column, shipped, itemgetter("change"))
        spread = max((np.ptp(v) for v in by_change.values() if np.isfinite(v).all()), default=0.0)
        for row, twin in zip(remade, shipped, strict=True):
            if row[column] != twin[column] and not (
                abs(_value(row, column) - _value(twin, column)) <= spread
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
    columns = [column for column in twin if row.get(column, "") != twin[column]]
    return [f"{_told(row, column, names)} and not {twin[column]}" for column in columns]


def _told(row: Row, column: str, names: Collection[str]) -> str:
    """A cell, with the names of its row."""
    return f"{' '.join(row[name] for name in names)}: {column} {row.get(column, '')}"
