"""The model card: front matter that the Hub accepts, figures with intervals, and code that runs."""

import json
import re
import sys

import pytest
from huggingface_hub import ModelCard
from scipy.stats import binomtest

from lstm_jax.export import FORMATS, export
from lstm_jax.training.workdir import write_json
from tests.export.helpers import isolated, run_with_random_weights


@pytest.fixture
def run(tmp_path):
    run = run_with_random_weights(tmp_path / "run")
    write_json(tmp_path / "run" / "eval-test.json", {"accuracy": 0.75, "n": 40, "checkpoint_step": 7})
    write_json(tmp_path / "run" / "eval-data-old.json", {"accuracy": 0.25, "n": 40, "checkpoint_step": 3})
    return run


def card(run, folder, formats=("safetensors",)) -> str:
    export(run, formats, folder)
    return (folder / "README.md").read_text(encoding="utf-8")


def test_the_hub_reads_the_front_matter(run, tmp_path):
    found = ModelCard(card(run, tmp_path / "export")).data
    assert (found.license, found.library_name, found.pipeline_tag) == ("unknown", "lstm_jax", "text-classification")
    (result,) = found.eval_results
    assert (result.metric_value, result.dataset_split) == (0.75, "test")


def test_figures_of_these_weights_have_intervals(run, tmp_path):
    text = card(run, tmp_path / "export")
    low, high = binomtest(30, 40).proportion_ci(method="wilson")
    assert f"| <code>test</code> | 40 | 75.00% | {low:.2%} to {high:.2%} |" in text
    assert "data-old" not in text


def test_without_figures_the_card_says_so(tmp_path):
    run = run_with_random_weights(tmp_path / "run")
    assert "None were measured" in card(run, tmp_path / "export")


def test_names_of_classes_cannot_break_the_page(run, tmp_path):
    classes = run.classes._replace(names=("a|b`c`", "<script>x</script>\n\x1b[31m ---"))
    text = card(run._replace(classes=classes), tmp_path / "export")
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "| 0 | <code>a\\|b&#96;c&#96;</code> |" in text


def test_a_damaged_evaluation_is_reported(run, tmp_path):
    (tmp_path / "run" / "eval-test.json").write_text("{")
    with pytest.raises(Exception, match=r"eval-test\.json is damaged"):
        card(run, tmp_path / "export")


@pytest.mark.slow
def test_the_code_runs_without_lstm_jax(run, tmp_path):
    text = card(run, tmp_path / "export", list(FORMATS))
    own, torch, program, onnx = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "lstm_jax.load" in own
    folder, here = tmp_path / "export", "sys.path.insert(0, '.')\n"
    printed = [
        isolated(here + torch, folder, without=("lstm_jax", "jax", "flax")),
        isolated(here + onnx, folder, without=("lstm_jax", "jax", "flax", "torch")),
        isolated(here + program, folder, without=("lstm_jax", "flax", "torch")),
    ]
    numbers = [[round(float(each), 4) for each in re.findall(r"\d\.\d+", line)] for line in printed]
    assert numbers[0] == numbers[1] == numbers[2]
    assert sum(numbers[0]) == pytest.approx(1, abs=1e-3)
    assert sys.modules["lstm_jax"]
    assert json.loads((folder / "torch.json").read_text())["lanes"] == 1
