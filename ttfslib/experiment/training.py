r"""Training a deep first-spike network, epoch by epoch, and resuming it bit for bit.

All randomness of a training comes from one generator that its seed starts, and its whole state is
in the checkpoint that each epoch ends with. A training that is killed at any moment goes on from
there and ends in the very weights of the uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ttfslib import _checks
from ttfslib._files import (
    Arrays,
    Slots,
    largest_packed,
    load_tensors,
    one_line,
    remove_drafts,
    save_tensors,
)
from ttfslib.analysis.synchrony import packet_statistics
from ttfslib.experiment import _folder, _format, _history
from ttfslib.experiment._adam import Adam
from ttfslib.experiment._format import CHECKPOINT
from ttfslib.experiment._interrupts import interrupts_held_back
from ttfslib.experiment.config import TrainingConfig
from ttfslib.experiment.evaluation import Evaluation, evaluate
from ttfslib.experiment.recipe import (
    Samples,
    deform_images,
    encode,
    learning_rate,
    load_samples,
    make_loss,
    make_network,
    mirror_images,
    noise_scale,
    propagate,
    shift_images,
)
from ttfslib.experiment.runs import Run, load_run
from ttfslib.losses import log_packet_width
from ttfslib.readout import decided_class, decision_time
from ttfslib.remedy import SilentNeuronRemedy

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What Adam remembers of each parameter."""
N_PACKET_SAMPLES = 1000


def fit(
    config: TrainingConfig,
    seed: int,
    out: str | Path,
    *,
    resume: bool = False,
    progress: bool = True,
    device: str = "cpu",
) -> Run:
    """Train a network and keep the run in a folder.

    Parameters
    ----------
    config : TrainingConfig
    seed : int
        Starts the one generator that draws weights, order, shifts and noise; from 0 to 2^63 - 1.
    out : path
        The folder of the run; made if need be.
    resume : bool
        Go on from the checkpoint in `out`, or begin if there is none. A finished run is returned
        as it is.
    progress : bool
        Show a bar on stderr.
    device : {"cpu", "cuda"}
        Where the network is trained. Randomness is drawn on the CPU, the same for both; results
        agree up to rounding, which a training soon makes large, and repeat bit for bit on each.

    Returns
    -------
    Run

    Raises
    ------
    OSError
        If another training works in `out`, data are missing, or a file cannot be written or
        read; what was there stays.
    ValueError
        If there is no such device, `out` holds something else, the loss or a weight is no longer
        finite, or no output neuron fires in a whole epoch. The checkpoint of the epoch before
        stays.
    """
    if not isinstance(config, TrainingConfig):
        raise ValueError(f"config must be a TrainingConfig, got {type(config).__name__}")
    out, seed = _checks.path("out", out), _checks.integer("seed", seed, minimum=0)
    resume, progress = _checks.truth("resume", resume), _checks.truth("progress", progress)
    _check_device(device)
    # What another training may be about to change is looked at below, once it has ended.
    untouched = not _folder.is_locked(out) and not (out / CHECKPOINT).exists()
    if untouched and _is_done(config, seed, out, resume=resume):
        return load_run(out)
    samples = load_samples(config)
    with _folder.held(out):
        if not _is_done(config, seed, out, resume=resume):
            training = _Training(config, seed, samples, device)
            if not (out / _format.CONFIG).exists():
                _folder.begin(out, config, seed)
            remove_drafts(out)
            _train(training, out / CHECKPOINT, progress=progress)
        run = load_run(out)
        (out / CHECKPOINT).unlink(missing_ok=True)
    return run


def _is_done(config: TrainingConfig, seed: int, out: Path, *, resume: bool) -> bool:
    """Whether this very training has ended in the folder; raises if the folder is not for it."""
    return _folder.is_begun(out, config, seed, resume=resume) and _folder.is_finished(out)


def _train(training: _Training, checkpoint: Path, *, progress: bool) -> None:
    """Go on from the checkpoint, if there is one, to the end, and write the run beside it."""
    with interrupts_held_back() as let_interrupts_in:
        if checkpoint.exists():
            training.restore(checkpoint)
        else:
            training.measure_untrained()
        _go_on(training, checkpoint, let_interrupts_in, progress=progress)
        training.finish(checkpoint.parent)


def _check_device(device: str) -> None:
    if (
        _checks.one_of("device", device, _format.DEVICES) == "cuda"
        and not torch.cuda.is_available()
    ):
        raise ValueError("device must be cpu, as torch finds no CUDA device here, got cuda")


def _go_on(
    training: _Training, checkpoint: Path, after_step: Callable[[], None], *, progress: bool
) -> None:
    """Train to the last epoch, with a checkpoint after each."""
    config = training.config
    bar = tqdm(
        total=config.epochs, initial=training.epoch, disable=not progress, unit="epoch",
        desc=f"{config.name}, seed {training.seed}",
    )  # fmt: skip
    with bar:
        while training.epoch < config.epochs:
            training.run_epoch(after_step)
            save_tensors(checkpoint, *training.state())
            bar.set_postfix_str(f"validation {training.history[-1]['validation_accuracy']:.2%}")
            bar.update()


class Clocks(NamedTuple):
    """Seconds on the wall, and seconds of all cores that this process has used."""

    wall: float
    cpu: float


def _clocks() -> Clocks:
    return Clocks(time.perf_counter(), time.process_time())


class _Training:
    """A training between two epochs; `state` and `restore` carry all that decides the rest."""

    def __init__(
        self, config: TrainingConfig, seed: int, samples: dict[str, Samples], device: str = "cpu"
    ) -> None:
        self.config, self.seed, self.samples, self.device = config, seed, samples, device
        self.generator = torch.Generator().manual_seed(seed)
        train = samples["train"]
        self.features = torch.from_numpy(np.ascontiguousarray(train.features))
        self.network = make_network(config, self.generator).to(device)
        self.loss = make_loss(config)
        self.optimizer = Adam(self.network.parameters())
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

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.labels) // self.config.batch_size)

    def measure_untrained(self) -> None:
        """Begin the history with the network as it was drawn."""
        self._record({"train_loss": math.nan, "train_accuracy": math.nan}, _clocks())

    def run_epoch(self, after_step: Callable[[], None]) -> None:
        """Go once through the training samples, then measure."""
        started = _clocks()
        self.epoch += 1
        try:
            trained, decided = self._train(after_step)
            if decided:
                self._record(trained, started)
        except ValueError as error:  # the loss, or as the next forward pass notices, the weights
            raise ValueError(
                f"training broke down in epoch {self.epoch}: {error} (lower learning_rate or "
                "gradient_limit)"
            ) from error
        if not decided:
            raise ValueError(
                f"no output neuron fired in epoch {self.epoch}: weights too small to train "
                "(raise weight_mean, weight_std or silent_step)"
            )

    def _train(self, after_step: Callable[[], None]) -> tuple[dict[str, float], bool]:
        """Take the steps of an epoch; return its measures and whether any output fired."""
        total_loss, n_correct, decided = 0.0, 0, False
        step = (self.epoch - 1) * self.steps_per_epoch
        for inputs, labels in self._batches():
            rate = learning_rate(self.config, step, self.steps_per_epoch)
            loss, output = self._step(inputs, labels, rate)
            total_loss += loss * len(labels)
            n_correct += int((decided_class(output) == labels).sum())
            decided |= bool(torch.isfinite(output).any())
            step += 1
            after_step()
        n = len(self.labels)
        return {"train_loss": total_loss / n, "train_accuracy": n_correct / n}, decided

    def _step(self, inputs: Tensor, labels: Tensor, rate: float) -> tuple[float, Tensor]:
        layers = propagate(self.config, self.network, inputs, self.generator)
        loss = self.loss(layers[-1], labels)
        if pressure := self.config.synchrony_pressure:
            loss = loss + pressure * log_packet_width(layers)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ValueError(f"the loss became {value}")
        self.network.zero_grad()
        loss.backward()
        self.optimizer.step(rate)
        self.remedy(layers)
        self.network.clip()
        return value, layers[-1].detach()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        config = self.config
        order = torch.randperm(len(self.labels), generator=self.generator)
        first = (self.epoch - 1) * self.steps_per_epoch
        for step, chosen in enumerate(order.split(config.batch_size), start=first):
            features = self.features[chosen]
            if config.max_shift:
                features = shift_images(features, config.max_shift, self.generator)
            if config.mirror:
                features = mirror_images(features, self.generator)
            if config.deformation:
                features = deform_images(features, config.deformation, self.generator)
            inputs = encode(config, features.numpy())
            if scale := noise_scale(config, step, self.steps_per_epoch):
                inputs = inputs + scale * torch.randn(inputs.shape, generator=self.generator)
            yield inputs.to(self.device), self.labels[chosen].to(self.device)

    def _evaluate(self, part: str) -> Evaluation:
        labels = torch.from_numpy(self.samples[part].labels)
        return evaluate(self.network, self.evaluation_inputs[part], labels, self.loss)

    def _record(self, trained: dict[str, float], started: Clocks) -> None:
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
        now = _clocks()
        row["seconds"], row["cpu_seconds"] = now.wall - started.wall, now.cpu - started.cpu
        self.history.append(row)
        if self.epoch == 0 or self.epoch in self.config.kept_epochs:
            self._keep()

    def _keep(self) -> None:
        self.kept |= _format.weight_arrays(self.network, self.epoch)

    def finish(self, out: Path) -> None:
        """Measure the trained network, as it is kept, on the test samples and write the run."""
        self._keep()
        weights, delays = (
            _format.weights_at(self.kept, self.epoch, kind)
            for kind in (_format.WEIGHT, _format.DELAY)
        )
        kept = _format.network_of(self.config, weights, delays)
        labels = torch.from_numpy(self.samples["test"].labels)
        inputs = self.evaluation_inputs["test"]
        outcome = evaluate(kept.to(self.device), inputs, labels, self.loss)
        _format.write(out, self.config, self.seed, self.history, self.kept, outcome, self.device)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Everything a checkpoint must hold: arrays, and what JSON can say."""
        arrays = {f"kept/{name}": array for name, array in self.kept.items()}
        for i, parameter in enumerate(self.network.parameters()):
            arrays[f"weight/{i}"] = parameter.detach().cpu().numpy()
            moments = self.optimizer.state[parameter]
            for moment in MOMENTS:
                arrays[f"{moment}/{i}"] = moments[moment].cpu().numpy()
        arrays["generator"] = self.generator.get_state().numpy()
        about = {
            "settings": _format.settings(self.config, self.seed),
            "epoch": self.epoch,
            "history": self.history,
            "times_in_a_row": self.remedy.times_in_a_row,
        }
        return arrays, about

    def restore(self, checkpoint: Path) -> None:
        """Take up the state that `state` returned.

        Raises
        ------
        OSError
            If the checkpoint is damaged or that of another training.
        """

        def slots(about: Mapping[str, Any]) -> Slots:
            if not _format.describes(about.get("settings"), self.config, self.seed):
                raise OSError(f"{checkpoint} is not of this training: it has other settings")
            return self._slots(about)

        arrays, about = load_tensors(checkpoint, slots, self._largest_checkpoint())
        try:
            self.generator.set_state(torch.from_numpy(arrays["generator"]))
        except RuntimeError as error:
            raise OSError(f"{checkpoint} is damaged: {one_line(error)}") from None
        self.epoch, self.history = about["epoch"], about["history"]
        self.remedy.times_in_a_row = about["times_in_a_row"]
        self.kept = {n.removeprefix("kept/"): a for n, a in arrays.items() if n[:5] == "kept/"}
        for i, parameter in enumerate(self.network.parameters()):
            parameter.data.copy_(torch.from_numpy(arrays[f"weight/{i}"]))
            self.optimizer.state[parameter] = {"step": torch.from_numpy(arrays[f"step/{i}"])}
            for moment in ("exp_avg", "exp_avg_sq"):
                values = torch.from_numpy(arrays[f"{moment}/{i}"])
                self.optimizer.state[parameter][moment] = values.to(self.device)

    def _slots(self, about: Mapping[str, Any]) -> Slots:
        """Arrays that a checkpoint must hold which says this of itself; ValueError if none can."""
        epoch = _checks.integer("epoch", about.get("epoch"))
        if epoch > self.config.epochs:
            raise ValueError(f"epoch must be at most {self.config.epochs}, got {epoch}")
        _history.check(_history.from_rows(about.get("history")), self.config, epoch)
        in_a_row = about.get("times_in_a_row")
        if not isinstance(in_a_row, list) or len(in_a_row) != len(self.network.layers):
            raise ValueError("times_in_a_row must have an entry for each layer")
        for times in in_a_row:
            _checks.integer("times_in_a_row", times, minimum=0)
        return self._slots_at(epoch)

    def _slots_at(self, epoch: int) -> Slots:
        kept = [k for k in sorted({0, *self.config.kept_epochs}) if k <= epoch]
        weights = _format.weight_slots(self.config, kept)
        slots = {f"kept/{name}": slot for name, slot in weights.items()}
        for i, parameter in enumerate(self.network.parameters()):
            shape = tuple(parameter.shape)
            slots |= {f"{name}/{i}": ("float32", shape) for name in ("weight", *MOMENTS)}
            slots[f"step/{i}"] = ("float32", ())
        return slots | {"generator": ("uint8", tuple(self.generator.get_state().shape))}

    def _largest_checkpoint(self) -> int:
        cells = (self.config.epochs + 1) * len(_history.columns(self.config))
        return largest_packed(self._slots_at(self.config.epochs), 100 * cells + 10_000)
