"""The tour of a config: what it prints is what the data, the layers and the network really are."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.config import Config, ModelConfig, validate
from lstm_jax.evaluation import tour as tours
from lstm_jax.evaluation.tour import TOUR_WIDTH, tour
from lstm_jax.layers import make_layer
from tests.reviews import files, write

TITLES = ["The data", "One example", "One layer", "The network", "Many-to-many and many-to-one"]


def own_config(folder, **fields) -> Config:
    """A config of written reviews: 30 to train, 6 to validate, 6 to test, of which the first has an unknown word."""
    for split, count in (("train", 30), ("validation", 6), ("test", 6)):
        texts = [f"word{n % 3} is {'good' if n % 2 else 'bad'} " + "so " * (n % 7) + "." for n in range(count)]
        texts[0] += " unheard" * (split == "test")
        write(folder / f"{split}.csv", [{"text": text, "label": n % 2} for n, text in enumerate(texts)])
    config = Config(data=files(folder))
    config.model.hidden_size, config.model.embedding_size, config.train.batch_size = 6, 4, 3
    for path, value in fields.items():
        group, _, name = path.rpartition("__")
        owner = config
        for each in group.split("__"):
            owner = getattr(owner, each)
        setattr(owner, name, value)
    return validate(config)


@pytest.fixture(scope="module")
def sections(tmp_path_factory) -> dict[str, list[str]]:
    """The lines of each section."""
    config = own_config(tmp_path_factory.mktemp("data"), model__pooling="last", model__layer="rnn_tanh")
    return {text.splitlines()[0]: text.splitlines()[2:] for text in tour(config)}


def row(lines: list[str], name: str) -> list[str]:
    """The cells of the row of a table."""
    (line,) = [line for line in lines if line.startswith(f"{name}  ")]
    return re.split(" {2,}", line)


def test_every_section_is_there_and_no_line_is_too_long(sections):
    assert list(sections) == TITLES
    assert max(len(line) for lines in sections.values() for line in lines) <= TOUR_WIDTH


def test_the_data_are_those_of_the_config(sections):
    lines = sections["The data"]
    assert lines[1].split() == ["split", "examples", "0", "1", "mean", "length", "unknown", "tokens"]
    assert lines[2].split() == ["train", "30", "50.0%", "50.0%", "6.8", "0.0%"]
    assert lines[9].split()[:9] == ["train", "4", "4", "5", "7", "9", "10", "10", "0.0%"]
    assert lines[11].split()[-2:] == ["40", "1"]  # Four tokens, twice five, six, seven, eight, nine; one is unknown.


def test_ids_stand_above_their_words(sections):
    lines = sections["One example"]
    ids, words = lines[-2].split(), lines[-1].split()
    assert words == lines[1].split() == lines[4].strip().split(" | ") == ["word0", "is", "bad", *["so"] * 6, "."]
    starts = [[found.start() for found in re.finditer(r"\S+", line)] for line in lines[-2:]]
    assert starts[0] == starts[1]
    assert ids[3:9] == [ids[3]] * 6
    assert len(set(ids)) == len(set(words)) == 5


def test_the_walk_of_a_layer_has_its_shapes():
    config = Config(model=ModelConfig(embedding_size=4, hidden_size=6, bidirectional=True))
    config.train.batch_size = 3
    lines = list(itertools.islice(tours._layer(config), 14))  # What follows is computed.
    assert row(lines, "input") == ["input", "[T, B, D]", "[1, 1, 5]", "[3, 1, 5]", "[1, 3, 4]", "[3, 3, 4]"]
    assert row(lines, "cell state") == ["cell state", "[B, H]", "[1, 10]", "[1, 10]", "–", "–"]
    assert row(lines, "backward hidden state")[2:] == ["–", "–", "[3, 6]", "[3, 6]"]
    assert row(lines, "output") == ["output", "[T, B, H]", "[1, 1, 10]", "[3, 1, 10]", "[1, 3, 12]", "[3, 3, 12]"]
    assert row(lines, "last output")[2:] == ["[1, 10]", "[1, 10]", "[3, 12]", "[3, 12]"]


def test_the_walk_of_a_layer_has_its_values(sections):
    lines = sections["One layer"]
    layer, x = make_layer("rnn_tanh", 10), jax.random.normal(jax.random.key(1), (3, 1, 5))
    y, _ = jax.jit(layer.apply)(jax.jit(layer.init, static_argnums=1)(jax.random.key(0), 5), x, jnp.array([3]))
    np.testing.assert_allclose([float(value) for value in lines[-1].split()], y[-1, 0], atol=1e-4)
    assert float(re.search(r"difference is (\S+)\.$", " ".join(lines[:-1]))[1]) < 1e-6


def test_the_network_and_its_two_kinds_of_outputs(sections):
    assert row(sections["The network"], "pooling") == ["pooling", "last", "[B, 6]", "0"]
    lines = sections["Many-to-many and many-to-one"]
    assert lines[1].startswith("[10, 1, 2]    many-to-many")
    assert lines[2].startswith("[1, 2]        many-to-one")
    assert lines[2].endswith("pooling 'last'")


@pytest.mark.parametrize(
    "fields",
    [
        {"model__pooling": "every", "model__output": "sigmoid", "data__tokens__pad_left": True},
        {"model__pooling": "attention", "model__segment": 2, "model__wide": 8, "data__tokens__kind": "keras"},
        {
            "model__layer": "gru",
            "model__layers": 2,
            "model__bidirectional": True,
            "model__train_embedding": False,
            "data__tokens__max_length": 5,
        },
    ],
    ids=["every", "attention", "gru"],
)
@pytest.mark.long
def test_other_networks_have_a_tour_too(fields, tmp_path):
    text = "\n".join(tour(own_config(tmp_path, **fields)))
    assert [line for line in text.splitlines() if line in TITLES] == TITLES
    assert max(map(len, text.splitlines())) <= TOUR_WIDTH


def test_texts_of_the_data_do_not_control_the_terminal_and_wide_letters_stay_aligned():
    ids, words = tours._aligned(["1", "2", "3", "44"], ["\x1b[31m", "\u4f60\u597d", "e\u0301", "b"])
    assert "\x1b" not in words
    assert words.split() == [r"\x1b[31m", "\u4f60\u597d", "e\u0301", "b"]
    columns = [tours._columns(words[: words.rindex(word)]) for word in words.split()]
    assert columns == [ids.index(n) for n in ids.split()]
    lines = list(tours._aligned([*"123"] * 20, ["a" * 500, "\u4f60" * 20, "b"] * 20))
    assert len(lines) == 40
    assert max(map(tours._columns, lines)) <= TOUR_WIDTH
