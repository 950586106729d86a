"""Write data/standard_tests_mnist.csv: what the tests of elephant find in the book's recordings.

    python tools/standard_tests.py

Recordings are made as those of `tools/electrodes.py` are, and networks take turns in the same way.
Each row has one measure of repeated experiments. Rows that the table already has are kept, so that
an interrupted run goes on where it was. Needs `pip install 'ttfslib[export]'`.
"""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import astuple, dataclass, fields, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import electrodes
import numpy as np
import tables
from electrodes import BACKGROUND, BIN, DITHER, DURATION, KEPT, N_SURROGATES
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ttfslib import (
    Observation,
    coincidences,
    laminar_probe,
    neo_trains,
    observe,
    surrogate_p_value,
    trials_shuffled,
)
from ttfslib.analysis.surrogates import p_value_of
from ttfslib.experiment.runs import Spikes
from ttfslib.export import TAU_S_MS
from ttfslib.export._library import library

IntArray = NDArray[np.int64]

TABLE = Path(__file__).resolve().parents[1] / "data" / "standard_tests_mnist.csv"
WINDOW = 2.0  # until which pairs are counted: ten bins
LEVEL = 0.05


@dataclass(frozen=True)
class Design:
    """Which tool is given what recording.

    In the null "exchanged" the trials of each unit are exchanged; in "one image" all trials show
    the same, and labels mean nothing; in "independent" trials are exchanged and every spike is put
    at a random moment. Counts are those of `electrodes.Experiment`. On a probe `n_units` are
    recorded in each layer; it is shown two images of each of some digits.
    """

    tool: str
    network: str
    null: str = "none"
    place: str = "array"
    kept: str = "1.9"
    counts: str = "recorded"
    n_units: int = 50
    jitter: float = 0.05
    n_trials: int = 30


Row = tuple[Design, str]
COLUMNS = (*(field.name for field in fields(Design)), "measure", "values")
SCALED = "untrained, excitable"
NETWORKS = ("trained", "free signs", "untrained", SCALED, "shuffled labels", "shuffled, unhurried")
NULLS = ("exchanged", "one image", "independent")


def designs() -> Iterator[Design]:
    """Every design: for each tool all networks, then nulls, then other sizes."""
    pairs = partial(Design, "pairs")
    patterns = partial(Design, "spade", place="hidden 4", counts="equal", n_trials=100)
    sequences = partial(Design, "asset", place="probe", n_trials=6)
    for design in (pairs, patterns):
        yield from (design(network) for network in NETWORKS)
        yield from (design("trained", null) for null in NULLS)
        yield design(SCALED, "exchanged")
    for network, null in (("trained", "none"), ("trained", "exchanged"), (SCALED, "none")):
        yield pairs(network, null, n_trials=100)
        yield patterns(network, null, place="array", n_units=100)
        yield patterns(network, null, n_trials=30)
    for design in (pairs, patterns):
        yield design("trained", jitter=0.2)
    for kept in ("1.9", "all"):
        yield from (sequences(network, kept=kept) for network in NETWORKS)
        yield from (sequences("trained", null, kept=kept) for null in ("exchanged", "independent"))
        yield sequences("trained", kept=kept, n_units=25)


# What is recorded


def recorded(
    design: Design, spikes: Spikes, rng: np.random.Generator
) -> tuple[Observation, IntArray]:
    """What electrodes see, and the digits shown."""
    is_probe = design.place == "probe"
    if is_probe:
        shown = two_of_each(spikes.labels, design.n_trials // 2, rng)
    else:
        shown = rng.choice(len(spikes.labels), design.n_trials, replace=False)
    labels = spikes.labels[shown]
    if design.null == "one image":
        shown[:] = shown[0]
    seen = (on_probe if is_probe else on_array)(design, spikes, shown, rng)
    if design.null in ("exchanged", "independent"):
        seen = trials_shuffled(seen, rng)
    if design.null == "independent":
        end = WINDOW if design.kept == "1.9" else seen.duration
        seen = replace(seen, times=rng.uniform(0, end, len(seen.times)), duration=end)
    return seen, labels


def two_of_each(labels: IntArray, n_digits: int, rng: np.random.Generator) -> IntArray:
    """Two images of each of some digits."""
    digits = rng.choice(np.unique(labels), n_digits, replace=False)
    pairs = [rng.choice(np.flatnonzero(labels == d), 2, replace=False) for d in digits]
    return np.concatenate(pairs)


def on_array(
    design: Design, spikes: Spikes, shown: IntArray, rng: np.random.Generator
) -> Observation:
    """A recording of `electrodes`."""
    experiment = electrodes.Experiment(
        network=design.network,
        question="digit" if design.place == "hidden 4" else "shuffling",
        place=design.place,
        kept=design.kept,
        counts=design.counts,
        n_units=design.n_units,
        jitter=design.jitter,
        n_trials=design.n_trials,
    )
    return electrodes.record(experiment, spikes, shown, rng)


def on_probe(
    design: Design, spikes: Spikes, shown: IntArray, rng: np.random.Generator
) -> Observation:
    """As many units of each hidden layer, until the moment of the cut."""
    layers = [volley[shown] for volley in spikes.layers[:-1]]
    probe = laminar_probe([layer.shape[1] for layer in layers], design.n_units, rng)
    faults = {"jitter": design.jitter, "background": BACKGROUND * DURATION}
    seen = observe(layers, probe, rng, duration=DURATION, **faults)
    inside = seen.times <= (KEPT[design.kept] or np.inf)
    kept = {name: getattr(seen, name)[inside] for name in ("times", "trials", "units")}
    return replace(seen, **kept)


def milliseconds(time: float) -> Any:
    """A time as a quantity."""
    return time * TAU_S_MS * library("quantities").ms


# Pairs: unitary events, CuBIC, and coincidences beside the surrogates of elephant

OURS = ("dithering", "shuffling")
SURROGATES = ("dither_spikes", "joint_isi_dithering", "trial_shifting")
PAIRS = (*OURS, *SURROGATES, "trial by trial", "bin by bin", "order")


def pairs(seen: Observation, _: IntArray, rng: np.random.Generator) -> list[float]:
    """P-values, and the order of correlation by CuBIC."""
    ours = [electrodes.p_value(test, seen, np.zeros(0, np.int64), rng) for test in OURS]
    theirs = [by_elephant(seen, method) for method in SURROGATES]
    units = in_bins(seen)
    whole = unitary_events(units, "analytic_TrialByTrial")
    each = [unitary_events(units[..., [k]], "analytic_TrialAverage") for k in range(units.shape[2])]
    return [*ours, *theirs, whole, min(1.0, min(each) * len(each)), order_of(units)]


def by_elephant(seen: Observation, method: str) -> float:
    """P-value of the coincidences, with surrogates of elephant."""
    options: dict[str, Any] = {"method": method, "dt": milliseconds(DITHER)}
    if method == "trial_shifting":
        options["trial_length"] = milliseconds(seen.duration)
        options["trial_separation"] = milliseconds(0)
    make = library("elephant.spike_train_surrogates").surrogates
    made = [make(train, N_SURROGATES, **options) for train in neo_trains(seen)]
    null = [coincidences(observed(trains, seen), BIN) for trains in zip(*made, strict=True)]
    return p_value_of(coincidences(seen, BIN), null)


def observed(trains: Sequence[Any], like: Observation) -> Observation:
    """Spike trains of a session, trial by trial."""
    session = np.concatenate([train.magnitude for train in trains]) / TAU_S_MS
    trials = np.clip(session // like.duration, 0, like.n_trials - 1).astype(np.int64)
    units = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    return replace(like, times=session - trials * like.duration, trials=trials, units=units)


def in_bins(seen: Observation) -> IntArray:
    """Whether a unit fires in a bin, shape (n_trials, n_units, n_bins)."""
    found = np.zeros((seen.n_trials, seen.n_units, round(WINDOW / BIN)), np.int64)
    bins = np.floor(seen.times / BIN).astype(np.int64)
    inside = bins < found.shape[2]
    found[seen.trials[inside], seen.units[inside], bins[inside]] = 1
    return found


def unitary_events(units: IntArray, method: str) -> float:
    """Smallest p-value of all pairs of units, times the number of pairs."""
    tool = library("elephant.unitary_event_analysis")
    first, second = np.triu_indices(units.shape[1], k=1)
    together = np.einsum("tib,tjb->ij", units, units)[first, second] > 0
    least = 1.0
    for pair in np.transpose([first[together], second[together]]):
        both = units[:, pair]
        p_of, _ = tool.gen_pval_anal(both, [3], method)  # 3 is the pattern in which both fire
        least = min(least, float(p_of(tool.n_emp_mat_sum_trial(both, [3])[0])[0]))
    return min(1.0, least * len(first))


def order_of(units: IntArray) -> float:
    """Order of correlation; NaN where counts vary less than those of a Poisson process."""
    try:
        return float(library("elephant.cubic").cubic(units.sum(axis=1).ravel(), alpha=LEVEL)[0])
    except ValueError:
        return float("nan")


# Patterns

MINED = {"winlen": 1, "min_spikes": 3, "min_occ": 3}  # units that fire in the same bin
SPADE = {"n_surr": 50, "alpha": LEVEL, "stat_corr": "no", "psr_param": [0, 0, 3]}
N_EXCHANGED = 19
PATTERNS = ("patterns", "units", "same digit", "chance", "digit of patterns", "digit", "exchanged")


def patterns(seen: Observation, labels: IntArray, rng: np.random.Generator) -> list[float]:
    """Significant patterns, and p-values: of their digit, of the digit, of their number."""
    times = {"bin_size": milliseconds(BIN), "dither": milliseconds(DITHER)}
    spade = library("elephant.spade").spade
    found = spade(neo_trains(seen), **times, **MINED, **SPADE)["patterns"]
    length = seen.duration * TAU_S_MS
    trials = [np.unique(each["times"].magnitude // length).astype(np.int64) for each in found]
    size = float(np.mean([len(each["neurons"]) for each in found])) if found else np.nan
    same, chance = same_digit(trials, labels), same_digit([np.arange(len(labels))], labels)
    null = [same_digit(trials, rng.permutation(labels)) for _ in range(N_SURROGATES)]
    p = 1.0 if np.isnan(same) else p_value_of(same, null)
    usual = electrodes.p_value("digit", seen, labels, rng)
    exchanged = surrogate_p_value(
        seen, candidates, trials_shuffled, rng=rng, n_surrogates=N_EXCHANGED
    )
    return [len(found), size, same, chance, p, usual, exchanged]


def candidates(seen: Observation) -> int:
    """How many patterns SPADE considers."""
    mine = library("elephant.spade").concepts_mining
    spectrum, _ = mine(neo_trains(seen), milliseconds(BIN), **MINED, report="#")
    return int(spectrum[:, 2].sum())


def same_digit(trials: Sequence[IntArray], labels: IntArray) -> float:
    """How often two trials of a pattern show one digit, on average; NaN without a pattern."""
    shares = []
    for where in trials:
        one, other = np.triu_indices(len(where), k=1)
        if len(one):
            shares.append(np.mean(labels[where[one]] == labels[where[other]]))
    return float(np.mean(shares)) if shares else float("nan")


# Sequences

ASSET_BIN = 0.1
RATE_OVER = 1.5
CERTAIN = 0.99
JOINT = {"filter_shape": (5, 1), "n_largest": 3}
CLUSTER = {"max_distance": 6, "min_neighbors": 3, "stretch": 5}
SEQUENCES = ("same digit", "other digit", "layers", "order")


def sequences(seen: Observation, labels: IntArray, _: np.random.Generator) -> list[float]:
    """Shares of the pairs of trials that have a sequence, and how it goes through the layers."""
    found = repeated(seen)
    one, other = np.tril_indices(seen.n_trials, k=-1)
    is_found = np.array([pair in found for pair in zip(one.tolist(), other.tolist(), strict=True)])
    same = labels[one] == labels[other]
    layers = [len(np.unique(seen.layers[units])) for _, units in found.values()]
    orders = [in_order(bins, seen.layers[units]) for bins, units in found.values()]
    through = [float(np.nanmean(v)) if np.isfinite(v).any() else np.nan for v in (layers, orders)]
    return [float(is_found[same].mean()), float(is_found[~same].mean()), *through]


def repeated(seen: Observation) -> dict[tuple[int, int], tuple[IntArray, IntArray]]:
    """Bins, in the later trial, and units of the sequences that two trials have in common."""
    asset = library("elephant.asset")
    session = asset.ASSET(neo_trains(seen), bin_size=milliseconds(ASSET_BIN))
    overlap = session.intersection_matrix()
    alone = session.probability_matrix_analytical(overlap, kernel_width=milliseconds(RATE_OVER))
    joint = session.joint_probability_matrix(alone, **JOINT)
    mask = session.mask_matrices([alone, joint], [CERTAIN, CERTAIN])
    events = session.extract_synchronous_events(session.cluster_matrix_entries(mask, **CLUSTER))
    per_trial = round(seen.duration / ASSET_BIN)
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (i, j), units in (link for sequence in events.values() for link in sequence.items()):
        trials = int(i // per_trial), int(j // per_trial)
        if trials[0] > trials[1]:
            found.setdefault(trials, []).extend((i % per_trial, unit) for unit in units)
    return {trials: tuple(np.transpose(spikes)) for trials, spikes in found.items()}


def in_order(bins: IntArray, layers: IntArray) -> float:
    """Rank correlation of time and layer; NaN if one of them is the same throughout."""
    if np.ptp(bins) == 0 or np.ptp(layers) == 0:
        return float("nan")
    return float(spearmanr(bins, layers).statistic)


# The table


class Tool(NamedTuple):
    """How often it is tried, what it measures, and the function that does."""

    n_experiments: int
    measures: tuple[str, ...]
    ask: Callable[[Observation, IntArray, np.random.Generator], list[float]]


TOOLS = {
    "pairs": Tool(10, PAIRS, pairs),
    "spade": Tool(10, PATTERNS, patterns),
    "asset": Tool(20, SEQUENCES, sequences),
}


def rows() -> Iterator[Row]:
    """Every measure of every design."""
    return ((design, m) for design in designs() for m in TOOLS[design.tool].measures)


def key(row: Row) -> tuple[str, ...]:
    """The columns that name a row."""
    return (*map(str, astuple(row[0])), row[1])


@cache
def outcome(design: Design) -> NDArray[np.float64]:
    """All measures of all experiments, shape (n_experiments, n_measures)."""
    seeds = [electrodes.spikes_of(*network) for network in electrodes.NETWORKS[design.network]]
    n = TOOLS[design.tool].n_experiments
    return np.array([once(design, seeds[k % len(seeds)], k) for k in range(n)])


def once(design: Design, spikes: Spikes, number: int) -> list[float]:
    """The measures of one experiment."""
    random.seed(number)  # elephant draws from the global generators
    np.random.seed(number)  # noqa: NPY002
    rng = np.random.default_rng([number, design.n_trials])
    seen, labels = recorded(design, spikes, rng)
    said = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(said), redirect_stderr(said):
        warnings.simplefilter("ignore")
        return TOOLS[design.tool].ask(seen, labels, rng)


def measured(row: Row) -> list[str]:
    """One measure of all experiments, as the table has it."""
    design, measure = row
    values = outcome(design)[:, TOOLS[design.tool].measures.index(measure)]
    return [" ".join(f"{value:.4g}" for value in values)]


def main(out: Path = TABLE) -> None:
    """Add what the table lacks, and put its rows in order."""
    tables.complete(out, COLUMNS, rows(), key, measured)


if __name__ == "__main__":
    main(tables.path_from_arguments(__doc__, TABLE))
