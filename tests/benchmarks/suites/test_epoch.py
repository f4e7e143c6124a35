"""The benchmark of an epoch: PyTorch's network and training equal ours, and what differs is refused."""

import json

import numpy as np
import pytest

from lstm_jax.benchmarks.implementations import EPOCH_IMPLEMENTATIONS, epoch_task
from lstm_jax.benchmarks.implementations.ours_epoch import OurEpoch as Ours
from lstm_jax.benchmarks.measurement import Measurement
from lstm_jax.benchmarks.suites import epoch
from lstm_jax.config import Config, to_json


@pytest.fixture(autouse=True)
def configured(monkeypatch):
    monkeypatch.setattr("lstm_jax.runtime.configure", lambda: None)  # conftest has configured it


def article() -> Config:
    """A config like system D: the last output, one sigmoid unit."""
    config = Config()
    config.data.reviews, config.data.tokens.max_length = 150, 40
    config.model.embedding_size, config.model.hidden_size = 8, 6
    config.model.pooling, config.model.output = "last", "sigmoid"
    config.optimizer.learning_rate, config.optimizer.hparams["eps"] = 1e-2, 1e-7
    config.train.batch_size, config.train.buckets, config.train.keep_epochs = 16, 2, "epoch_{epoch}"
    return config


def recipe() -> Config:
    """A config like ``configs/imdb.py``, without dropout."""
    config = article()
    config.data.tokens.max_length = 30
    config.model.bidirectional, config.model.segment, config.model.pooling = True, 7, "mean_max"
    config.model.wide, config.model.output = 64, "softmax"
    config.optimizer.embedding_lr_scale, config.optimizer.clip_norm, config.optimizer.ema = 0.15, 0.2, 0.999
    config.optimizer.schedule, config.optimizer.warmup = "one_cycle", 0.3
    return config


def torch_weights(network) -> dict[str, np.ndarray]:
    """The weights of PyTorch's network under our names."""
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    found = {"embedding": state["embedding.weight"], "output/kernel": state["output.weight"].T}
    found["output/bias"] = state["output.bias"]
    found |= {f"wide/{name}": state[name] for name in ("words", "pairs", "triples", "bias") if name in state}
    for n, direction in enumerate(("/forward", "/backward") if len(network.lstm) == 2 else ("",)):
        theirs, ours = f"lstm.{n}", f"layers/cells/0{direction}"
        found[f"{ours}/input_kernel"] = state[f"{theirs}.weight_ih_l0"].T
        found[f"{ours}/recurrent_kernel"] = state[f"{theirs}.weight_hh_l0"].T
        found[f"{ours}/bias"] = state[f"{theirs}.bias_ih_l0"] + state[f"{theirs}.bias_hh_l0"]
    return found


@pytest.mark.long
@pytest.mark.parametrize("config", [article(), recipe()], ids=["article", "recipe"])
def test_losses_and_trained_weights_are_equal(config, tmp_path):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)  # faster at this size beside JAX's threads
    from lstm_jax.benchmarks.implementations.torch_epoch import TorchEpoch as Theirs

    ours = Ours("ours")
    answer = ours.prepare(to_json(config), str(tmp_path), "end")
    assert answer["examples"] % config.train.batch_size, "no batch has empty rows"
    ours.epoch()
    before, after = epoch_task.read_task(tmp_path).weights, ours.weights(ours.state)
    moved = {path: np.abs(after[path] - before[path]).max() for path in after}
    assert min(value for path, value in moved.items() if not path.startswith("wide/")) > 1e-3
    for name in ("torch_bucketed", "torch_padded"):
        own = Theirs(name)
        assert own.prepare(str(tmp_path))["first_loss"] == pytest.approx(answer["first_loss"], abs=2e-6)
        own.epoch()
        found = torch_weights(own.training.evaluation_network())
        assert set(found) == set(after)
        for path, expected in after.items():
            np.testing.assert_allclose(found[path], expected, atol=1e-2 * moved[path], rtol=0, err_msg=f"{name} {path}")
        assert own.evaluate() == ours.evaluate()


@pytest.mark.slow
def test_pytorch_refuses_other_networks(tmp_path):
    pytest.importorskip("torch")
    from lstm_jax.benchmarks.implementations.torch_network import TorchNetwork

    for path, value in (("layers", 2), ("head", (5,)), ("pooling", "mean"), ("train_embedding", False)):
        config = article()
        setattr(config.model, path, value)
        with pytest.raises(NotImplementedError, match="only the networks of"):
            TorchNetwork(config.model, {}, 1, {})


@pytest.mark.long
def test_ours_trains_within_the_clock_without_compiling_and_writes_the_task(tmp_path):
    config = recipe()
    config.train.steps = 3
    ours = Ours("ours")
    answer = ours.prepare(to_json(config), str(tmp_path), "front")
    assert 0 < answer["first_loss"] < 2
    seconds = ours.epoch()
    assert ours.loop.program.compile_seconds == answer["compile_seconds"], "something was compiled within the clock"
    assert 0 < seconds["train_seconds"] < seconds["epoch_seconds"]
    task = epoch_task.read_task(tmp_path)
    assert (task.padding, task.config.model.segment) == ("front", 7)
    assert len(task.factors) == len(task.batches["train"].lengths) == answer["steps"] == 3
    assert (task.batches["test"].examples >= 0).sum() == ours.evaluate()["examples"]
    assert {"embedding", "wide/words", "layers/cells/0/forward/bias"} < set(task.weights)


class FakeWorker:
    """Answers like a worker; an epoch takes ``seconds``."""

    def __init__(self, seconds: float, loss: float = 0.69, error: str = "") -> None:
        self.seconds, self.loss, self.error, self.asked = seconds, loss, error, []

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, do: str, **arguments):
        self.asked.append(do)
        if do == self.error:
            return {"error": f"failed to {do}"}
        return {
            "prepare": {"first_loss": self.loss, "device": "cpu", "compile_seconds": 0.0, "steps": 3, "examples": 30},
            "epoch": {"train_seconds": self.seconds, "epoch_seconds": self.seconds + 1},
            "evaluate": {"accuracy": 0.5, "examples": 10},
        }[do]


def measured(monkeypatch, **workers: FakeWorker) -> dict[str, Measurement]:
    everyone = {"ours": FakeWorker(2.0)} | {name: FakeWorker(6.0) for name in list(EPOCH_IMPLEMENTATIONS)[1:]} | workers
    monkeypatch.setattr(epoch, "epoch_worker", everyone.__getitem__)
    return {each.implementation: each for each in epoch.measure_epoch("tiny", recipe(), "end", 2)}


def test_all_take_turns_and_the_slowest_makes_one_round(monkeypatch):
    found = measured(monkeypatch)
    assert list(found) == list(EPOCH_IMPLEMENTATIONS)
    assert [len(each.rounds) for each in found.values()] == [2, 2, 2, 1]
    title, _, ours, bucketed, _, padded = epoch.epoch_tables(list(found.values())).splitlines()
    assert title.startswith("| tiny, an epoch of 30 examples in 3 steps |")
    assert ours == "| ours | 2.0 | 15 | × 1.00 | 3.0 | 50.00% | 2 |"
    assert bucketed == "| torch_bucketed | 6.0 | 5 | × 3.00 | 7.0 | 50.00% | 2 |"
    assert "| × 3.00 (one round) |" in padded
    assert json.loads(json.dumps(found["ours"].to_json()))["details"]["steps"] == 3


def test_another_loss_is_refused_and_failures_stop_no_others(monkeypatch):
    other, broken = FakeWorker(1.0, loss=0.691), FakeWorker(1.0, error="epoch")
    found = measured(monkeypatch, torch_bucketed=other, torch_padded=broken)
    assert found["torch_bucketed"].error == "its loss on the first batch is 0.69100, ours 0.69000"
    assert other.asked == ["prepare"]
    assert found["torch_padded"].error == "failed to epoch"
    assert found["torch_bucketed_malloc"].seconds == 6.0
    assert "| torch_padded | failed to epoch | – |" in epoch.epoch_tables(list(found.values()))


def test_without_ours_nothing_is_trained(monkeypatch):
    other = FakeWorker(1.0)
    found = measured(monkeypatch, ours=FakeWorker(1.0, error="prepare"), torch_bucketed=other)
    assert found["ours"].error == "failed to prepare"
    assert found["torch_bucketed"].error == "not measured: ours, the reference, failed"
    assert other.asked == []
