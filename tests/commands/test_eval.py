"""The command eval: predictions for texts, metrics with all baselines, every epoch."""

import codecs
import io
import json
import re
import shlex
import shutil
import sys

import datasets
import numpy as np
import pandas as pd
import pytest

import lstm_jax
from lstm_jax.config import from_json
from lstm_jax.data import corpus
from lstm_jax.errors import UserError
from lstm_jax.evaluation.baselines import bag_of_words_baselines, leaking_baseline, linear_baselines
from lstm_jax.registry import OBJECTIVES, OPTIMIZERS
from lstm_jax.training import run
from tests.commands.helpers import ROOT, TINY, WARNINGS, assert_same_weights
from tests.reviews import write
from tests.training.tiny import tiny_config

pytestmark = WARNINGS

TEXTS = ("the screen is not bad .", "what a xylographic plot . all of the above is sarcasm .")


def test_nothing_to_evaluate(command, tmp_path, unfinished):
    ended = command("eval", f"--workdir={tmp_path / 'nowhere'}")
    assert ended.code == 1
    assert ended.error.startswith(
        f"{tmp_path / 'nowhere'} holds no config.json, so it is not a run's folder; train first"
    )
    shutil.rmtree(unfinished / "checkpoints")
    ended = command("eval", f"--workdir={unfinished}")
    assert ended.code == 1
    assert ended.error == f"{unfinished / 'checkpoints'} holds no checkpoint; train first, with the same --workdir"
    ended = command("eval", f"--workdir={unfinished}", "--split=dev")
    assert ended.code == 2
    assert ended.error.startswith("flag --split=dev: value should be one of <train|validation|test|all>")


def test_text(command, trained):
    ended = command("eval", f"--workdir={trained}", f"--text={TEXTS[1].upper()}")
    assert ended.code == 0
    verdict, read, unknown = ended.out.splitlines()
    assert read == "read as: what a [UNK] plot . all of the above is sarcasm ."
    assert unknown == "1 of 12 tokens are unknown"
    name, (negative, positive) = verdict.split()[0], re.findall(r"(\d+\.\d)%", verdict)
    assert verdict == f"{name} (negative {negative}%, positive {positive}%)"
    assert name == ("positive" if float(positive) > 50 else "negative")
    assert float(negative) + float(positive) == pytest.approx(100, abs=0.11)


@pytest.mark.slow
def test_the_printed_command_explains_a_text(command, trained, tmp_path):
    page = (ROOT / "docs" / "workdirs.md").read_text(encoding="utf-8")
    printed = page.partition("<!-- explain -->")[2].partition("```sh\n")[2].partition("```")[0]
    _, name, place, *arguments = shlex.split(printed.replace("\\\n", " "))
    path = shutil.copytree(trained, tmp_path / "run")
    assert (name, place) == ("eval.py", "--workdir=runs/default")
    ended = command("eval", f"--workdir={path}", *arguments)
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == f"picture: {path / 'plots' / 'explain.png'}"
    assert (path / "plots" / "explain.png").stat().st_size > 20_000


OWN = """
from lstm_jax import objectives, optimizers
from lstm_jax.registry import OBJECTIVES

optimizers.register("mine", optimizers.OPTIMIZERS["adam"].make, learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8)
objectives.register("my_loss", OBJECTIVES["classification"].loss)
"""


@pytest.mark.long
def test_a_run_is_evaluated_without_the_file_of_its_optimizer_and_objective(command, tmp_path):
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    own = (
        f"--config.plugins={tmp_path / 'own.py'}",
        "--config.optimizer.name=mine",
        "--config.objectives.my_loss.weight=1",
    )
    workdir = tmp_path / "run"
    ended = command("train", f"--workdir={workdir}", *TINY, *own, "--config.objectives.classification.weight=0")
    assert ended.code == 0, ended.err
    OPTIMIZERS.unregister("mine")
    OBJECTIVES.unregister("my_loss")
    (tmp_path / "own.py").unlink()
    ended = command("eval", f"--workdir={workdir}", "--text=the screen is good")
    assert ended.code == 0, ended.err
    ended = command("eval", f"--workdir={workdir}")
    assert ended.code == 0, ended.err
    refused = command("train", f"--workdir={workdir}", "--config.optimizer.name=unknown")
    assert refused.code == 2
    assert "config.optimizer.name is 'unknown'; it must be one of 'sgd'" in refused.err


@pytest.fixture
def piped(command, trained, monkeypatch):
    """Classifies the lines of standard input, which holds the given bytes."""

    def call(content: bytes):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return command("eval", f"--workdir={trained}", "--text=-")

    return call


def test_texts_of_standard_input(command, trained, piped):
    alone = [command("eval", f"--workdir={trained}", f"--text={text}").out.splitlines()[0] for text in TEXTS]
    ended = piped(codecs.BOM_UTF8 + f"{TEXTS[0]}\r\n\n  {TEXTS[1]}".encode())
    first, blank, second = ended.out.splitlines()
    assert (ended.code, [first, second]) == (0, alone)
    assert re.fullmatch(r"(nega|posi)tive \(negative [\d.]+%, positive [\d.]+%\)", blank)
    assert ended.err.splitlines()[-1] == "3 texts: 2 of 19 tokens are unknown"  # The blank line is one of them.
    for content in (b"", b" \n\n", codecs.BOM_UTF8):
        ended = piped(content)
        assert (ended.code, ended.error) == (1, "standard input holds no text; give one text per line")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\nb\xe9d\n", "line 2 of standard input is not valid UTF-8 at byte 1; correct the line"),
        (b"good\r\xff\n", "line 2 of standard input is not valid UTF-8 at byte 0"),
        ("good\n".encode("utf-16"), "standard input is UTF-16, not UTF-8; convert it, such as by iconv -f UTF-16"),
        ("good\n".encode("utf-32"), "standard input is UTF-32, not UTF-8"),
    ],
)
def test_standard_input_in_another_encoding(piped, content, message):
    ended = piped(content)
    assert ended.code == 1
    assert ended.error.startswith(message)
    assert ended.out == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--text is empty; give a text"),
        (" \u2003\n", "--text is empty; give a text"),
        ("ab\udce9", "--text is not valid UTF-8 (at character 2)"),
    ],
)
def test_text_that_cannot_be_read(command, trained, text, message):
    ended = command("eval", f"--workdir={trained}", f"--text={text}")
    assert ended.code == 2
    assert ended.error.startswith(message)


def test_a_text_does_not_control_the_terminal(command, trained, tmp_path):
    path = shutil.copytree(trained, tmp_path / "run")
    facts = (path / "data.json").read_text()
    facts = facts.replace('"negative"', r'"\u001b[31mbad"').replace('"positive"', r'"\u202egood"')
    (path / "data.json").write_text(facts)
    ended = command("eval", f"--workdir={path}", "--text=the \x1b[31m screen \0 映画")
    assert ended.code == 0, ended.err
    assert not set(ended.out + ended.err) & {"\x1b", "\0", "\u202e"}
    assert r"\x1b[31mbad" in ended.out


def test_a_long_text_says_what_is_not_read(command, trained):
    ended = command("eval", f"--workdir={trained}", f"--text={'the xylograph ' * 1000}")
    assert ended.out.splitlines()[-1] == "1,000 of 2,000 tokens are unknown; 1,600 are truncated away"


def test_predictions_know_their_unknown_tokens(trained):
    model = lstm_jax.load(trained)
    found = model.predict([TEXTS[0], f"{TEXTS[0]} xylographic", "xylographic"])
    assert [each.unknown for each in found] == [0, pytest.approx(1 / 7), 1]
    for call in (lambda: model.predict(["good", "bad \ud83d"]), lambda: model.explain("bad \ud83d")):
        with pytest.raises(
            UserError, match=r"texts\[[01]\] holds half a character \(a lone surrogate\) at character 4"
        ):
            call()


def table(out: str) -> dict[str, str]:
    """The printed figures, one per line."""
    return dict(re.findall(r"^(accuracy .*?)  +(\S+)$", out, re.MULTILINE))


@pytest.mark.long
def test_evaluation_beside_what_was_published_and_all_baselines(command, trained, tmp_path):
    pytest.importorskip("sklearn")
    path = shutil.copytree(trained, tmp_path / "run")
    (path / "config.json").write_text(
        (path / "config.json").read_text().replace('"reference_accuracy": 0.0', '"reference_accuracy": 0.9')
    )
    config = from_json((path / "config.json").read_text())
    corpora = corpus.prepare(config.data)
    for split in ("test", "validation"):
        ended = command("eval", f"--workdir={path}", f"--split={split}", "--naive", "--linear")
        assert ended.code == 0, ended.err
        figures = json.loads((path / f"eval-{split}.json").read_text())
        expected = {"accuracy of the network": figures["accuracy"]}
        if split == "test":
            expected["accuracy reported by the source"] = 0.9
        baselines = bag_of_words_baselines(corpora, getattr(corpora, split)) | leaking_baseline(config.data, split)
        baselines |= linear_baselines(config.data, corpus.rows_of(config.data, split))
        expected |= {f"accuracy of {name}": accuracy for name, accuracy in baselines.items()}
        assert table(ended.out) == {name: f"{accuracy:.2%}" for name, accuracy in expected.items()}
        assert figures["lanes"] == [figures["accuracy"]]
        assert f"{'expected calibration error':<42} {figures['calibration_error']:.2%}" in ended.out.splitlines()


def test_linear_without_scikit_learn(command, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    ended = command("eval", f"--workdir={trained}", "--linear")
    assert ended.code == 1
    assert ended.error == (
        "logistic regression on TF-IDF needs scikit-learn; pip install 'scikit-learn>=1.5', or do without it"
    )


@pytest.mark.long
def test_every_epoch(command, trained, tmp_path):
    ended = command("eval", f"--workdir={trained}", "--every_epoch")
    assert (ended.code, ended.out) == (1, "")
    assert ended.error == (
        f"the run in {trained} kept no weights of its epochs; train with --config.train.keep_epochs=epoch_{{epoch}}"
    )
    ended = command("train", f"--workdir={tmp_path}", *TINY, "--config.train.keep_epochs=epoch_{epoch}")
    assert ended.code == 0, ended.err
    assert_same_weights(trained, tmp_path)
    ended = command("eval", f"--workdir={tmp_path}", "--every_epoch")
    assert ended.code == 0, ended.err
    rows = json.loads((tmp_path / "epochs.json").read_text())
    of = {(row["epoch"], row["split"]): row for row in rows}
    assert ended.out.splitlines() == [
        f"[Epoch: {epoch:>2}/2]  Training Loss: {of[epoch, 'train']['loss']:.3f}  "
        f"Testing Loss: {of[epoch, 'test']['loss']:.3f}  Training Acc: {100 * of[epoch, 'train']['accuracy']:.2f}  "
        f"Testing Acc: {100 * of[epoch, 'test']['accuracy']:.2f}"
        for epoch in (1, 2)
    ]


@pytest.mark.slow
def test_gradients_of_a_run(command, trained):
    ended = command("eval", f"--workdir={trained}", "--gradients", "--split=validation")
    assert ended.code == 0, ended.err
    path = trained / "plots" / "gradients-validation.png"
    assert ended.out.splitlines()[-1] == f"picture: {path}"
    assert [line.split("  ")[0] for line in ended.out.splitlines()[3:5]] == [
        "initial weights",
        "trained weights, step 12",
    ]
    rows = path.with_suffix(".csv").read_text().splitlines()
    assert rows[0] == "network,distance,mean,median,clipped_mean"
    assert path.exists()
    assert len(rows) > 20


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--config=default", "--gradients", "--naive"), "reads examples of one split only; leave out --naive"),
        (("--config=default", "--gradients", "--split=all"), "give train, validation or test as --split"),
        (("--gradients",), "give the folder of a run with --workdir, or --config=FILE.py with --naive, --linear or"),
        (("--config=default", "--gradients", "--text=a"), "need a trained run"),
    ],
)
def test_flags_beside_gradients(command, flags, message):
    ended = command("eval", *flags)
    assert ended.code == 2
    assert message in ended.error


def sentences(path, count: int, first: int = 0):
    """A csv file as Kaggle's of IMDB: the columns review and sentiment, whose labels are strings."""
    rows = [
        {"review": f"a {'fine' if n % 2 else 'dull'} film, no. {n}", "sentiment": "positive" if n % 2 else "negative"}
        for n in range(first, first + count)
    ]
    return write(path, rows)


COLUMNS = ("--config.data.text_column=review", "--config.data.label_column=sentiment")


@pytest.fixture(scope="module")
def by_name(tmp_path_factory):
    """A run on a csv file with strings as labels."""
    folder = tmp_path_factory.mktemp("by-name")
    data = {"source": "files", "path": str(sentences(folder / "reviews.csv", 120)), "text_column": "review"}
    data |= {"label_column": "sentiment", "validation_fraction": 0.1}
    config = tiny_config(train__epochs=1, **{f"data__{name}": value for name, value in data.items()})
    run.train_lanes(config, folder / "run")
    return folder


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_predictions_can_be_joined_to_the_file(command, by_name, tmp_path, suffix):
    out = tmp_path / f"predictions{suffix}"
    ended = command("eval", f"--workdir={by_name / 'run'}", f"--predictions={out}")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"predictions: {out}")
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".jsonl": lambda path: pd.read_json(path, lines=True)}
    found, source = read[suffix](out), pd.read_csv(by_name / "reviews.csv")
    assert set(found["file"]) == {str(by_name / "reviews.csv")}
    joined = source.iloc[found["row"]]
    assert joined["review"].tolist() == found["text"].tolist()
    assert joined["sentiment"].tolist() == found["label"].tolist()
    assert set(found["predicted"]) <= {"negative", "positive"}
    if suffix != ".jsonl":
        found["probabilities"] = found.apply(
            lambda row: {name: row[f"probability of {name}"] for name in ("negative", "positive")}, axis=1
        )
    assert [max(own, key=own.get) for own in found["probabilities"]] == found["predicted"].tolist()
    figures = json.loads((by_name / "run" / "eval-test.json").read_text())
    assert figures["accuracy"] == np.mean(found["label"] == found["predicted"])


def test_other_data_are_evaluated_by_their_names(command, by_name, tmp_path):
    new = sentences(tmp_path / "new.csv", 30, first=1000)
    ended = command("eval", f"--workdir={by_name / 'run'}", f"--data={new}")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("data-new.csv: 30 reviews")
    assert json.loads((by_name / "run" / "eval-data-new.csv.json").read_text())["n"] == 30
    folder = tmp_path / "folder"
    sentences(folder / "a.csv", 10, first=2000)
    sentences(folder / "b.jsonl", 10, first=3000)
    ended = command("eval", f"--workdir={by_name / 'run'}", f"--data={folder}")
    assert ended.out.startswith("data-folder: 20 reviews")
    (tmp_path / "odd.csv").write_text("review,sentiment\nfine,positive\nodd,neutral\n")
    ended = command("eval", f"--workdir={by_name / 'run'}", f"--data={tmp_path / 'odd.csv'}")
    assert ended.code == 1
    assert ended.error.startswith("the source has the label 'neutral', which the run was not trained on")


def test_predictions_never_replace_what_they_are_made_from(command, by_name, tmp_path):
    source = by_name / "reviews.csv"
    for path, message in (
        (source, "is a file of the data; give another path"),
        (by_name / "run" / "config.json", "is a file of the run; give another path"),
        (tmp_path, "ends in none of .jsonl"),
        (source / "p.csv", "cannot be written (File exists); give another path"),
    ):
        before = path.read_bytes() if path.is_file() else b""
        ended = command("eval", f"--workdir={by_name / 'run'}", f"--predictions={path}")
        assert (ended.code, ended.out) == (2, "")
        assert message in ended.error
        assert (path.read_bytes() if path.is_file() else b"") == before


def test_the_metrics_of_every_epoch_are_those_of_the_runs_own_splits(command, by_name):
    ended = command("eval", f"--workdir={by_name / 'run'}", "--every_epoch", "--config.data.seed=5")
    assert ended.code == 1
    assert "examples of the train split are not among those that the run" in ended.error


def test_examples_of_the_training_are_refused_or_left_out(command, by_name):
    trained_on = ("eval", f"--workdir={by_name / 'run'}", f"--data={by_name / 'reviews.csv'}")
    ended = command(*trained_on)
    assert ended.code == 1
    assert re.match(r"the run in .* was trained or validated on 96 of these 120 examples; leave these out", ended.error)
    ended = command(*trained_on, "--leave_out_seen", f"--predictions={by_name / 'left.csv'}")
    assert ended.out.startswith("data-reviews.csv: 24 reviews")
    assert "left out 96 of 120 examples" in ended.err
    assert len(pd.read_csv(by_name / "left.csv")) == 24


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_baselines_need_no_trained_network(command, by_name, split):
    data = ("--config.data.source=files", f"--config.data.path={by_name / 'reviews.csv'}", *COLUMNS)
    ended = command("eval", "--config=configs/default.py", *data, "--naive", f"--split={split}")
    assert ended.code == 0, ended.err
    count = {"train": 86, "validation": 10, "test": 24}[split]
    assert ended.out.splitlines()[0] == f"{split}: {count} examples"
    assert table(ended.out)["accuracy of naive Bayes"] == "100.00%"


def test_a_data_set_of_the_hub_is_evaluated_by_the_names_of_its_classes(command, by_name, monkeypatch):
    names = datasets.ClassLabel(names=["positive", "negative"])  # The run has the other order.
    features = datasets.Features({"review": datasets.Value("string"), "sentiment": names})
    rows = {
        "review": [f"a {word} film, hub {n}" for n in range(10) for word in ("fine", "dull")],
        "sentiment": [0, 1] * 10,
    }
    found = datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows, features=features)})
    monkeypatch.setattr("lstm_jax.data.sources.hub_dataset.load_dataset", lambda *_: found)
    out = by_name / "hub.csv"
    ended = command("eval", f"--workdir={by_name / 'run'}", "--data=someone/films", f"--predictions={out}")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("data-films: 20 reviews")
    assert pd.read_csv(out)["label"].tolist() == ["positive", "negative"] * 10


def test_the_report_is_that_of_the_evaluation(command, by_name):
    other = by_name / "other.csv"
    sentences(other, 40, first=1000)
    for flags, title in (((), "test split"), ((f"--data={other}",), f"other data, {other}")):
        ended = command("eval", f"--workdir={by_name / 'run'}", *flags)
        assert ended.code == 0, ended.err
        assert ended.out.splitlines()[-1] == f"report: {by_name / 'run' / 'report.html'}"
        text = (by_name / "run" / "report.html").read_text(encoding="utf-8")
        assert f"<h1>run: {title}</h1>" in text
        assert f"--workdir={by_name / 'run'}" in text


def test_several_runs_are_drawn_side_by_side(command, trained, unfinished, tmp_path):
    page = tmp_path / "curves.html"
    both = f"--workdir={trained},{unfinished}"
    ended = command("eval", both, f"--output={page}")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == f"curves: {page}"
    assert re.search(r"^status +done +not finished$", ended.out, re.MULTILINE)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    for flag, message in (
        ("--split=test", "leave out --split"),
        ("--config.seed=1", "leave out --config.seed"),
        ("--output=curves.png", "--output=curves.png is not an HTML file"),
    ):
        ended = command("eval", both, flag)
        assert ended.code == 2
        assert message in ended.error
    ended = command("eval", f"--workdir={trained},{trained}", f"--output={page}")
    assert (ended.code, "more than once" in ended.error) == (2, True)
    ended = command("eval", f"--workdir={trained}", f"--output={page}")
    assert (ended.code, "--output is the page that compares several runs" in ended.error) == (2, True)
