"""The model card of an export: front matter of the Hugging Face Hub, figures, data, training, and how to use the files.

Source: Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

import html
import textwrap
from collections.abc import Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from scipy.stats import binomtest

import lstm_jax
from lstm_jax import config as configs
from lstm_jax.characters import printable
from lstm_jax.config import Config
from lstm_jax.reports.tables import markdown
from lstm_jax.training.restore import Trained
from lstm_jax.training.workdir import read_config, read_json, read_summary

_LICENCE = (
    "# Replace unknown with the licence that you give the weights, see https://hf.co/docs/hub/repositories-licenses"
)
_AGAIN = (
    'python -c "import lstm_jax, pathlib; from lstm_jax.config import from_json; '
    "lstm_jax.train(from_json(pathlib.Path('config.json').read_text('utf-8')), 'runs/again')\""
)
_TEXT = '"the battery died after a week"'
_READ = f"from token_ids import token_ids\n\ntokens, lengths = token_ids([{_TEXT}])\n"

# How each file is used, by its ending: a sentence and Python code.
_USES = {
    ".safetensors": (
        "`lstm_jax` opens the folder as a run, without checkpoints.",
        f'import lstm_jax\n\nprint(lstm_jax.load(".").predict([{_TEXT}]))',
    ),
    ".pt": (
        "PyTorch reads the weights as state dicts of `torch.nn` modules, which `model.py` defines.",
        "from model import read_model\n" + _READ + "print(read_model()(tokens, lengths))",
    ),
    ".stablehlo": (
        "JAX alone runs the program, for any number of texts of any length, on CPUs, CUDA GPUs and TPUs.",
        "from pathlib import Path\n\nfrom jax import export\n"
        + _READ
        + 'program = export.deserialize(bytearray(Path("model.stablehlo").read_bytes()))\n'
        + "print(program.call(tokens, lengths))",
    ),
    ".onnx": (
        "ONNX Runtime runs the graph, for any number of texts of any length.",
        "import onnxruntime\n"
        + _READ
        + 'session = onnxruntime.InferenceSession("model.onnx")\n'
        + 'print(session.run(None, {"tokens": tokens, "lengths": lengths})[0])',
    ),
}


def model_card(trained: Trained, names: Sequence[str]) -> str:
    """The content of ``README.md``.

    Args:
      trained: The run.
      names: Names of the folder's other files.
    """
    run = trained.workdir
    config, summary, facts = read_config(run), read_summary(run) or {}, read_json(run / "data.json", dict)
    accuracies = _accuracies(trained, summary, facts)
    classes = [[str(n), _code(name)] for n, name in enumerate(trained.classes.names)]
    parts = [
        _front_matter(config, accuracies),
        f"# {_escaped(run.resolve().name)}\n\n{_lead(trained, config)}",
        markdown([["number", "class"], *classes]),
        f"## Figures\n\n{_figures(accuracies, trained)}",
        f"## Data\n\n{_data(config, facts)}",
        f"## Training\n\n{_training(config, summary)}",
        f"## Use\n\n{_use(config, names)}",
        "## Licence\n\nNot chosen yet. Replace `unknown` at the top of this file. The licence of the training data may "
        "restrict which one you can give.",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(config: Config, accuracies: Sequence[tuple[str, float, int]]) -> str:
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=config.data.name or config.data.source,
            dataset_name=config.data.name or config.data.source,
            dataset_split=split,
            metric_type="accuracy",
            metric_value=accuracy,
        )
        for split, accuracy, _ in accuracies
    ]
    data = ModelCardData(
        license="unknown",
        library_name="lstm_jax",
        pipeline_tag="text-classification",
        tags=["jax", config.model.layer, "text-classification"],
        model_name="lstm_jax text classifier" if results else None,
        eval_results=results or None,
    )
    return f"---\n{_LICENCE}\n{data.to_yaml()}\n---"


def _lead(trained: Trained, config: Config) -> str:
    model = config.model
    ways = "bidirectional " if model.bidirectional else ""
    lanes = f" The probabilities are the mean of {trained.lanes} networks." if trained.lanes > 1 else ""
    return (
        f"A text classifier with {len(trained.classes.names)} classes: {model.layers} {ways}layer(s) of "
        f"{model.hidden_size} {_code(model.layer)} units over {model.embedding_size} embedded features, pooling "
        f"{_code(model.pooling)}, trained from scratch by lstm_jax.{lanes} It knows "
        f"{trained.tokenizer.get_vocab_size():,} tokens; every other token is unknown to it."
    )


def _accuracies(trained: Trained, summary: Any, facts: Any) -> list[tuple[str, float, int]]:
    """Name of the examples, accuracy and number of examples, of each evaluation of these weights and the validation."""
    found = []
    for file in sorted(trained.workdir.glob("eval-*.json")):
        name, _, epoch = file.stem.removeprefix("eval-").partition("-epoch_")
        if epoch != (str(trained.epoch) if trained.epoch else ""):
            continue
        own = read_json(file, dict)
        if own.get("checkpoint_step") == trained.step:  # Others are of weights that a longer training has replaced.
            found.append((name, float(own["accuracy"]), int(own["n"])))
    examples = facts.get("splits", facts).get("validation", {}).get("examples", 0)
    best = summary.get("best_validation_accuracy")
    measured = trained.lanes == 1 and summary.get("best_step") == trained.step and best is not None
    if measured and examples and "validation" not in [name for name, _, _ in found]:
        found.append(("validation", float(best), int(examples)))
    return found


def _figures(accuracies: Sequence[tuple[str, float, int]], trained: Trained) -> str:
    if not accuracies:
        return "None were measured before the export."
    rows = [["examples", "n", "accuracy", "95 % interval"]]
    for name, accuracy, n in accuracies:
        low, high = binomtest(round(accuracy * n), n).proportion_ci(method="wilson")
        rows.append([_code(name), f"{n:,}", f"{accuracy:.2%}", f"{low:.2%} to {high:.2%}"])
    return (
        f"{markdown(rows)}\n\nIntervals are Wilson's and speak of the choice of examples alone. The weights are "
        f"those of step {trained.step:,}, chosen by the accuracy on the validation examples, so that accuracy is too "
        "high."
    )


def _data(config: Config, facts: Any) -> str:
    splits = facts.get("splits", facts)
    names = [name for name in ("train", "validation", "test") if name in splits]
    rows = [["split", "examples", "unknown tokens"]]
    rows += [[name, f"{splits[name]['examples']:,}", f"{splits[name]['unknown_tokens']:.1%}"] for name in names]
    source = f"The source is {_code(config.data.source)}" + (f", {_code(config.data.name)}" if config.data.name else "")
    generated = " The reviews are generated by a grammar." if config.data.source == "reviews" else ""
    return f"{source}.{generated}\n\n{markdown(rows)}\n\nDescribe here where the texts come from."


def _training(config: Config, summary: Any) -> str:
    changed = configs.differences(Config(), config)
    rows = [["field", "value"], *([_code(path), _code(str(ours))] for path, _, ours in changed)]
    versions = {"lstm_jax": lstm_jax.__version__} | summary.get("versions", {})
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    commit = f" The code was that of commit {_code(summary['git_commit'])}." if summary.get("git_commit") else ""
    status = f" The training ended as {_code(summary['status'])}." if "status" in summary else ""
    return (
        f"This command, run where the data are as `config.json` says, repeats the training:\n\n```sh\n{_AGAIN}\n```\n\n"
        f"Versions: {listed}.{commit}{status}\n\nFields that differ from the defaults:\n\n{markdown(rows)}"
    )


def _use(config: Config, names: Sequence[str]) -> str:
    found = [
        f"{sentence}\n\n```python\n{code}\n```"
        for ending, (sentence, code) in _USES.items()
        if any(name.startswith("model") and name.endswith(ending) for name in names)
    ]
    needs = "`numpy`, `tokenizers`" + (" and `nltk`" if config.data.tokens.kind == "treebank" else " only")
    rounded = config.model.matmul_dtype != "float32"
    note = (
        " The layers were trained with products rounded to bfloat16. PyTorch and ONNX compute them in float32, "
        "so their probabilities differ in the third digit."
    )
    return (
        f"`token_ids.py` reads texts as in training, by `config.json` and `tokenizer.json`; it needs {needs}. Programs "
        "take token ids `[T, B]`, padded at the end, and lengths `[B]`, and return probabilities `[B, C]`."
        + (note if rounded else "")
        + "\n\n"
        + "\n\n".join(found)
    )


def _code(text: str) -> str:
    """A string from the data or the config as code, whatever characters it holds."""
    shown = html.escape(printable(" ".join(text.split())), quote=False).replace("`", "&#96;")
    return f"<code>{textwrap.shorten(shown, 2000) if shown else ' '}</code>"


def _escaped(text: str) -> str:
    return html.escape(printable(text), quote=False)
