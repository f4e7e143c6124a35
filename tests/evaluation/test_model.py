"""A run as an object: what it says of itself, its predictions, its figures on data in every form, its pictures."""

import shutil

import datasets
import numpy as np
import pytest
from matplotlib.figure import Figure

import lstm_jax
from lstm_jax import runtime
from lstm_jax.errors import UserError
from lstm_jax.evaluation.figures import evaluate_examples
from lstm_jax.evaluation.model import ClassFigures, Prediction, class_figures
from lstm_jax.training.workdir import read_digests
from tests.reviews import write
from tests.training.tiny import tiny_config

OLD = [{"review": f"{'good' if n % 2 else 'bad'} film no. {n}", "verdict": ("no", "yes")[n % 2]} for n in range(120)]
NEW = [(f"a {('fine', 'poor')[n % 2]} film with number {n}", ("yes", "no")[n % 2]) for n in range(30)]
DICTS = [{"review": text, "verdict": label} for text, label in NEW]
NUMBERS = [{"review": text, "verdict": ("yes", "no").index(label)} for text, label in NEW]
FEATURES = datasets.Features({"review": datasets.Value("string"), "verdict": datasets.ClassLabel(names=["yes", "no"])})


@pytest.fixture(autouse=True)
def configured(monkeypatch):
    monkeypatch.setattr(runtime, "configure", lambda: None)  # tests/conftest.py has set the devices up


def trained(folder, **changes):
    data = {"source": "files", "path": str(write(folder / "old.csv", OLD)), "text_column": "review"}
    data = {f"data__{name}": value for name, value in (data | {"label_column": "verdict"}).items()}
    lstm_jax.train(tiny_config(**data, train__epochs=1, **changes), folder / "run")
    return lstm_jax.load(folder / "run")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "configure", lambda: None)
        return trained(tmp_path_factory.mktemp("model"))


def test_a_model_says_what_it_is(model, tmp_path):
    best = f"{lstm_jax.train(model.config, model._trained.workdir)['best_validation_accuracy']:.2%}"
    start = f"Model('{model._trained.workdir}': 1 × lstm of 8 units; 2 classes: 'no', 'yes'; "
    assert repr(model) == f"{start}validation accuracy {best} at step {model._trained.step})"
    workdir = shutil.copytree(model._trained.workdir, tmp_path / "run")
    (workdir / "summary.json").unlink()
    assert repr(lstm_jax.load(workdir)).endswith(f"'yes'; step {model._trained.step})")


def test_predictions_are_short_and_name_the_likely_classes(model):
    assert repr(Prediction("c", {"a": 0.1, "b": 0.2, "c": 0.6, "d": 0.1}, 0.25)) == (
        "Prediction('c' 60.0%, 'b' 20.0%, 'a' 10.0%, …; 25% of the tokens unknown)"
    )
    assert repr(Prediction("b", {"a": 0.25, "b": 0.75}, 0.0)) == (
        "Prediction('b' 75.0%, 'a' 25.0%; 0% of the tokens unknown)"
    )
    texts = np.array(["good film", ""])
    assert model.predict(texts) == model.predict(tuple(texts)) == model.predict(["good film", ""])
    assert model.predict(text for text in texts) == model.predict(texts)  # Read once.
    for wrong in ("good film", b"good film", [3], [None], None, 3, {"good film": 1}):
        with pytest.raises(UserError, match="predict takes a list of texts"):
            model.predict(wrong)


def test_class_figures_count_what_is_never_said_or_never_there_as_zero():
    found = class_figures(np.array([[3, 1, 0], [1, 5, 0], [0, 0, 0]]))
    assert found == [ClassFigures(0.75, 0.75, 0.75, 4), ClassFigures(5 / 6, 5 / 6, 5 / 6, 6), ClassFigures(0, 0, 0, 0)]


FORMS = {
    "pairs": lambda _: NEW,
    "pairs of arrays": lambda _: [(np.str_(text), np.str_(label)) for text, label in NEW],
    "rows": lambda _: DICTS,
    "dataset": lambda _: datasets.Dataset.from_list(DICTS),
    "dataset with numbered classes": lambda _: datasets.Dataset.from_list(NUMBERS, features=FEATURES),
    "file": lambda folder: write(folder / "new.csv", DICTS),
    "path": lambda folder: str(write(folder / "new.jsonl", DICTS)),
    "folder": lambda folder: write(folder / "new" / "test.parquet", DICTS).parent,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_new_examples_give_the_same_figures_in_every_form(model, form, tmp_path):
    found = model.evaluate(form(tmp_path))
    predictions = model.predict([text for text, _ in NEW])
    right = [prediction.label == label for prediction, (_, label) in zip(predictions, NEW, strict=True)]
    losses = [-np.log(prediction.probabilities[label]) for prediction, (_, label) in zip(predictions, NEW, strict=True)]
    assert (found.accuracy, found.n, found.confusion.sum()) == (np.mean(right), 30, 30)
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-6)
    assert found.confusion.diagonal().sum() == sum(right)
    assert list(found.classes) == ["no", "yes"]
    assert found.classes["yes"].n == 15
    assert repr(found) == f"Evaluation(accuracy {found.accuracy:.2%}, loss {found.loss:.4f}, 30 examples)"


def test_without_data_the_test_split_is_evaluated_and_nothing_is_written(model):
    before = sorted(model._trained.workdir.rglob("*"))
    found = model.evaluate()
    assert sorted(model._trained.workdir.rglob("*")) == before
    part = lstm_jax.data.corpus.prepare_part(
        model.config.data, "test", model._trained.tokenizer, model._trained.classes
    )
    expected = evaluate_examples(model._trained, part.examples, "again")
    assert (found.accuracy, found.loss, found.n) == (expected.accuracy, expected.loss, expected.n)
    assert found.confusion.tolist() == expected.confusion


@pytest.mark.parametrize("form", ["pairs", "file"])
def test_examples_of_the_training_are_refused_or_left_out(model, form, tmp_path):
    old = [(row["review"], row["verdict"]) for row in OLD]
    data = old + NEW if form == "pairs" else write(tmp_path / "both.csv", OLD + DICTS)
    with pytest.raises(UserError, match=r"was trained or validated on \d+ of these 150 examples; leave these out with"):
        model.evaluate(data)
    splits = read_digests(model._trained.workdir)
    assert model.evaluate(data, leave_out_seen=True).n == 150 - len(splits["train"]) - len(splits["validation"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere.csv", "nowhere.csv does not exist; give a file, a folder, or a data set of the Hub, OWNER/NAME"),
        (5, "evaluate takes no int of this form; give a datasets.Dataset, a list of pairs"),
        (["a text"], "evaluate takes no list of this form"),
        ({"review": "a", "verdict": "yes"}, "evaluate takes no dict of this form"),
        ([("a", "yes"), ("a",)], "some of the given examples are no pairs"),
        ([("a", "yes"), {"review": "a"}], "some of the given examples are no pairs"),
        ([], "the given examples: there are no rows"),
        ([("a", "maybe")], "the source has the label 'maybe', which the run was not trained on; there are 'no', 'yes'"),
        ([(3, "yes")], "the given examples, row 0: has no text"),
        ([("a", "yes"), ("\ud83d", "no")], "the given examples, row 1: holds half a character"),
        ([{"text": "a", "label": "yes"}], "the given examples, row 0: no column 'review' among 'text', 'label'"),
        (datasets.DatasetDict(test=datasets.Dataset.from_list(DICTS)), "a DatasetDict has several splits, test; give"),
    ],
)
def test_what_is_no_labelled_data_is_refused(model, data, message):
    with pytest.raises(UserError, match=message):
        model.evaluate(data)


def test_labels_of_a_map_and_names_are_both_understood(tmp_path):
    mapped = trained(tmp_path, data__label_map=("no=bad", "yes=good"))
    assert mapped.classes == ("bad", "good")
    named = [(text, {"yes": "good", "no": "bad"}[label]) for text, label in NEW]
    assert mapped.evaluate(NEW).confusion.tolist() == mapped.evaluate(named).confusion.tolist()


def test_a_picture_is_a_figure_that_a_notebook_shows_and_no_file(model):
    before = sorted(model._trained.workdir.rglob("*"))
    figure = model.explain("a good $x$ film no. 映画")
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert sorted(model._trained.workdir.rglob("*")) == before


@pytest.mark.parametrize("text", [None, ["a film"], b"a film"])
def test_what_is_no_text_is_not_explained(model, text):
    with pytest.raises(UserError, match=r"explain takes one text, such as explain\('a text'\), not a"):
        model.explain(text)


@pytest.mark.parametrize("name", ["data.json", "lanes.json", "summary.json"])
@pytest.mark.parametrize("content", ['{"classes": [', "3", "[3]", '{"seed": "?"}'])
def test_a_damaged_file_of_a_run_is_named(model, name, content, tmp_path):
    if (name, content) == ("summary.json", '{"seed": "?"}'):
        pytest.skip("an object is a summary, whatever it holds")
    workdir = shutil.copytree(model._trained.workdir, tmp_path / "run")
    (workdir / name).write_text(content)
    with pytest.raises(UserError, match=rf"{name} is damaged"):
        repr(lstm_jax.load(workdir))
