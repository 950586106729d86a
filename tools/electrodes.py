"""Write data/electrodes_mnist.csv: what electrodes find in the networks that the book ships.

    python tools/electrodes.py

Each row has the p-values of repeated experiments, in ten-thousandths. An experiment draws images
and neurons anew; the same experiment of every row that has as many trials shows the same images.
Networks of several seeds take turns: experiment k is done on seed k modulo their number. Rows that
the table already has are kept, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tables
import torch
from numpy.typing import NDArray

from ttfslib import (
    Observation,
    TTFSNetwork,
    coincidences,
    decision_time,
    dithered,
    label_p_value,
    observe,
    surrogate_p_value,
    trials_shuffled,
    width_p_value,
)
from ttfslib.book import shipped
from ttfslib.experiment.recipe import Samples, load_test_samples
from ttfslib.experiment.runs import Run, Spikes

TABLE = Path(__file__).resolve().parents[1] / "data" / "electrodes_mnist.csv"
N_EXPERIMENTS, N_SURROGATES = 40, 39
EVERY = 3  # of the test images of MNIST
BIN, DITHER = 0.2, 0.5
BACKGROUND = 0.02  # spikes of a unit in a unit of time
DURATION = 6.0
MOST = 0.1  # spikes of a unit in a trial, where counts are made equal
WIDTH_OF = 4  # spikes
EXCITABLE = -1  # an epoch before the first: untrained weights, scaled
CALIBRATED_BY = 6  # every sixth of the images shown
FIRING = 32  # spikes
FIRST = (3, 6, 12)  # spikes of a trial

NETWORKS: dict[str, list[tuple[str, int, int | None]]] = {
    "trained": [("mnist-dale", seed, None) for seed in (1, 2, 3, 4, 5)],
    "free signs": [("mnist-free", seed, None) for seed in (1, 2, 3)],
    "untrained": [("mnist-dale", seed, 0) for seed in (1, 2, 3)],
    "shuffled labels": [("mnist-shuffled", 1, None)],
    "shuffled, unhurried": [("mnist-shuffled-unhurried", 1, None)],
    "digits, trained": [("digits-dale", seed, None) for seed in (1, 2, 3)],
    "digits, untrained": [("digits-dale", seed, 0) for seed in (1, 2, 3)],
    "untrained, excitable": [("mnist-dale", seed, EXCITABLE) for seed in (1, 2, 3)],
}
LEARNED = ("trained", "free signs", "digits, trained")
NOTHING = "null"
KEPT = {"decision": None, "1.9": 1.9, "all": np.inf}
N_UNITS, JITTERS, N_TRIALS = (20, 50, 100), (0.0, 0.05, 0.2), (30, 100)


@dataclass(frozen=True)
class Experiment:
    """What is asked of which network, and how well it is recorded.

    Counts are those "recorded"; the depth test drops spikes of the layer that has more until both
    fire at one rate. With "equal" counts each place has at most `MOST` spikes of a unit in a trial.
    With "unequal" ones the depth test drops none, and then it does not keep its level. "equal, no
    background" leaves the spontaneous spikes out. "matched" drops spikes of the depth test until
    both layers have as many in every trial. "firing" shows only images for which hidden 4 has
    `FIRING` spikes by 1.9. With "first 12" a trial ends with its twelfth spike, whenever that
    comes; no other cut is needed then, and nothing dropped. "wide at times" and "narrow at times"
    are nulls of the depth test in which one of two halves of a layer fires in half of the trials.
    The question "units" is that of the digit, asked with one bin as wide as the trial.
    The network "null" has nothing to be found in a trained one, "null: NETWORK" in another.
    """

    network: str
    question: str
    place: str
    kept: str = "decision"
    counts: str = "recorded"
    n_units: int = 50
    jitter: float = 0.05
    n_trials: int = 30

    @property
    def is_null(self) -> bool:
        """Whether there is nothing to be found."""
        return self.network.startswith(NOTHING)

    @property
    def shown_to(self) -> str:
        """The network whose spikes are recorded."""
        return self.network.removeprefix(NOTHING).removeprefix(": ") or "trained"


COLUMNS = (*(field.name for field in fields(Experiment)), "spikes", "p_values")
DEEP = (("depth", "hidden 2 and 4"), ("digit", "hidden 4"))
PLACES = (*DEEP, ("digit", "hidden 1"), ("dithering", "array"), ("shuffling", "array"))
INPUT = (("digit", "input"), ("dithering", "input"), ("shuffling", "input"))
NULL = (*DEEP, ("dithering", "array"), ("shuffling", "array"))
CURVES = ("trained", "untrained")


def experiments() -> Iterator[Experiment]:
    """Every row of the table: all networks at one design, then nulls, power curves, controls."""
    given: dict[str, Any]
    for network in list(NETWORKS)[:-1]:
        asked = PLACES + INPUT if network in ("trained", "digits, trained") else PLACES
        for (question, place), kept in product(asked, KEPT):
            yield Experiment(network, question, place, kept, "equal")
        for question, place in asked:
            yield Experiment(network, question, place)
        for (question, place), kept in product(DEEP, ("1.9", "all")):
            yield Experiment(network, question, place, kept)
    for (question, place), n_units, n_trials in product(NULL, N_UNITS, N_TRIALS):
        for counts in ("recorded", "unequal") if question == "depth" else ("recorded",):
            given = {"counts": counts, "n_units": n_units, "n_trials": n_trials}
            yield Experiment(NOTHING, question, place, **given)
    for network, (question, place), n_units, jitter, n_trials in product(
        CURVES, DEEP, N_UNITS, JITTERS, N_TRIALS
    ):
        given = {"n_units": n_units, "jitter": jitter, "n_trials": n_trials}
        usual = Experiment(network, question, place)
        if replace(usual, **given) != usual:
            yield Experiment(network, question, place, **given)
            if n_units >= usual.n_units and jitter == usual.jitter:
                yield Experiment(network, question, place, "1.9", **given)
    yield from controls()


def controls() -> Iterator[Experiment]:
    """Rows that rule out another reading of the others."""
    *others, scaled = NETWORKS
    for (question, place), counts in product(DEEP, ("recorded", "equal")):
        yield Experiment(scaled, question, place, "1.9", counts)
    for network in ("trained", "untrained", "digits, trained", "digits, untrained"):
        yield Experiment(network, "depth", "hidden 2 and 4", counts="equal, no background")
    for kept in KEPT:
        yield Experiment("free signs", "digit", "input", kept, "equal")
    yield Experiment("free signs", "digit", "input")
    for network in others:
        places = ("input", "hidden 1", "hidden 4")[0 if network in LEARNED else 1 :]
        for place, counts in product(places, ("recorded", "equal")):
            if (network in CURVES, place, counts) != (True, "hidden 4", "recorded"):
                yield Experiment(network, "digit", place, counts=counts, n_trials=100)
        yield Experiment(network, "digit", "hidden 4", "all", n_trials=100)
        for kept, n_trials in (("decision", 30), ("1.9", 30), ("all", 30), ("all", 100)):
            yield Experiment(network, "units", "hidden 4", kept, n_trials=n_trials)
        yield Experiment(network, "units", "hidden 4", "1.9", "equal")
    yield from in_one_bin()
    yield from first_spikes()
    yield from without_jitter()
    yield Experiment(scaled, "digit", "hidden 4", "1.9", n_trials=100)
    for n_trials in N_TRIALS:
        yield Experiment(scaled, "units", "hidden 4", "1.9", n_trials=n_trials)
    for network, counts in product(("trained", scaled), ("firing", "firing, equal")):
        yield Experiment(network, "digit", "hidden 4", "1.9", counts)
    for network in ("trained", scaled, "digits, trained", "digits, untrained"):
        yield Experiment(network, "depth", "hidden 2 and 4", "1.9", "matched")
    yield Experiment("shuffled labels", "shuffling", "array", "1.9")
    yield Experiment("trained", "units", "hidden 4", n_units=20, jitter=0.2)
    for counts, n_trials in product(("wide at times", "narrow at times"), N_TRIALS):
        given: dict[str, Any] = {"n_units": 100, "n_trials": n_trials}
        yield Experiment(NOTHING, "depth", "hidden 2 and 4", counts=counts, **given)
    untaught = ("untrained", "shuffled labels", "shuffled, unhurried", scaled)
    asked = [null for null in NULL if null[0] != "dithering"]
    for network, (question, place), n_trials in product(untaught, asked, N_TRIALS):
        kept = "1.9" if network == scaled else "decision"
        yield Experiment(f"{NOTHING}: {network}", question, place, kept, n_trials=n_trials)


def in_one_bin() -> Iterator[Experiment]:
    """Whether early layers find the digit less often, too, if all units that fire count."""
    for network in LEARNED:
        yield Experiment(network, "units", "hidden 4", counts="equal")
        for place, kept in product(("input", "hidden 1"), ("decision", "1.9")):
            yield Experiment(network, "units", place, kept, "equal")


def first_spikes() -> Iterator[Experiment]:
    """Whether the digit tells which units fire first."""
    for network, jitter, n in product(NETWORKS, JITTERS[:2], FIRST):
        for place in ("hidden 1", "hidden 4"):
            yield Experiment(network, "units", place, "all", f"first {n}", jitter=jitter)
    *_, scaled = NETWORKS
    for network, n in product(("trained", scaled), FIRST):
        yield Experiment(network, "units", "hidden 4", "all", f"firing, first {n}")


def without_jitter() -> Iterator[Experiment]:
    """Whether those that know nothing of digits pass on more with exact times."""
    *_, scaled = NETWORKS
    for network, kept in product(NETWORKS, ("decision", "1.9")):
        if (network in CURVES, kept) != (True, "decision") and (network, kept) != (
            scaled,
            "decision",
        ):
            yield Experiment(network, "digit", "hidden 4", kept, jitter=0.0)


@cache
def spikes_of(name: str, seed: int, epoch: int | None) -> Spikes:
    """What a network does with test images: all digits, or every third of MNIST."""
    run = shipped(name, seed)
    if run.config.dataset.name == "mnist":
        images, labels = load_test_samples(run.config)
        run = run.showing(Samples(images[::EVERY], labels[::EVERY]))
    return excitable(run) if epoch == EXCITABLE else run.spikes(epoch)


def excitable(run: Run) -> Spikes:
    """Spikes of the untrained network, each layer scaled to the trained share before 1.9."""
    trained = run.spikes()
    layers = [trained.input]
    for weights, goal in zip(run.weights(0), trained.layers, strict=True):
        part = slice(None, None, CALIBRATED_BY)
        share = np.mean(goal[part] <= KEPT["1.9"])
        low, high = 0.0, 20.0
        for _ in range(20):
            scale = (low + high) / 2
            volley = layer_of(run, scale * weights, layers[-1][part])
            few = np.mean(volley <= KEPT["1.9"]) < share
            low, high = (scale, high) if few else (low, scale)
        layers.append(layer_of(run, high * weights, layers[-1]))
    return Spikes(trained.labels, trained.input, layers[1:])


def layer_of(run: Run, weights: NDArray[Any], volley: NDArray[Any]) -> NDArray[Any]:
    """Spike times of one layer."""
    network = TTFSNetwork.from_weights([torch.from_numpy(weights)], run.config.params)
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(volley))[-1])


def networks(experiment: Experiment) -> list[Spikes]:
    """The seeds that take turns."""
    return [spikes_of(*network) for network in NETWORKS[experiment.shown_to]]


def p_values(experiment: Experiment) -> tuple[list[float], float]:
    """P-values of the repeated experiment, and its mean number of spikes in a trial."""
    seeds = networks(experiment)
    found = [once(experiment, seeds[k % len(seeds)], k) for k in range(N_EXPERIMENTS)]
    values, spikes = zip(*found, strict=True)
    return list(values), float(np.mean(spikes))


def once(experiment: Experiment, spikes: Spikes, number: int) -> tuple[float, float]:
    """P-value of one experiment, and its mean number of spikes in a trial."""
    rng = np.random.default_rng([number, experiment.n_trials])
    shown = rng.choice(images(experiment, spikes), experiment.n_trials, replace=False)
    one_image = experiment.is_null and experiment.place == "array"
    if one_image:
        shown[:] = shown[0]
    seen = record(experiment, spikes, shown, rng)
    labels = spikes.labels[shown]
    if experiment.is_null:
        labels = rng.permutation(labels)
    return p_value(experiment.question, seen, labels, rng), len(seen.times) / seen.n_trials


def images(experiment: Experiment, spikes: Spikes) -> NDArray[np.int64]:
    """Those that an experiment may show."""
    if "firing" not in experiment.counts:
        return np.arange(len(spikes.labels))
    return np.flatnonzero(np.sum(spikes.layers[-2] <= KEPT["1.9"], axis=1) >= FIRING)


def p_value(
    question: str, seen: Observation, labels: NDArray[np.int64], rng: np.random.Generator
) -> float:
    """What a test says of a recording."""
    if question == "depth":
        options = {"wide": 0, "narrow": 1, "n_spikes": WIDTH_OF}
        return width_p_value(seen, **options, rng=rng, n_permutations=N_SURROGATES)
    if question in ("digit", "units"):
        width = BIN if question == "digit" else 2 * DURATION
        return label_p_value(seen, labels, width, rng=rng, n_permutations=N_SURROGATES)
    surrogate = {
        "dithering": lambda seen, rng: dithered(seen, DITHER, rng),
        "shuffling": trials_shuffled,
    }[question]
    return surrogate_p_value(
        seen, lambda o: coincidences(o, BIN), surrogate, rng=rng, n_surrogates=N_SURROGATES
    )


def record(
    experiment: Experiment, spikes: Spikes, shown: NDArray[np.int64], rng: np.random.Generator
) -> Observation:
    """Some units in some trials, until the moment of the cut."""
    until = KEPT[experiment.kept]
    cut = decision_time(spikes.layers[-1][shown]) if until is None else np.full(len(shown), until)
    layers = [volley[shown] for volley in (spikes.input, *spikes.layers[:-1])]
    parts = thinned(experiment, recorded(experiment, layers, rng), cut, rng)
    background = 0 if "no background" in experiment.counts else BACKGROUND * DURATION
    faults = {"jitter": experiment.jitter, "background": background}
    sites = [np.arange(part.shape[1]) for part in parts]
    seen = observe(parts, sites, rng, duration=DURATION, **faults)
    *_, counts = experiment.counts.split(", ")
    if counts.startswith("first "):
        cut = time_of_spike(int(counts.removeprefix("first ")), seen)
    inside = seen.times <= cut[seen.trials]
    kept = {name: getattr(seen, name)[inside] for name in ("times", "trials", "units")}
    return replace(seen, **kept)


def time_of_spike(number: int, seen: Observation) -> NDArray[Any]:
    """When each trial has had so many spikes; inf where it never has."""
    trains = [np.sort(seen.times[seen.trials == trial]) for trial in range(seen.n_trials)]
    return np.array([train[number - 1] if len(train) >= number else np.inf for train in trains])


def thinned(
    experiment: Experiment, parts: list[NDArray[Any]], cut: NDArray[Any], rng: np.random.Generator
) -> list[NDArray[Any]]:
    """Without the spikes that the counts ask to drop."""
    counts = experiment.counts
    if counts == "matched":
        return matched(parts, cut, rng)
    if "at times" in counts:
        of = ("wide at times", "narrow at times").index(counts)
        parts[of] = np.where(rng.random((len(cut), 1)) < 0.5, parts[of], np.inf)
    elif experiment.is_null and experiment.question == "depth":
        parts[0] = _with_share(parts[0], 0.5, rng)
    is_equal = "equal" in counts.split(", ")
    if not is_equal and (len(parts) == 1 or counts == "unequal"):
        return parts
    rates = [float(np.mean(part <= cut[:, np.newaxis])) for part in parts]
    goal = min(*rates, MOST if is_equal else 1)
    shares = [goal / rate if rate else 0 for rate in rates]
    return [_with_share(part, share, rng) for part, share in zip(parts, shares, strict=True)]


def matched(
    parts: list[NDArray[Any]], cut: NDArray[Any], rng: np.random.Generator
) -> list[NDArray[Any]]:
    """Drop spikes at random until all parts have as many before the cut, in every trial."""
    early = [part <= cut[:, np.newaxis] for part in parts]
    goal = np.min([spikes.sum(axis=1) for spikes in early], axis=0)
    kept = []
    for part, spikes in zip(parts, early, strict=True):
        lots = np.where(spikes, rng.random(part.shape), 2)
        place = lots.argsort(axis=1).argsort(axis=1)
        kept.append(np.where((place < goal[:, np.newaxis]) | ~spikes, part, np.inf))
    return kept


def recorded(
    experiment: Experiment, layers: list[NDArray[Any]], rng: np.random.Generator
) -> list[NDArray[Any]]:
    """Spike times of the units at the electrodes, part by part; units are drawn at random."""
    n_units = experiment.n_units
    if experiment.question == "depth":
        if experiment.is_null:
            return np.split(_some(layers[3], 2 * n_units, rng), 2, axis=1)
        return [_some(layers[2], n_units, rng), _some(layers[4], n_units, rng)]
    places = {"input": layers[:1], "hidden 1": layers[1:2], "hidden 4": layers[4:]}
    return [_some(np.hstack(places.get(experiment.place, layers[1:])), n_units, rng)]


def _some(volley: NDArray[Any], n_units: int, rng: np.random.Generator) -> NDArray[Any]:
    return volley[:, rng.choice(volley.shape[1], n_units, replace=False)]


def _with_share(volley: NDArray[Any], share: float, rng: np.random.Generator) -> NDArray[Any]:
    """Keep a share of the spikes."""
    return np.where(rng.random(volley.shape) < share, volley, np.inf)


def key(experiment: Experiment) -> tuple[str, ...]:
    """The columns that name a row."""
    return tuple(map(str, astuple(experiment)))


def measured(experiment: Experiment) -> list[str]:
    """Spikes in a trial and p-values, as the table has them."""
    found, spikes = p_values(experiment)
    return [f"{spikes:.1f}", " ".join(f"{10_000 * p:.0f}" for p in found)]


def main(out: Path = TABLE) -> None:
    """Add what the table lacks, and put its rows in order."""
    tables.complete(out, COLUMNS, experiments(), key, measured)


if __name__ == "__main__":
    main(tables.path_from_arguments(__doc__, TABLE))
