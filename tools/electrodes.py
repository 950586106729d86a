"""Write data/electrodes_mnist.csv: what electrodes find in the networks that the book ships.

    python tools/electrodes.py           # a quarter of an hour on one core

A row holds the p-values of repeated experiments in ten-thousandths. Each experiment draws test
images and neurons anew. In the rows of the network "null" nothing is there to be found: units of
one layer stand for two, labels are shuffled, and trials are shuffled before they are tested.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttfslib import (
    Observation,
    blind_array,
    coincidences,
    decision_time,
    dithered,
    label_p_value,
    laminar_probe,
    observe,
    pulse_packet,
    surrogate_p_value,
    trials_shuffled,
    width_p_value,
)
from ttfslib.book import shipped
from ttfslib.experiment.runs import Spikes

TABLE = Path(__file__).resolve().parents[1] / "data" / "electrodes_mnist.csv"
COLUMNS = ("network", "seed", "spikes", "question", "n_units", "jitter", "n_trials", "p_values")
NETWORKS = {
    ("trained", 1): ("mnist-dale", None),
    ("trained", 2): ("mnist-dale", None),
    ("trained", 3): ("mnist-dale", None),
    ("untrained", 1): ("mnist-dale", 0),
    ("shuffled labels", 1): ("mnist-shuffled", None),
    ("null", 1): ("mnist-dale", None),
}
SIZES, N_IMAGES, DURATION = [400] * 4, 5000, 10.0
N_UNITS, JITTERS, N_TRIALS = (20, 50, 100), (0.0, 0.05, 0.2), (30, 100)
USUAL_JITTER, BACKGROUND = 0.05, 0.02
BIN, DITHER = 0.2, 0.5  # 2 ms and 5 ms
N_EXPERIMENTS, N_SURROGATES = 30, 39

Volleys = list[NDArray[Any]]
Question = Callable[[Volleys, NDArray[np.int64], int, float, np.random.Generator, bool], float]


def _seen(
    volleys: Volleys, sites: list[NDArray[np.int64]], jitter: float, rng: np.random.Generator
) -> Observation:
    return observe(volleys, sites, rng, jitter=jitter, background=BACKGROUND, duration=DURATION)


def width(
    volleys: Volleys,
    _labels: NDArray[np.int64],
    n_units: int,
    jitter: float,
    rng: np.random.Generator,
    null: bool,
) -> float:
    """Is hidden 4 more synchronous than hidden 2? A probe with `n_units` in each."""
    if null:
        chosen = rng.choice(400, 2 * n_units, replace=False)
        volleys, sites = [volleys[2]] * 2, [chosen[:n_units], chosen[n_units:]]
    else:
        volleys, sites = [volleys[1], volleys[3]], laminar_probe(SIZES[:2], n_units, rng)
    options = {"wide": 0, "narrow": 1, "n_spikes": 4, "n_permutations": N_SURROGATES}
    return width_p_value(_seen(volleys, sites, jitter, rng), rng=rng, **options)


def label(
    volleys: Volleys,
    labels: NDArray[np.int64],
    n_units: int,
    jitter: float,
    rng: np.random.Generator,
    null: bool,
) -> float:
    """Do the same units fire together for the same digit? A blind array."""
    seen = _seen(volleys, blind_array(SIZES, n_units, rng), jitter, rng)
    shown = rng.permutation(labels) if null else labels
    return label_p_value(seen, shown, BIN, rng=rng, n_permutations=N_SURROGATES)


def _synchrony(surrogate: Callable[[Observation, np.random.Generator], Observation]) -> Question:
    def question(
        volleys: Volleys,
        _labels: NDArray[np.int64],
        n_units: int,
        jitter: float,
        rng: np.random.Generator,
        null: bool,
    ) -> float:
        seen = _seen(volleys, blind_array(SIZES, n_units, rng), jitter, rng)
        if null:
            seen = trials_shuffled(seen, rng)
        return surrogate_p_value(
            seen, lambda o: coincidences(o, BIN), surrogate, rng=rng, n_surrogates=N_SURROGATES
        )

    return question


QUESTIONS: dict[str, Question] = {
    "width": width,
    "label": label,
    "beyond dithered": _synchrony(lambda seen, rng: dithered(seen, DITHER, rng)),
    "beyond shuffled trials": _synchrony(trials_shuffled),
}


def designs() -> Iterator[tuple[str, int, float, int]]:
    """Which spikes are kept, units, jitter and trials of every kind of experiment."""
    for n_units, n_trials in product(N_UNITS, N_TRIALS):
        for jitter in JITTERS:
            yield "until the decision", n_units, jitter, n_trials
        yield "all", n_units, USUAL_JITTER, n_trials


def experiments(
    network: tuple[str, int], design: tuple[str, int, float, int], question: str, spikes: Spikes
) -> list[float]:
    """The p-values of one row."""
    kind, seed = network
    which, n_units, jitter, n_trials = design
    rng = np.random.default_rng([seed, n_units, n_trials, int(100 * jitter)])
    hidden = spikes.layers[:-1]
    if which != "all":
        until = decision_time(spikes.layers[-1])
        hidden = [pulse_packet(volley, until) for volley in hidden]
    found = []
    for _ in range(N_EXPERIMENTS):
        shown = rng.choice(len(spikes.labels), n_trials, replace=False)
        volleys = [volley[shown] for volley in hidden]
        given = (spikes.labels[shown], n_units, jitter, rng, kind == "null")
        found.append(QUESTIONS[question](volleys, *given))
    return found


def spikes_of(network: tuple[str, int]) -> Spikes:
    """What the network does with the first test images."""
    name, epoch = NETWORKS[network]
    return shipped(name, network[1]).spikes(epoch, N_IMAGES)


def rows() -> Iterator[list[Any]]:
    """Every row of the table."""
    for network in NETWORKS:
        spikes = spikes_of(network)
        for design, question in product(designs(), QUESTIONS):
            found = experiments(network, design, question, spikes)
            p_values = " ".join(f"{10_000 * p:.0f}" for p in found)
            yield [*network, design[0], question, *design[1:], p_values]
        print(*network, flush=True)


def main() -> None:
    """Write the table."""
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows())


if __name__ == "__main__":
    main()
