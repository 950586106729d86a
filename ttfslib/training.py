r"""Training a deep first-spike network: data, one epoch, evaluation, and resuming bit for bit.

All randomness of a training comes from one generator that its seed starts, and its whole state is
in the checkpoint that each epoch ends with. A training that is killed at any moment goes on from
there and ends in the very weights of the uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ttfslib import _checks, datasets, runs
from ttfslib._files import Arrays, load_tensors, save_tensors
from ttfslib.config import TrainingConfig
from ttfslib.encoding import latency_encode
from ttfslib.nn import (
    FirstSpikeCrossEntropy,
    SilentNeuronRemedy,
    SpikeTimeMSE,
    TTFSNetwork,
    first_spike_class,
)
from ttfslib.synchrony import decision_time, packet_statistics

CHECKPOINT = "checkpoint.safetensors"
N_YIN_YANG, N_YIN_YANG_TEST = 5000, 1000
EVALUATION_BATCH = 500
N_PACKET_SAMPLES = 1000


class Samples(NamedTuple):
    """Features in [0, 1], shape (n_samples, ...), and labels, shape (n_samples,)."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """What a network does with given samples.

    Attributes
    ----------
    loss, accuracy : float
        Undecided samples, those without an output spike, count as wrong.
    predicted : int array, shape (n_samples,)
        -1 where undecided.
    layers : list of float arrays, shapes (n_samples, n_neurons)
        Spike times from the input to the output.
    """

    loss: float
    accuracy: float
    predicted: NDArray[np.int64]
    layers: list[NDArray[Any]]

    @property
    def decision_times(self) -> NDArray[np.float64]:
        """First output spike of each sample, ``inf`` where undecided."""
        return decision_time(self.layers[-1])


def load_samples(config: TrainingConfig) -> dict[str, Samples]:
    """Load the samples of a config, split into "train", "validation" and "test".

    Raises
    ------
    OSError
        If the data set cannot be had.
    ValueError
        If there are not more training samples than `config.n_validation`.
    """
    if config.dataset == "yin_yang":
        train = datasets.load_yin_yang(N_YIN_YANG + config.n_validation, seed=0)
        test = datasets.load_yin_yang(N_YIN_YANG_TEST, seed=1)
    else:
        load = {"mnist": datasets.load_mnist, "digits": datasets.load_digits}[config.dataset]
        train, test = load("train"), load("test")
    n_train = len(train[1]) - config.n_validation
    if n_train < 1:
        raise ValueError(
            f"n_validation must be below the {len(train[1])} training samples, "
            f"got {config.n_validation}"
        )
    return {
        "train": Samples(train[0][:n_train], train[1][:n_train]),
        "validation": Samples(train[0][n_train:], train[1][n_train:]),
        "test": Samples(*test),
    }


def encode(config: TrainingConfig, features: NDArray[np.float32]) -> Tensor:
    """Input spike times of samples, shape (n_samples, n_inputs), the bias inputs last."""
    times = latency_encode(features, config.early, config.late).astype(np.float32)
    bias = np.tile(np.asarray(config.bias_times, dtype=np.float32), (len(times), 1))
    return torch.from_numpy(np.hstack([times, bias]))


def make_network(
    config: TrainingConfig, n_inputs: int, n_classes: int, generator: torch.Generator
) -> TTFSNetwork:
    """Make the untrained network of a config."""
    return TTFSNetwork(
        [n_inputs, *config.hidden, n_classes],
        config.params,
        mean=config.weight_mean,
        std=config.weight_std,
        excitatory_share=config.excitatory_share,
        gradient_limit=config.gradient_limit,
        generator=generator,
    )


def make_loss(config: TrainingConfig) -> torch.nn.Module:
    """Make the loss of a config."""
    if config.loss == "mse":
        return SpikeTimeMSE(config.correct_time, config.wrong_time)
    return FirstSpikeCrossEntropy(config.xi, config.alpha, config.beta)


def learning_rate(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Learning rate of a step, counted from 0 over the whole training."""
    if config.schedule == "cosine":
        progress = step / (config.epochs * steps_per_epoch)
        return config.learning_rate * (1 + math.cos(math.pi * progress)) / 2
    epoch = step // steps_per_epoch
    return config.learning_rate * config.decay ** (epoch // config.decay_every)


def shift_images(images: Tensor, max_shift: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `max_shift` pixels in both directions; the margin is empty.

    Parameters
    ----------
    images : Tensor, shape (n_samples, height, width)
    max_shift : int
    generator : torch.Generator

    Returns
    -------
    Tensor, shape (n_samples, height, width)
    """
    n, height, width = images.shape
    padded = torch.nn.functional.pad(images, [max_shift] * 4)
    top, left = torch.randint(0, 2 * max_shift + 1, (2, n, 1), generator=generator)
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


@torch.no_grad()
def evaluate(
    network: TTFSNetwork, inputs: Tensor, labels: Tensor, loss: torch.nn.Module
) -> Evaluation:
    """Run a network on input spike times (n_samples, n_inputs) with labels (n_samples,)."""
    batches = zip(inputs.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True)
    outcomes = []
    for times, truth in batches:
        layers = network(times)
        outcomes.append((float(loss(layers[-1], truth)) * len(truth), [times, *layers]))
    layers = [torch.cat(parts) for parts in zip(*(o[1] for o in outcomes), strict=True)]
    predicted = first_spike_class(layers[-1])
    return Evaluation(
        loss=sum(o[0] for o in outcomes) / len(labels),
        accuracy=float((predicted == labels).double().mean()),
        predicted=predicted.numpy(),
        layers=[times.numpy() for times in layers],
    )


def fit(
    config: TrainingConfig,
    seed: int,
    out: str | Path,
    *,
    resume: bool = False,
    progress: bool = True,
) -> runs.Run:
    """Train a network and keep the run in a folder.

    Parameters
    ----------
    config : TrainingConfig
    seed : int
        Starts the one generator that draws weights, order, shifts and noise.
    out : path
        The folder of the run; made if need be.
    resume : bool
        Go on from the checkpoint in `out`, or begin if there is none.
    progress : bool
        Show a bar on stderr.

    Returns
    -------
    ttfslib.runs.Run

    Raises
    ------
    OSError
        If data are missing or a file cannot be written or read; what was there stays.
    ValueError
        If `out` holds something else, the loss is not finite, or the network stays silent.
    """
    out, seed = Path(out), _checks.integer("seed", seed, minimum=0)
    runs.claim(out, config, seed, resume=resume)
    training = _Training(config, seed, load_samples(config))
    if resume and (out / CHECKPOINT).exists():
        training.restore(*load_tensors(out / CHECKPOINT))
    elif resume and runs.is_finished(out):
        return runs.load_run(out)
    bar = tqdm(
        total=config.epochs, initial=training.epoch, disable=not progress, unit="epoch",
        desc=f"{config.name}, seed {seed}",
    )  # fmt: skip
    with bar:
        while training.epoch < config.epochs:
            training.run_epoch()
            save_tensors(out / CHECKPOINT, *training.state())
            bar.set_postfix_str(f"validation {training.history[-1]['validation_accuracy']:.2%}")
            bar.update()
    training.finish(out)
    (out / CHECKPOINT).unlink()
    return runs.load_run(out)


class _Training:
    """A training between two epochs; `state` and `restore` carry all that decides the rest."""

    def __init__(self, config: TrainingConfig, seed: int, samples: dict[str, Samples]) -> None:
        self.config, self.seed, self.samples = config, seed, samples
        self.generator = torch.Generator().manual_seed(seed)
        train = samples["train"]
        self.features = torch.from_numpy(np.ascontiguousarray(train.features))
        n_inputs = encode(config, train.features[:1]).shape[1]
        n_classes = int(train.labels.max()) + 1
        self.network = make_network(config, n_inputs, n_classes, self.generator)
        self.loss = make_loss(config)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self.remedy = SilentNeuronRemedy(
            self.network,
            config.silent_hidden_share,
            config.silent_output_share,
            config.silent_step,
        )
        labels = torch.from_numpy(train.labels)
        if config.shuffle_labels:
            labels = labels[torch.randperm(len(labels), generator=self.generator)]
        self.labels = labels
        self.evaluation_inputs = {
            part: encode(config, samples[part].features) for part in ("validation", "test")
        }
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.kept: Arrays = {}
        self._record({"train_loss": math.nan, "train_accuracy": math.nan}, time.perf_counter())

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.labels) // self.config.batch_size)

    def run_epoch(self) -> None:
        """Go once through the training samples, then measure."""
        started = time.perf_counter()
        total_loss, n_correct, n_silent = 0.0, 0, 0
        step = self.epoch * self.steps_per_epoch
        for inputs, labels in self._batches():
            rate = learning_rate(self.config, step, self.steps_per_epoch)
            loss, output = self._step(inputs, labels, rate)
            total_loss += loss * len(labels)
            n_correct += int((first_spike_class(output) == labels).sum())
            n_silent += int(torch.isinf(output).all(dim=1).sum())
            step += 1
        self.epoch += 1
        n = len(self.labels)
        if n_silent == n:
            raise ValueError(
                f"no output neuron fired in epoch {self.epoch}: weights too small to train "
                "(raise weight_mean, weight_std or silent_step)"
            )
        self._record({"train_loss": total_loss / n, "train_accuracy": n_correct / n}, started)

    def _step(self, inputs: Tensor, labels: Tensor, rate: float) -> tuple[float, Tensor]:
        self.optimizer.param_groups[0]["lr"] = rate
        layers = self.network(inputs)
        loss = self.loss(layers[-1], labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ValueError(
                f"the loss became {value} in epoch {self.epoch + 1}: lower learning_rate or "
                "gradient_limit"
            )
        if loss.requires_grad:
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.remedy(layers)
        self.network.obey_dale()
        return value, layers[-1].detach()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        config = self.config
        order = torch.randperm(len(self.labels), generator=self.generator)
        for chosen in order.split(config.batch_size):
            features = self.features[chosen]
            if config.max_shift:
                features = shift_images(features, config.max_shift, self.generator)
            inputs = encode(config, features.numpy())
            if config.input_noise:
                noise = torch.randn(inputs.shape, generator=self.generator)
                inputs = inputs + config.input_noise * noise
            yield inputs, self.labels[chosen]

    def _evaluate(self, part: str) -> Evaluation:
        labels = torch.from_numpy(self.samples[part].labels)
        return evaluate(self.network, self.evaluation_inputs[part], labels, self.loss)

    def _record(self, trained: dict[str, float], started: float) -> None:
        """Measure on the validation samples, and keep weights and spikes where asked to."""
        validation = self._evaluate("validation")
        few = [times[:N_PACKET_SAMPLES] for times in validation.layers]
        packets = packet_statistics(few, decision_time(few[-1])).mean()
        row = {
            "epoch": self.epoch,
            "learning_rate": learning_rate(
                self.config, self.epoch * self.steps_per_epoch, self.steps_per_epoch
            ),
            **trained,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.accuracy,
            "decision_time": float(np.median(validation.decision_times)),
        }
        for i, times in enumerate(validation.layers):
            row[f"silent_{i}"] = float(np.isinf(times).mean())
        for measure in ("activity", "shorth"):
            row |= {f"{measure}_{i}": float(v) for i, v in enumerate(packets[measure])}
        row["seconds"] = time.perf_counter() - started
        self.history.append(row)
        if self.epoch == 0 or self.epoch in self.config.kept_epochs:
            self._keep(runs.FEW_SAMPLES)

    def _keep(self, n_samples: int) -> Evaluation:
        self.kept |= runs.weight_arrays(self.network, self.epoch)
        rounded = runs.network_of(self.config, runs.weights_at(self.kept, self.epoch))
        labels = torch.from_numpy(self.samples["test"].labels)
        outcome = evaluate(rounded, self.evaluation_inputs["test"], labels, self.loss)
        self.kept |= runs.spike_arrays(outcome.layers, self.epoch, n_samples)
        return outcome

    def finish(self, out: Path) -> None:
        """Measure the trained network on the test samples and write the run."""
        outcome = self._keep(self.config.n_kept_samples)
        runs.write_run(
            out,
            self.config,
            self.seed,
            self.history,
            self.kept,
            outcome,
            self.samples["test"].labels,
        )

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Everything a checkpoint must hold: arrays, and what JSON can say."""
        arrays = {f"kept/{name}": array for name, array in self.kept.items()}
        for i, parameter in enumerate(self.network.parameters()):
            arrays[f"weight/{i}"] = parameter.detach().numpy()
            moments = self.optimizer.state[parameter]
            for moment in ("step", "exp_avg", "exp_avg_sq"):
                arrays[f"{moment}/{i}"] = moments[moment].numpy()
        arrays["generator"] = self.generator.get_state().numpy()
        about = {
            "epoch": self.epoch,
            "history": self.history,
            "times_in_a_row": self.remedy.times_in_a_row,
        }
        return arrays, about

    def restore(self, arrays: Arrays, about: dict[str, Any]) -> None:
        """Take up the state that `state` returned."""
        self.epoch, self.history = about["epoch"], about["history"]
        self.remedy.times_in_a_row = about["times_in_a_row"]
        self.kept = {n.removeprefix("kept/"): a for n, a in arrays.items() if n[:5] == "kept/"}
        self.generator.set_state(torch.from_numpy(arrays["generator"]))
        for i, parameter in enumerate(self.network.parameters()):
            parameter.data.copy_(torch.from_numpy(arrays[f"weight/{i}"]))
            self.optimizer.state[parameter] = {
                moment: torch.from_numpy(arrays[f"{moment}/{i}"])
                for moment in ("step", "exp_avg", "exp_avg_sq")
            }
