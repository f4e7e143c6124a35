"""Runs with random weights that need no training, and other runtimes in processes without lstm_jax."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from lstm_jax import config as configs
from lstm_jax.data.tokenizer import learn_vocabulary, pretokenize, read_tokenizer, unknown_id, write_tokenizer
from lstm_jax.models.classifier import TextClassifier
from lstm_jax.training.experiment import first_weights
from lstm_jax.training.restore import Trained, load_run
from lstm_jax.training.weights import weights_bytes, weights_file
from lstm_jax.training.workdir import evaluation_config, lanes_of, write_json
from tests.helpers import randomised
from tests.training.tiny import tiny_config

TEXTS = [
    "it's good , don't see www.a-shop.com/x?y=1 at 12:30 !",
    "The <br />FILM was [PAD] not 3.5 ... good-bye",
    "",
    "É́clair straße \u4f60\u597d 👍 " + "very " * 60 + "bad.",
    '"Well," she said. (see http://x.org/a.b) [UNK] it\ue000is <url> 42%',
]


def run_with_random_weights(folder: Path, classes: int = 2, **changes) -> Trained:
    """A run in a folder, as an export as safetensors leaves it."""
    config = tiny_config(data__tokens__min_count=1, **changes)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(configs.to_json(config), encoding="utf-8")
    write_json(folder / "lanes.json", [lane._asdict() for lane in lanes_of(config)])
    names = [f"class {n}" for n in range(classes)]
    write_json(folder / "data.json", {"classes": names, "labels": names})
    texts = [*TEXTS, " ".join(f"w{n}" for n in range(40))]
    learned = learn_vocabulary([pretokenize(texts, config.data.tokens)], repr(texts), config.data.tokens)
    write_tokenizer(learned, folder / "tokenizer.json")
    tokenizer = read_tokenizer(folder / "tokenizer.json")
    model = TextClassifier(config.model, tokenizer.get_vocab_size(), classes, unknown_id(tokenizer))
    shapes = jax.eval_shape(lambda: first_weights(model, {}, jnp.uint32(0)))
    for lane in range(config.ensemble):
        own = {"params": randomised(shapes["params"], 100 * lane), "frozen": {}}
        if "frozen" in shapes:
            own["frozen"] = randomised(shapes["frozen"], 100 * lane + 50)
        content = weights_bytes(jax.tree.map(lambda leaf: leaf[None], own), 0, step=7)
        (folder / weights_file(lane, config.ensemble, ".safetensors")).write_bytes(content)
    return load_run(folder, evaluation_config(folder))


def isolated(script: str, folder: Path, *arguments: object, without: tuple[str, ...] = ("lstm_jax", "flax")) -> str:
    """Runs Python code in a folder in a process that cannot import some packages; returns what it prints."""
    blocked = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    command = [sys.executable, "-W", "error", "-c", blocked + script, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ragged(longest: int, vocabulary: int, number: int = 200) -> list[list[int]]:
    """Token ids of examples of 1 to ``longest`` tokens, both included."""
    rng = np.random.default_rng(0)
    lengths = [1, longest, *rng.integers(1, longest + 1, number - 2)]
    return [rng.integers(0, vocabulary, length).tolist() for length in lengths]


def padded(ids: list[list[int]]) -> dict[str, np.ndarray]:
    """Tokens ``[T, B]`` and lengths ``[B]``, int32."""
    tokens = np.zeros((max(map(len, ids)), len(ids)), np.int32)
    for n, own in enumerate(ids):
        tokens[: len(own), n] = own
    return {"tokens": tokens, "lengths": np.array([len(own) for own in ids], np.int32)}


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
