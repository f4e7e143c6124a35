"""An epoch of training in PyTorch: the batches of ours, cut to their buckets or all padded to one length."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lstm_jax.benchmarks import epoch_task
from lstm_jax.benchmarks.epoch_task import Reviews, Task
from lstm_jax.benchmarks.implementations.torch_device import torch_device
from lstm_jax.benchmarks.implementations.torch_network import Network


class Batch(NamedTuple):
    """The reviews of a step, time leading."""

    tokens: Tensor  # [T, B] int64
    lengths: Tensor  # [B], none 0
    labels: Tensor  # [B]


class Corpus:
    """A part of the reviews on the device that trains, gathered into batches there."""

    def __init__(self, reviews: Reviews, padded: int, front: bool, device: str) -> None:
        """Keeps the batches' lengths, or pads to ``padded`` words where that is not 0."""
        self._tokens, self._offsets, self._labels = (
            torch.from_numpy(values.astype(np.int64)).to(device) for values in reviews[:3]
        )
        self._front, self._device = front, device
        self._rows = [torch.from_numpy(rows[rows >= 0].astype(np.int64)) for rows in reviews.batches]
        self.lengths = [padded or int(length) for length in reviews.lengths]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, step: int) -> Batch:
        rows, length = self._rows[step].to(self._device), self.lengths[step]
        starts, time = self._offsets[rows], torch.arange(length, device=self._device)[:, None]
        lengths = (self._offsets[rows + 1] - starts).clamp(max=length)
        within = time - (length - lengths) if self._front else time
        there = (within >= 0) & (within < lengths)
        tokens = self._tokens[torch.where(there, starts + within, 0)].masked_fill(~there, 0)
        return Batch(tokens, torch.full_like(lengths, length) if self._front else lengths, self._labels[rows])


class Training:
    """A network on the first weights of a task, with its optimizer, schedule and average."""

    def __init__(self, task: Task, device: str) -> None:
        """Begins.

        Raises:
          NotImplementedError: the config asks for what is not written here.
        """
        config, hparams = task.config, task.hparams
        if config.optimizer.name != "adam" or hparams["optimizer.weight_decay"]:
            raise NotImplementedError("of this config no optimizer is written for PyTorch")
        rates = {name.rpartition(".")[2]: rate for name, rate in hparams.items() if name.startswith("model.dropout.")}
        self.network = Network(config.model, rates, task.unknown, task.weights).to(device)
        trained = {name: own for name, own in self.network.named_parameters() if own.requires_grad}
        rate, table = hparams["optimizer.learning_rate"], "embedding.weight"
        groups: list[dict[str, Any]] = [{"params": [own for name, own in trained.items() if name != table]}]
        if table in trained:
            groups.append({"params": [trained[table]], "lr": rate * hparams["optimizer.embedding_lr_scale"]})
        betas = hparams["optimizer.b1"], hparams["optimizer.b2"]
        self._optimizer = torch.optim.Adam(groups, rate, betas, hparams["optimizer.eps"], fused=True)
        factors = [*task.factors.tolist(), 0.0]  # the last is never used
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, lambda step: factors[step])
        self._trained, self._clip, self._ema = list(trained.values()), hparams["optimizer.clip_norm"], 0.0
        self._average: list[Tensor] = []
        if hparams["optimizer.ema"]:
            self._ema, self._average = hparams["optimizer.ema"], [own.detach().clone() for own in self._trained]
        self._steps = 0

    def step(self, batch: Batch) -> None:
        """Moves the weights."""
        self._optimizer.zero_grad()
        F.cross_entropy(self.network(batch.tokens, batch.lengths), batch.labels).backward()
        if self._clip:
            torch.nn.utils.clip_grad_norm_(self._trained, self._clip)
        self._optimizer.step()
        self._schedule.step()
        if self._ema:
            decay = min(self._ema, (1.0 + self._steps) / (10.0 + self._steps))
            with torch.no_grad():
                for average, own in zip(self._average, self._trained, strict=True):
                    average.lerp_(own, 1.0 - decay)
        self._steps += 1

    def evaluating(self) -> Network:
        """The network as it is evaluated, on the averaged weights where there are any; it trains no further."""
        with torch.no_grad():
            for average, own in zip(self._average, self._trained, strict=False):  # there may be no average
                own.copy_(average)
        self.network.eval()
        return self.network


class Epochs:
    """What a worker does for ``torch_padded``, or for those in buckets."""

    def __init__(self, name: str) -> None:
        self._padded = name == "torch_padded"

    def prepare(self, folder: str) -> dict[str, Any]:
        """Reads a task, makes a step of every length, and gives the loss of the first batch without dropout."""
        self.task = epoch_task.read(Path(folder))
        self._device = torch_device(self.task.platform)
        torch.backends.cudnn.allow_tf32 = False  # float32 is float32 for both
        length = self.task.config.data.tokens.max_length if self._padded else 0
        front = self._padded and self.task.padding == "front"
        self._corpora = {
            part: Corpus(getattr(self.task, part), length, front, self._device) for part in epoch_task.PARTS
        }
        train = self._corpora["train"]
        network = Training(self.task, self._device).evaluating()
        with torch.no_grad():
            batch = train[0]
            loss = float(F.cross_entropy(network(batch.tokens, batch.lengths), batch.labels))
        warm = Training(self.task, self._device)
        for step in [train.lengths.index(each) for each in set(train.lengths)][: len(train)]:
            warm.step(train[step])
        return {"first_loss": loss, "device": self._named(), "compile_seconds": 0.0}

    def epoch(self) -> dict[str, Any]:
        """Trains an epoch from the first weights and validates; seconds of training, and of both."""
        torch.manual_seed(self.task.config.seed)
        self.training, train = Training(self.task, self._device), self._corpora["train"]
        self._wait()
        start = time.perf_counter()
        for step in range(len(train)):
            self.training.step(train[step])
        self._wait()
        trained = time.perf_counter()
        self.evaluate("validation")
        return {"train_seconds": trained - start, "epoch_seconds": time.perf_counter() - start}

    def evaluate(self, part: str = "test") -> dict[str, Any]:
        """The accuracy on a part of the reviews of what the last epoch trained."""
        network, corpus, correct, reviews = self.training.evaluating(), self._corpora[part], 0, 0
        with torch.no_grad():
            for step in range(len(corpus)):
                batch = corpus[step]
                correct += int((network(batch.tokens, batch.lengths).argmax(-1) == batch.labels).sum())
                reviews += len(batch.labels)
        return {"accuracy": correct / reviews, "reviews": reviews}

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()

    def _named(self) -> str:
        return torch.cuda.get_device_name() if self._device == "cuda" else f"cpu, {torch.get_num_threads()} threads"
