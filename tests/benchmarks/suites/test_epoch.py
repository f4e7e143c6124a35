"""The benchmark of an epoch: PyTorch's network and training are ours, and what differs is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from lstm_jax.benchmarks import epoch, epoch_task
from lstm_jax.benchmarks.suites.epoch import Case, Measurement
from lstm_jax.benchmarks.measurement import quartiles
from lstm_jax.benchmarks.implementations import EPOCHS
from lstm_jax.benchmarks.implementations.ours_epoch import Epochs as Ours
from lstm_jax.config import Config, to_json


def article() -> Config:
    """As system D: the last state, one sigmoid unit."""
    config = Config()
    config.data.reviews, config.data.tokens.max_length = 150, 40
    config.model.embedding_size, config.model.hidden_size = 8, 6
    config.model.pooling, config.model.output = "last", "sigmoid"
    config.optimizer.learning_rate, config.optimizer.eps = 1e-2, 1e-7
    config.train.batch_size, config.train.buckets, config.train.keep_epochs = 16, 2, "epoch_{epoch}"
    return config


def recipe() -> Config:
    """As ``configs/imdb.py``, without dropout but with two layers that add up and a dense layer before the output."""
    config = article()
    config.data.tokens.max_length = 30
    config.model.bidirectional, config.model.layers, config.model.residual = True, 2, True
    config.model.segment, config.model.pooling, config.model.head = 7, "mean_max", (5,)
    config.model.wide, config.model.output = 64, "softmax"
    config.optimizer.embedding_lr_scale, config.optimizer.clip_norm, config.optimizer.ema = 0.15, 0.2, 0.999
    config.optimizer.schedule, config.optimizer.warmup = "one_cycle", 0.3
    return config


def frozen() -> Config:
    """Both directions' last states over words that are not trained."""
    config = article()
    config.model.bidirectional, config.model.train_embedding = True, False
    return config


def torch_weights(network) -> dict[str, np.ndarray]:
    """The weights of PyTorch's network by our names."""
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    found = {"embedding": state["embedding.weight"], "output/kernel": state["output.weight"].T}
    found["output/bias"] = state["output.bias"]
    found |= {f"wide/{name}": state[f"{name}.weight"] for name in ("words", "pairs") if f"{name}.weight" in state}
    for n in range(len(network.head)):
        found |= {f"head_{n}/kernel": state[f"head.{n}.weight"].T, f"head_{n}/bias": state[f"head.{n}.bias"]}
    for n, ways in enumerate(network.layers):
        for m, way in enumerate(("/forward", "/backward") if len(ways) == 2 else ("",)):
            theirs, ours = f"layers.{n}.{m}", f"layers/cells/{n}{way}"
            found[f"{ours}/input_kernel"] = state[f"{theirs}.weight_ih_l0"].T
            found[f"{ours}/recurrent_kernel"] = state[f"{theirs}.weight_hh_l0"].T
            found[f"{ours}/bias"] = state[f"{theirs}.bias_ih_l0"] + state[f"{theirs}.bias_hh_l0"]
    return found


def prepared(config: Config, folder: Path, padding: str = "end"):
    """Ours, PyTorch's by name, and what all said first."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)  # which beside JAX's is faster at this size
    from lstm_jax.benchmarks.implementations.torch_epoch import Epochs

    ours, theirs = Ours("ours"), {name: Epochs(name) for name in ("torch_bucketed", "torch_padded")}
    told = ours.prepare(to_json(config), str(folder), padding)
    losses = {name.removeprefix("torch_"): each.prepare(str(folder))["first_loss"] for name, each in theirs.items()}
    assert losses == pytest.approx(told["first_losses"], abs=2e-6)
    return ours, theirs, told


@pytest.mark.parametrize("config", [article(), recipe(), frozen()], ids=["article", "recipe", "frozen"])
def test_losses_and_trained_weights_are_equal(config, tmp_path):
    ours, theirs, told = prepared(config, tmp_path)
    assert told["reviews"] % config.train.batch_size, "no batch has empty rows"
    seconds = ours.epoch()
    assert ours.loop.program.compile_seconds == told["compile_seconds"], "something was compiled within the clock"
    assert 0 < seconds["train_seconds"] < seconds["epoch_seconds"]
    before, after = epoch_task.read(tmp_path).weights, ours.weights(ours.state)
    moved = {path: np.abs(after[path] - before[path]).max() for path in after}
    assert {path for path in moved if moved[path] < 1e-3} == (set() if config.model.train_embedding else {"embedding"})
    for name, own in theirs.items():
        own.epoch()
        found = torch_weights(own.training.evaluating())
        assert set(found) == set(after)
        for path, expected in after.items():
            np.testing.assert_allclose(found[path], expected, atol=1e-2 * moved[path], rtol=0, err_msg=f"{name} {path}")
        assert own.evaluate() == ours.evaluate()


def test_padding_in_front_is_read_by_both(tmp_path):
    _, _, told = prepared(article(), tmp_path, "front")
    assert abs(told["first_losses"]["padded"] - told["first_losses"]["bucketed"]) > 1e-5


def test_another_loss_is_refused():
    assert epoch._checked({"first_loss": 0.69}, 0.69) == {"first_loss": 0.69}
    assert "0.69100, ours 0.69000" in epoch._checked({"first_loss": 0.691}, 0.69)["error"]
    assert epoch._checked({"error": "no torch"}, 0.69) == {"error": "no torch"}


def test_the_benchmark_runs_all_in_turn_and_writes_what_it_found(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = recipe()
    config.model.dropout.words = config.model.dropout.layers = config.model.dropout.wide = 0.3
    table = epoch.run([Case("tiny", config, "end")], 2, 3, tmp_path, "the command")
    written = json.loads((tmp_path / "epoch.json").read_text())
    assert written["command"] == "the command"
    found = {each["implementation"]: each for each in written["measurements"]}
    assert list(found) == list(EPOCHS)
    assert not any(each["error"] for each in found.values())
    assert [len(each["rounds"]) for each in found.values()] == [2, 2, 2, 1]
    (reviews,) = {each["reviews"] for each in found.values()}
    assert found["ours"]["over_ours"] == [1.0, 1.0, 1.0]
    assert len(table.splitlines()) == 6
    assert table.startswith(f"| tiny, an epoch of {reviews} reviews in 3 steps |")


def test_a_failure_stands_in_the_table_without_figures():
    missing = Measurement("tiny", "torch_padded", "ModuleNotFoundError: No module named 'torch'")
    table = epoch._table(Case("tiny", Config(), "end"), [missing])
    assert table.splitlines()[-1].startswith("| torch_padded | ModuleNotFoundError: No module named 'torch' | – |")


def test_without_ours_in_a_round_its_ratio_is_not_told():
    epochs = {"ours": [{"error": "killed"}, {"train_seconds": 2.0}], "torch_bucketed": []}
    epochs["torch_bucketed"] = [{"train_seconds": seconds, "epoch_seconds": 9.0} for seconds in (5.0, 6.0)]
    answers = {
        "ours": {"steps": 3, "reviews": 30},
        "torch_bucketed": {"device": "cpu", "compile_seconds": 0.0, "first_loss": 0.7},
    }
    tests = {"torch_bucketed": {"accuracy": 0.5, "reviews": 10}}
    told = epoch._measurement("tiny", "torch_bucketed", answers, epochs, tests)
    assert (told.over_ours.median, told.train_seconds) == (3.0, 5.5)
    assert "× 3.00" in epoch._line(told)
    assert "× 3.00 (one round)" in epoch._line(told._replace(rounds=told.rounds[:1]))
    assert "noisy" in epoch._line(told._replace(over_ours=quartiles([2.0, 4.0])))
    alone = epoch._measurement("tiny", "torch_bucketed", answers, {**epochs, "ours": [{"error": "killed"}] * 2}, tests)
    assert alone.over_ours is None
    assert "| – |" in epoch._line(alone)
