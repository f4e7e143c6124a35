"""An epoch of training in PyTorch on our batches, padded to their buckets' lengths or all to one length."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lstm_jax.benchmarks.implementations import epoch_task
from lstm_jax.benchmarks.implementations.epoch_task import Batches, EpochTask
from lstm_jax.benchmarks.implementations.torch import torch_device
from lstm_jax.benchmarks.implementations.torch_network import TorchNetwork


class TorchBatch(NamedTuple):
    """The examples of a step, with time as the leading axis."""

    tokens: Tensor  # [T, B] int64
    lengths: Tensor  # [B], at least 1
    labels: Tensor  # [B]


class Corpus:
    """A split of the data on the training device. Indexing it with a step gathers that step's batch."""

    def __init__(self, batches: Batches, padded: int, front: bool, device: str) -> None:
        """Pads to each batch's own length, or to ``padded`` tokens if that is not 0; at the ``front`` or at the end."""
        self._tokens, self._offsets, self._labels = (
            torch.from_numpy(values.astype(np.int64)).to(device) for values in batches[:3]
        )
        self._front, self._device = front, device
        self._examples = [torch.from_numpy(own[own >= 0].astype(np.int64)) for own in batches.examples]
        self.lengths = [padded or int(length) for length in batches.lengths]

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, step: int) -> TorchBatch:
        examples, length = self._examples[step].to(self._device), self.lengths[step]
        starts, time = self._offsets[examples], torch.arange(length, device=self._device)[:, None]
        lengths = (self._offsets[examples + 1] - starts).clamp(max=length)
        within = time - (length - lengths) if self._front else time
        there = (within >= 0) & (within < lengths)
        tokens = self._tokens[torch.where(there, starts + within, 0)].masked_fill(~there, 0)
        lengths = torch.full_like(lengths, length) if self._front else lengths
        return TorchBatch(tokens, lengths, self._labels[examples])


class Training:
    """A network with the initial weights of a task, its optimizer, its schedule and its weight average."""

    def __init__(self, task: EpochTask, device: str) -> None:
        """Builds the network and the optimizer at step 0.

        Raises:
          NotImplementedError: The config asks for another optimizer or network.
        """
        config, hparams = task.config, task.hparams
        if config.optimizer.name != "adam" or hparams.get("optimizer.hparams.weight_decay"):
            raise NotImplementedError("the PyTorch epoch supports only Adam without weight decay")
        rates = {name.rpartition(".")[2]: rate for name, rate in hparams.items() if name.startswith("model.dropout.")}
        self.network = TorchNetwork(config.model, rates, task.unknown, task.weights).to(device)
        trained = {name: own for name, own in self.network.named_parameters() if own.requires_grad}
        rate, table = hparams["optimizer.learning_rate"], "embedding.weight"
        groups: list[dict[str, Any]] = [
            {"params": [own for name, own in trained.items() if name != table]},
            {"params": [trained[table]], "lr": rate * hparams["optimizer.embedding_lr_scale"]},
        ]
        betas = hparams["optimizer.hparams.b1"], hparams["optimizer.hparams.b2"]
        self._optimizer = torch.optim.Adam(groups, rate, betas, hparams["optimizer.hparams.eps"], fused=True)
        factors = [*task.factors.tolist(), 0.0]  # the last is never used
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, lambda step: factors[step])
        self._trained, self._clip, self._ema = list(trained.values()), hparams["optimizer.clip_norm"], 0.0
        self._average: list[Tensor] = []
        if hparams["optimizer.ema"]:
            self._ema, self._average = hparams["optimizer.ema"], [own.detach().clone() for own in self._trained]
        self._steps = 0

    def step(self, batch: TorchBatch) -> None:
        """Updates the weights."""
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

    def evaluation_network(self) -> TorchNetwork:
        """Returns the network for evaluation, with averaged weights if there are any. It cannot be trained further."""
        with torch.no_grad():
            for average, own in zip(self._average, self._trained, strict=False):  # there may be no average
                own.copy_(average)
        self.network.eval()
        return self.network


class TorchEpoch:
    """The process of ``torch_padded`` or of ``torch_bucketed``; see ``worker.py``."""

    def __init__(self, name: str) -> None:
        self._padded = name == "torch_padded"

    def prepare(self, folder: str) -> dict[str, Any]:
        """Reads a task, makes a step of every length, and returns the loss on the first batch without dropout."""
        self.task = epoch_task.read_task(Path(folder))
        self._device = torch_device(self.task.platform)
        torch.backends.cudnn.allow_tf32 = False  # as in all other implementations
        length = self.task.config.data.tokens.max_length if self._padded else 0
        front = self._padded and self.task.padding == "front"
        batches = self.task.batches
        self._corpora = {split: Corpus(batches[split], length, front, self._device) for split in batches}
        train = self._corpora["train"]
        network = Training(self.task, self._device).evaluation_network()
        with torch.no_grad():
            batch = Corpus(batches["train"], 0, False, self._device)[0]  # padded as in ours
            loss = float(F.cross_entropy(network(batch.tokens, batch.lengths), batch.labels))
        warm = Training(self.task, self._device)
        for step in [train.lengths.index(each) for each in set(train.lengths)]:
            warm.step(train[step])
        cuda = self._device == "cuda"
        device = torch.cuda.get_device_name() if cuda else f"cpu, {torch.get_num_threads()} threads"
        return {"first_loss": loss, "device": device, "compile_seconds": 0.0}

    def epoch(self) -> dict[str, Any]:
        """Trains an epoch from the initial weights, then validates. Returns the seconds of training and of both."""
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

    def evaluate(self, split: str = "test") -> dict[str, Any]:
        """The accuracy on a split after the last epoch that was trained."""
        network, corpus, correct, examples = self.training.evaluation_network(), self._corpora[split], 0, 0
        with torch.no_grad():
            for step in range(len(corpus)):
                batch = corpus[step]
                correct += int((network(batch.tokens, batch.lengths).argmax(-1) == batch.labels).sum())
                examples += len(batch.labels)
        return {"accuracy": correct / examples, "examples": examples}

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()
