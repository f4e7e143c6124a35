import json
import shutil
import time

import numpy as np
import pytest

from lstm_jax import config as configs
from lstm_jax.data import corpus
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.evaluation.figures import evaluate_examples
from lstm_jax.evaluation.predictions import lane_probabilities, probabilities
from lstm_jax.training import run
from lstm_jax.training.logging import read_metrics
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import Lane
from tests.training.tiny import assert_same_run, timeless, tiny_config

STEPS_PER_EPOCH = 9


def test_a_run_writes_what_the_readme_promises(finished):
    workdir, summary = finished
    assert summary["status"] == "done"
    assert summary["steps"] == 2 * STEPS_PER_EPOCH
    assert summary["epochs"] == 2.0
    assert json.loads((workdir / "summary.json").read_text()) == summary
    *stages, all_ = summary["startup"].values()
    assert list(summary["startup"]) == ["imports", "reviews", "compiling", "step", "other", "all"]
    assert min(stages) > 0
    np.testing.assert_allclose(sum(stages), all_, atol=0.01)
    assert configs.from_json((workdir / "config.json").read_text()) == tiny_config()
    for name in ("loss", "accuracy", "loss-epochs"):
        assert (workdir / "plots" / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert list((workdir / "tensorboard").glob("events*"))
    rows = timeless(workdir)
    assert {row["split"] for row in rows} == {"train", "validation"}
    assert [row["step"] for row in rows if row["split"] == "validation"] == [9, 18]
    assert [row["step"] for row in rows if row["split"] == "train"] == [4, 8, 9, 12, 16, 18]
    best = max(row["accuracy"] for row in rows if row["split"] == "validation")
    assert summary["best_validation_accuracy"] == best


@pytest.mark.slow
def test_two_runs_of_one_seed_are_bit_equal(finished, tmp_path):
    run.train_lanes(tiny_config(), tmp_path)
    assert_same_run(finished[0], tmp_path)


@pytest.mark.slow
def test_another_seed_gives_another_run(finished, tmp_path):
    run.train_lanes(tiny_config(seed=1), tmp_path)
    assert timeless(finished[0])[0]["loss"] != timeless(tmp_path)[0]["loss"]


def test_a_finished_run_is_left_alone(finished):
    workdir, summary = finished
    before = (workdir / "metrics.jsonl").stat().st_mtime_ns
    assert run.train_lanes(tiny_config(), workdir) == summary
    assert (workdir / "metrics.jsonl").stat().st_mtime_ns == before


def test_rows_tell_the_learning_rate_the_gradient_norm_and_the_padding(finished):
    rows = [row for row in timeless(finished[0]) if row["split"] == "train"]
    np.testing.assert_allclose([row["learning_rate"] for row in rows], 5e-3, rtol=1e-6)
    assert all(row["gradient_norm"] > 0 for row in rows)
    assert all(0 < row["padding"] < 1 for row in rows)
    assert "padding" not in timeless(finished[0])[-1]


@pytest.mark.slow
def test_the_learning_rate_follows_the_schedule(tmp_path):
    run.train_lanes(tiny_config(optimizer__schedule="cosine", optimizer__clip_norm=0.01, train__log_every=1), tmp_path)
    rates = [row["learning_rate"] for row in timeless(tmp_path) if row["split"] == "train"]
    steps = np.arange(2 * STEPS_PER_EPOCH)
    np.testing.assert_allclose(rates, 5e-3 * (1 + np.cos(np.pi * steps / len(steps))) / 2, rtol=1e-4, atol=1e-9)
    # The norm is that of the gradient before it is clipped.
    assert all(row["gradient_norm"] > 0.01 for row in timeless(tmp_path) if row["split"] == "train")


@pytest.mark.long
def test_a_profile_of_the_asked_steps(tmp_path, caplog):
    with caplog.at_level("INFO"):
        run.train_lanes(tiny_config(train__profile_steps="4:7", train__epochs=1), tmp_path)
    assert "a profile of the steps 4 to 7 is in" in caplog.text
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "said"),
    [("7:99", "a profile of the steps 7 to 9 is in"), ("30:40", "none of the steps 30 to 40 was made")],
)
def test_a_profile_of_steps_beyond_the_end_says_so(tmp_path, caplog, asked, said):
    with caplog.at_level("INFO"):
        run.train_lanes(tiny_config(train__profile_steps=asked, train__epochs=1), tmp_path)
    assert said in caplog.text


def test_a_single_unit_needs_two_classes(tmp_path):
    config = tiny_config(model__output="sigmoid", data__classes="stars")
    with pytest.raises(ConfigError, match="one unit, but there are 5 classes"):
        run.train_lanes(config, tmp_path)
    assert not (tmp_path / "config.json").exists()  # the folder is still free for the corrected config


def test_lanes_that_leave_out_different_parts_are_refused():
    config = tiny_config(optimizer__clip_norm=1.0)
    lanes = [Lane(0, {}), Lane(1, {"optimizer.clip_norm": 0.0})]
    with pytest.raises(ConfigError, match=r"a lane has optimizer\.clip_norm = 0\.0 and the config has 1\.0"):
        run.assemble(config, corpus.prepare(config.data), lanes)


def test_a_lane_refuses_a_field_that_is_no_hyper_parameter(tmp_path):
    config = tiny_config()
    for path in ("optimizer.learning_rat", "model.hidden_size"):
        with pytest.raises(ConfigError, match=path):
            run.train_lanes(config, tmp_path, [Lane(0, {}), Lane(0, {path: 3.0})])


RATES = (5e-3, 0.02)


@pytest.fixture(scope="module")
def lanes(tmp_path_factory):
    """The tiny run and one with a higher learning rate, as lanes."""
    workdir = tmp_path_factory.mktemp("lanes")
    asked = [Lane(0, {}), Lane(0, {"optimizer.learning_rate": RATES[1]})]
    return workdir, asked, run.train_lanes(tiny_config(), workdir, asked)


@pytest.mark.slow
def test_lanes_of_other_hyper_parameters_equal_their_solo_runs(finished, lanes, tmp_path):
    workdir, _, summary = lanes
    faster = run.train_lanes(tiny_config(optimizer__learning_rate=RATES[1]), tmp_path)
    test = corpus.prepare(tiny_config().data).test
    together = lane_probabilities(load_run(workdir, tiny_config()), test)
    solos = ((*finished, RATES[0]), (tmp_path, faster, RATES[1]))
    for n, (solo, solo_summary, rate) in enumerate(solos):
        own = [row for row in timeless(workdir) if row["lane"] == n]
        alone = timeless(solo)
        assert [(row["step"], row["split"]) for row in own] == [(row["step"], row["split"]) for row in alone]
        for name in ("loss", "accuracy"):
            np.testing.assert_allclose([row[name] for row in own], [row[name] for row in alone], rtol=1e-5)
        lane, solo_lane = summary["lanes"][n], solo_summary["lanes"][0]
        assert lane == solo_lane | {"best_loss": pytest.approx(solo_lane["best_loss"], rel=1e-5)}
        config = tiny_config(optimizer__learning_rate=rate)
        np.testing.assert_allclose(together[n], probabilities(load_run(solo, config), test), atol=1e-5)
    losses = [[row["loss"] for row in timeless(workdir) if row["lane"] == n] for n in (0, 1)]
    assert min(abs(a - b) for a, b in zip(*losses, strict=True)) > 1e-4


def test_a_workdir_keeps_to_its_lanes(lanes):
    workdir, asked, summary = lanes
    assert json.loads((workdir / "lanes.json").read_text()) == [lane._asdict() for lane in asked]
    before = (workdir / "metrics.jsonl").read_bytes()
    for others in (None, asked[:1], asked[::-1], [asked[0], Lane(1, asked[1].changes)], [asked[0]] * 2):
        with pytest.raises(UserError, match="holds other lanes than are asked for; use another --workdir"):
            run.train_lanes(tiny_config(), workdir, others)
    assert run.train_lanes(tiny_config(), workdir, asked) == summary
    assert (workdir / "metrics.jsonl").read_bytes() == before


def test_a_workdir_that_is_refused_is_let_go(finished):
    workdir, summary = finished
    with pytest.raises(UserError, match="belongs to another config: seed is 0 there and 1 here") as refusal:
        run.train_lanes(tiny_config(seed=1), workdir)
    assert run.train_lanes(tiny_config(), workdir) == summary  # while the error is still referenced
    del refusal


def test_a_workdir_without_a_list_of_lanes_holds_those_of_its_config(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "lanes.json").unlink()
    assert run.train_lanes(tiny_config(), tmp_path) == finished[1]
    with pytest.raises(UserError, match="holds other lanes"):
        run.train_lanes(tiny_config(), tmp_path, [Lane(1, {})])


def test_a_table_of_fewer_rows_than_words_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.model\.embedding_rows is 5, but there are \d+ words"):
        run.train_lanes(tiny_config(model__embedding_rows=5), tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_divergence_ends_the_run_and_keeps_what_was_there(tmp_path):
    config = tiny_config(optimizer__name="sgd", optimizer__learning_rate=3e38, train__epochs=3)
    summary = run.train_lanes(config, tmp_path)
    assert summary["status"] == "diverged"
    assert summary["steps"] < 2 * STEPS_PER_EPOCH
    last = timeless(tmp_path)[-1]
    assert last["loss"] is None
    assert last["step"] == summary["steps"]
    with pytest.raises(UserError, match=f"diverged at step {summary['steps']}"):
        run.raise_if_diverged(summary, tmp_path)


@pytest.mark.slow
def test_a_run_that_diverged_before_its_first_validation_has_no_weights_to_evaluate(tmp_path):
    config = tiny_config(optimizer__name="sgd", optimizer__learning_rate=3e38, train__checkpoint_seconds=1e-9)
    summary = run.train_lanes(config, tmp_path)
    assert summary["best_step"] == 0
    with pytest.raises(UserError, match=f"diverged at step {summary['steps']}, before its first validation"):
        load_run(tmp_path, config)


@pytest.mark.slow
def test_patience_ends_a_run_that_no_longer_improves(tmp_path):
    config = tiny_config(optimizer__learning_rate=1e-12, train__epochs=9, train__patience=2)
    summary = run.train_lanes(config, tmp_path)
    assert summary["best_step"] == STEPS_PER_EPOCH
    assert summary["steps"] == 3 * STEPS_PER_EPOCH
    rows = timeless(tmp_path)
    (tmp_path / "summary.json").unlink()  # as if the process was killed just before writing it
    assert run.train_lanes(config, tmp_path)["steps"] == 3 * STEPS_PER_EPOCH
    assert timeless(tmp_path) == rows


@pytest.mark.slow
def test_the_best_weights_are_those_of_the_best_validation(tmp_path):
    config = tiny_config(optimizer__learning_rate=0.1, train__epochs=4, train__validate_every=3)
    summary = run.train_lanes(config, tmp_path)
    trained = load_run(tmp_path, config)
    figures = evaluate_examples(trained, corpus.prepare(config.data, trained.tokenizer).validation, "validation")
    assert figures.accuracy == summary["best_validation_accuracy"]
    assert figures.checkpoint_step == summary["best_step"]


def test_pictures_are_drawn_again_while_a_run_trains_but_not_too_often(tmp_path, monkeypatch):
    now, drawn = [100.0], []

    def draw(rows, best_by, folder):
        drawn.append((len(rows), best_by))
        now[0] += 2.0  # A drawing takes two seconds, so it may happen every forty.

    monkeypatch.setattr(run.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(run.plots, "draw_curves", draw)
    monkeypatch.setattr(run.plots, "draw_epochs", lambda *_: None)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')
    pictures = run.Pictures(tmp_path, "loss")
    for passed, count in ((4.9, 0), (0.1, 1), (39.9, 1), (0.2, 2)):
        now[0] += passed
        pictures.renew()
        assert len(drawn) == count
    pictures.draw()
    assert drawn == [(1, "loss")] * 3


def test_the_loop_draws_after_each_validation_and_does_not_count_the_time(tmp_path, monkeypatch):
    seen, real = [], time.perf_counter

    def renew(self):  # A drawing seems to take a thousand seconds.
        seen.append(max(row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")))

    monkeypatch.setattr(time, "perf_counter", lambda: real() + 1000 * len(seen))
    monkeypatch.setattr(run.Pictures, "renew", renew)
    monkeypatch.setattr(run.Pictures, "draw", lambda self: None)
    config = tiny_config(model__layer="rnn_tanh", model__hidden_size=4, train__buckets=1, train__epochs=2)
    run.train_lanes(config, tmp_path)
    assert seen == [9, 18]
    first, second = (row["seconds"] for row in read_metrics(tmp_path / "metrics.jsonl") if row["split"] == "validation")
    assert second - first < 500
