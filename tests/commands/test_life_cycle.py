"""What follows a training: weights of epochs, words, the naive method, all examples, another epoch."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

import lstm_jax
from lstm_jax.data import corpus
from lstm_jax.data.vectors.files import read_vectors
from lstm_jax.data.word_counts import baseline_predictions, class_frequencies
from lstm_jax.errors import ConfigError
from lstm_jax.evaluation.baselines import leaking_baseline
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import evaluation_config, read_config, write_text
from tests.commands.helpers import TINY, WARNINGS, contents
from tests.reviews import write

pytestmark = WARNINGS

NAME = "weights/lstm_{epoch}"


@pytest.fixture(scope="module")
def kept(trained, tmp_path_factory):
    """A copy of the run of TINY that has kept weights of its epochs: those of its checkpoints."""
    path = shutil.copytree(trained, tmp_path_factory.mktemp("kept") / "run")
    text = (path / "config.json").read_text().replace('"keep_epochs": ""', f'"keep_epochs": "{NAME}"')
    write_text(path / "config.json", text)
    run, checkpoints = load_run(path, evaluation_config(path)), Checkpoints(path)
    for epoch in (1, 2):
        scaled = {kind: {**own} for kind, own in run.variables.items()}
        scaled["params"]["embedding"] = run.variables["params"]["embedding"] * epoch
        checkpoints._keeper.save(path.resolve() / "epochs" / NAME.format(epoch=epoch), scaled)
    checkpoints.finish()
    return path


def test_weights_of_an_epoch_are_loaded_by_number_or_name(kept):
    config = evaluation_config(kept)
    best = load_run(kept, config)
    for asked in ("2", "weights/lstm_2"):
        run = load_run(kept, config, weights=asked)
        assert (run.epoch, run.step, run.named("test")) == (2, 12, "test-epoch_2")
        np.testing.assert_allclose(run.variables["params"]["embedding"], 2 * best.variables["params"]["embedding"])
    assert (best.epoch, best.named("test")) == (0, "test")
    message = r"kept no weights '3'; it kept those of the epochs 1 \(weights/lstm_1\), 2 \(weights/lstm_2\)"
    with pytest.raises(ConfigError, match=message):
        lstm_jax.load(kept, weights=3)
    assert "epoch 2, step 12" in repr(lstm_jax.load(kept, weights=2))


def test_files_about_an_epoch_are_named_by_it(command, kept):
    before = contents(kept)
    ended = command("eval", f"--workdir={kept}", "--weights=1")
    assert ended.code == 0, ended.err
    assert "weights of step 6" in ended.out
    now = contents(kept)
    new = ["eval-test-epoch_1.json", "plots/calibration-test-epoch_1.png", "plots/confusion-test-epoch_1.png"]
    assert sorted(set(now) - set(before)) == [*new, "report-epoch_1.html"]
    assert {name: now[name] for name in before} == before
    assert json.loads(now["eval-test-epoch_1.json"])["checkpoint_step"] == 6
    assert b"weights that were kept after epoch 1" in now["report-epoch_1.html"]


def test_an_epoch_of_a_run_that_kept_none(command, trained):
    ended = command("eval", f"--workdir={trained}", "--weights=1")
    assert ended.code == 2
    assert ended.error.startswith("there are no weights '1', since the run in")


def test_the_dictionary_is_written_as_text_and_read_back(command, kept, tmp_path):
    ended = command("export", f"--workdir={kept}", "--to=vectors", "--weights=2")
    assert ended.code == 0, ended.err
    run = load_run(kept, evaluation_config(kept), weights="2")
    ids = run.tokenizer.get_vocab()
    table, found = read_vectors(kept / "export-epoch_2" / "vectors.txt", ids, 8, "zeros", 0)
    assert found == len(ids)
    np.testing.assert_array_equal(table, run.variables["params"]["embedding"][0])


def test_a_word_is_looked_up(command, trained):
    ended = command("eval", f"--workdir={trained}", "--word=Good")
    assert ended.code == 0, ended.err
    token, vector, counts, nearest = ended.out.splitlines()
    run = load_run(trained, evaluation_config(trained))
    own = run.tokenizer.token_to_id("good")
    table = np.asarray(run.variables["params"]["embedding"][0])
    assert token == "token: good"
    np.testing.assert_allclose(np.array(vector.split()[1:], float), table[own], rtol=1e-5)
    train = corpus.prepare(run.config.data, run.tokenizer).train
    per_class = [0, 0]
    for n, label in enumerate(train.labels):
        per_class[label] += (train.tokens[train.offsets[n] : train.offsets[n + 1]] == own).sum()
    assert counts == f"in the training examples: negative {per_class[0]}, positive {per_class[1]}"
    first, cosine = nearest.removeprefix("nearest by cosine: ").split(", ")[0].rsplit(" ", 1)
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    cosines = unit @ unit[own]
    cosines[[0, 1, own]] = -1
    assert (run.tokenizer.token_to_id(first), cosine) == (cosines.argmax(), f"{cosines.max():.3f}")
    for word, message in (("xylograph", "lacks 'xylograph'"), ("good bad", "is read as 2 tokens, good bad")):
        ended = command("eval", f"--workdir={trained}", f"--word={word}")
        assert (ended.code, message in ended.error) == (1, True), ended.err


def test_scores_of_the_naive_method_beside_the_networks(command, trained, tmp_path):
    ended = command("eval", f"--workdir={trained}", "--naive", f"--predictions={tmp_path / 'p.csv'}")
    assert ended.code == 0, ended.err
    found = pd.read_csv(tmp_path / "p.csv")
    run = load_run(trained, evaluation_config(trained))
    corpora = corpus.prepare(run.config.data, run.tokenizer, run.classes)
    scores = class_frequencies(corpora.train, run.tokenizer.get_vocab_size(), 2)
    names = np.array(run.classes.names)
    assert found["naive predicted"].tolist() == names[baseline_predictions(scores, corpora.test)].tolist()
    own = corpora.test.tokens[: corpora.test.offsets[1]]
    np.testing.assert_allclose(found["naive score of positive"][0], scores.tokens[own, 1].sum(), atol=1e-6)
    assert "probability of positive" in found


ALL = "class frequencies, fitted and tested on all (leaks labels)"


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """A config that reads a file of 60 rows, a third of them of the rarer class, and knows a published figure."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("reviews")
    words = ["a", "fine", "dull", "film", "plot", "no", "one", "saw", "and", "then"]
    rows = [{"text": " ".join(rng.choice(words, 5)), "label": int(n % 3 == 0)} for n in range(60)]
    text = (
        "from lstm_jax.config import Config\n\n\ndef get_config():\n    config = Config()\n"
        f"    config.data.source, config.data.path = 'files', {str(write(folder / 'a.csv', rows))!r}\n"
        "    config.data.one_class_size, config.reference_naive_accuracy = -1, 0.6191\n    return config\n"
    )
    (folder / "config.py").write_text(text)
    return f"--config={folder / 'config.py'}"


@pytest.mark.parametrize("flag", ["--split=all", "--config.data.data_ratio=0", "--config.data.data_ratio=1"])
def test_the_naive_method_on_all_as_published(command, reviews, flag, tmp_path):
    arguments = [flag, "--split=all"] if flag.endswith("1") else [flag]
    ended = command("eval", reviews, "--naive", *arguments, f"--predictions={tmp_path / 's.jsonl'}")
    assert ended.code == 0, ended.err
    first, accuracy, published, last = ended.out.splitlines()
    assert first == "all: 40 examples"
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert len(rows) == 40
    right = np.mean([row["label"] == row["naive predicted"] for row in rows])
    assert accuracy == f"{'accuracy of ' + ALL:<74} {right:.2%}"
    assert published == f"{'the same, as reported by the source':<74} 61.91%"
    assert last.endswith("(class frequencies, counted on all examples, so their labels leak)")
    for row in rows:  # Each token's frequencies in the two classes, which have as many examples, add up to 1.
        assert sum(row["naive_scores"].values()) == pytest.approx(len(row["text"].split()), abs=1e-5)


def test_the_published_protocol_stands_below_the_baselines_of_a_split(command, reviews, tmp_path):
    ended = command("eval", reviews, "--naive", f"--predictions={tmp_path / 's.csv'}")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert (lines[0], lines[-4]) == ("test: 8 examples", "all: 40 examples")
    assert re.match(rf"accuracy of {re.escape(ALL)} +\d", lines[-3])
    assert lines[-1].endswith("(class frequencies, counted on the training examples)")
    assert len(pd.read_csv(tmp_path / "s.csv")) == 8
    config = lstm_jax.config.load_config_file(reviews.removeprefix("--config="))
    (accuracy,) = leaking_baseline(config.data, "all").values()
    assert lines[-3].endswith(f" {accuracy:.2%}")


def test_nothing_is_fitted_on_no_examples(command, reviews, tmp_path):
    for arguments in (["--linear"], ["--naive", "--split=train"], ["--naive", f"--data={tmp_path}"]):
        ended = command("eval", reviews, "--config.data.data_ratio=0", *arguments)
        assert ended.code == 2
        assert ended.error.startswith("config.data.data_ratio is 0, so there are no examples to fit baselines on")


def test_a_trained_run_is_evaluated_on_all_that_it_has_not_seen(command, trained):
    ended = command("eval", f"--workdir={trained}", "--config.data.data_ratio=0", "--leave_out_seen")
    assert ended.code == 0, ended.err
    facts = json.loads((trained / "data.json").read_text())["splits"]
    assert ended.out.startswith(f"test: {facts['test']['examples'] - facts['test']['repeated']['train']:,} reviews")


@pytest.mark.long
def test_a_run_on_all_examples_says_what_may_be_tested(command, tmp_path):
    ended = command("train", f"--workdir={tmp_path / 'run'}", *TINY, "--config.data.data_ratio=0")
    assert (ended.code, ended.error[:28]) == (2, "config.data.data_ratio is 0:")
    ended = command(
        "train", f"--workdir={tmp_path / 'run'}", *TINY, "--config.data.data_ratio=1", "--config.data.rebuild"
    )
    assert ended.code == 0, ended.err
    assert "the test split has no examples, since config.data.data_ratio leaves it none" in ended.err
    assert not read_config(tmp_path / "run").data.rebuild
    ended = command("eval", f"--workdir={tmp_path / 'run'}")
    assert ended.code == 1
    assert ended.error.endswith(
        "the test split has no examples; evaluate --split=validation, or new examples with --data=FILE"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--word=good", "--naive"], "--word looks up a word in the embedding; leave out the other flags"),
        (["--every_epoch", "--weights=1"], "--every_epoch evaluates the training and the test split only"),
        (["--weights="], "--weights is empty; give a value"),
    ],
)
def test_flags_that_exclude_each_other(command, trained, arguments, message):
    ended = command("eval", f"--workdir={trained}", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.error.startswith(message)


def test_flags_that_need_a_run(command, reviews):
    for flag in ("--weights=1", "--word=good", "--text=a"):
        ended = command("eval", reviews, "--naive", flag)
        assert (ended.code, "need a trained run; name it with --workdir" in ended.error) == (2, True)
    ended = command("eval", reviews, "--linear", "--predictions=a.csv")
    assert ended.error == "--predictions without a run writes the scores of --naive; give --naive, or --workdir"
