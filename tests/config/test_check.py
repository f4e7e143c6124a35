"""Validation: what a config may hold, and what it is told otherwise."""

import dataclasses
import logging
import math

import pytest

from lstm_jax import config as configs
from lstm_jax.config import Config, VectorsConfig, validate
from lstm_jax.errors import ConfigError
from lstm_jax.registry import VECTORS
from tests.config.helpers import changed, field_of

BOUNDED = [
    path
    for path, field, value in configs.leaves(Config())
    if isinstance(value, int | float) and not isinstance(value, bool) and not path.startswith("objectives.")
]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train.epochs", "3", "config.train.epochs is '3' of type str; it must be of type int"),
        ("train.epochs", 3.0, "config.train.epochs is 3.0 of type float; it must be of type int"),
        ("train.epochs", True, "config.train.epochs is True of type bool; it must be of type int"),
        ("data.noise", "a", "config.data.noise is 'a' of type str; it must be of type float"),
        ("data.noise", True, "config.data.noise is True of type bool; it must be of type float"),
        ("data.path", None, "config.data.path is None of type NoneType; it must be of type str"),
        ("model.residual", 1, "config.model.residual is 1 of type int; it must be of type bool"),
        ("model.head", [3], "config.model.head is [3] of type list; it must be of type tuple"),
        ("model.head", (3.5,), "config.model.head is (3.5,); it must hold integers only"),
        ("model.head", (0,), "config.model.head is 0; it must be at least 1"),
        ("model.layer", "LSTM", "config.model.layer is 'LSTM'; it must be one of 'lstm', "),
        ("optimizer.name", "adamm", "config.optimizer.name is 'adamm'; did you mean 'adam' or "),
        ("optimizer.hparams.tau", 1.0, "config.optimizer.hparams of 'adam' has no hyper-parameter 'tau'; there are "),
        ("optimizer.hparams.b1", 1.0, "config.optimizer.hparams.b1 is 1.0; it must be between 0.0 and 0.999999"),
        ("optimizer.hparams.b1", -1.0, "config.optimizer.hparams.b1 is -1.0; it must be between 0.0 and 0.99"),
        ("optimizer.hparams.b1", "a", "config.optimizer.hparams.b1 is 'a' of type str; it must be of type float"),
        ("objectives.classified.weight", 1.0, "config.objectives names 'classified'; did you mean 'classification'?"),
        ("objectives.classification.weight", 0.0, "every objective in config.objectives has the weight 0"),
        ("objectives.classification.a", 1.0, "config.objectives.classification has no hyper-parameter 'a'"),
        ("plugins", ("nothing_here",), "the plugin 'nothing_here' is neither a module nor a .py file"),
        ("plugins", ("nothing.py",), "nothing.py does not exist; give the path of a Python file, or restore it"),
        ("data.source", "", "config.data.source is ''; it must be one of 'amazon_polarity', "),
        (
            "data.source",
            "files",
            "config.data.source is 'files' but config.data.path is empty; give a file or a folder",
        ),
        ("train.epochs", 0, "config.train.epochs is 0; it must be at least 1"),
        ("train.buckets", 65, "config.train.buckets is 65; it must be between 1 and 64"),
        ("seed", -1, "config.seed is -1; it must be between 0 and 4294967295"),
        ("seed", 2**32, "config.seed is 4294967296; it must be between 0 and 4294967295"),
        ("data.noise", 1.5, "config.data.noise is 1.5; it must be between 0 and 1"),
        ("data.test_fraction", 0.0, "config.data.test_fraction is 0.0; it must be between 0.001 and 0.9"),
        ("data.train_entries", -1, "config.data.train_entries is -1; it must be at least 0"),
        ("data.one_class_size", -2, "config.data.one_class_size is -2; it must be at least -1"),
        ("data.data_ratio", 1.1, "config.data.data_ratio is 1.1; it must be between -1 and 1"),
        ("data.data_ratio", -0.5, "config.data.data_ratio is -0.5; it must be between 0 and 1, or -1"),
        ("data.data_ratio", 0.0, "config.data.data_ratio is 0: all examples are for testing, and there are none to tr"),
        ("data.sha256", "a" * 64, "config.data.sha256 is that of a downloaded file, but config.data.url is empty"),
        ("model.init_parts", ("heads",), "config.model.init_parts has 'heads'; did you mean 'head'?"),
        ("model.init_parts", ("head", "head"), "config.model.init_parts is ('head', 'head'); name some of"),
        ("model.init_parts", (), "config.model.init_parts is (); name some of embedding, layers, head, optimizer"),
        ("model.init_parts", ("optimizer", "head"), "the optimizer's state belongs to all weights, so take all"),
        (
            "model.init_parts",
            ("all",),
            "config.model.init_parts says what config.model.init_from gives, which is empty",
        ),
        ("data.url", "ftp://a.org/b.csv", "config.data.url is 'ftp://a.org/b.csv'; it must begin with http://, "),
        (
            "data.validation_from",
            "neither",
            "config.data.validation_from is 'neither'; it must be one of 'train', 'test'",
        ),
        ("data.tokens.kind", "nltk", "config.data.tokens.kind is 'nltk'; it must be one of 'runs', 'alphanumeric', "),
        ("data.vectors.missing", "", "config.data.vectors.missing is ''; it must be one of 'random', 'zeros'"),
        ("data.vectors.fit_on", "test", "config.data.vectors.fit_on is 'test'; it must be one of 'train', 'all'"),
        (
            "data.vectors.more_path",
            "a",
            "config.data.vectors.more_path is set without more_text; name the source of that path",
        ),
        ("data.name", "owner/set", "config.data.name is 'owner/set', but only config.data.source 'hub' reads it"),
        ("data.subset", "cola", "config.data.subset is 'cola', but only config.data.source 'hub' reads it"),
        ("data.splits", ("train=train",), "config.data.splits is ('train=train',), but only config.data.source 'hub'"),
        ("reference_accuracy", 86.8, "config.reference_accuracy is 86.8; it must be between 0 and 1"),
        ("reference_accuracy", -0.1, "config.reference_accuracy is -0.1; it must be between 0 and 1"),
        ("model.embedding_rows", -1, "config.model.embedding_rows is -1; it must be at least 0"),
        ("optimizer.learning_rate", math.nan, "config.optimizer.learning_rate is nan; it must be at least 0"),
        ("optimizer.learning_rate", 0.0, "config.optimizer.learning_rate is 0; nothing would be learned"),
        ("optimizer.learning_rate", 0, "config.optimizer.learning_rate is 0; nothing would be learned"),
        (
            "data.vectors.path",
            "a.txt",
            "vectors.path is set, but vectors from 'random' read no file; set ",
        ),
        ("data.vectors.source", "file", "source is 'file', which reads a file, but config.data.vectors.path is empty"),
        (
            "model.implementation",
            "pallas",
            "which the layer 'lstm' does not have; it must be one of 'auto', 'scan'",
        ),
        ("optimizer.schedule", "warmup", "config.optimizer.schedule is 'warmup' but config.optimizer.warmup is 0; set"),
    ],
)
def test_validation_says_what_is_wrong(path, value, message):
    with pytest.raises(ConfigError) as caught:
        validate(changed(path, value))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        *(("optimizer.hparams", value, "it must be a mapping, such as {'b1': 0.9}") for value in (5, None, "a", [1])),
        ("optimizer.hparams", {"b1": {"x": 1}}, "hparams.b1 is {'x': 1}; it must be a value, not a mapping"),
        ("optimizer.hparams", {"b1": None}, "hparams.b1 is None of type NoneType; it must be of type float"),
        ("optimizer.hparams", {"b1": True}, "hparams.b1 is True of type bool; it must be of type float"),
        ("optimizer.hparams", {3: 1.0}, "has no hyper-parameter 3"),
        ("objectives", 1.0, "config.objectives is 1.0; it must be a mapping, such as {'classification': {'weight': 1"),
        ("objectives", {"focal": 1.0}, "objectives.focal is 1.0; it must be a mapping, such as {'weight': 1.0}"),
        ("objectives", {"classification": {"weight": {"x": 1}}}, "weight is {'x': 1}; it must be a value, not a map"),
        ("model.hidden_size", {"a": 64}, "config.model.hidden_size is {'a': 64}; it must be a value, not a mapping"),
        ("model.hidden_size", {}, "config.model.hidden_size is {}; it must be a value, not a mapping"),
        ("model", {"hidden_size": 64}, "config.model is {'hidden_size': 64}; it must be a group of fields, ModelCon"),
        ("model", None, "config.model is None; it must be a group of fields, ModelConfig"),
    ],
)
def test_groups_mappings_and_values_have_their_places(path, value, message):
    config = changed(path, value)
    with pytest.raises(ConfigError) as caught:
        validate(config)
    assert message in str(caught.value)
    with pytest.raises(ConfigError):
        validate(changed_more(config))


def changed_more(config: Config) -> Config:
    """Sets hyper-parameters by their paths, as the command line does before a config is validated."""
    configs.set_field(config, "optimizer.hparams.b1", 0.8)
    configs.set_field(config, "objectives.focal.weight", 1.0)
    return config


@pytest.mark.parametrize("path", BOUNDED)
def test_bounds_are_inclusive(path):
    field = field_of(path)
    low, high, kind = field.metadata["low"], field.metadata["high"], field.type
    if path not in ("optimizer.learning_rate", "optimizer.embedding_lr_scale"):  # these refuse 0 for other reasons
        validate(changed(path, kind(low)))
    with pytest.raises(ConfigError, match=f"it must be (at least|between) {low}"):
        validate(changed(path, kind(low) - 1))
    if high != math.inf:
        validate(changed(path, kind(high)))
        with pytest.raises(ConfigError, match=f"it must be between {low} and {high}"):
            validate(changed(path, kind(high + 1)))


@pytest.mark.parametrize("source", sorted(set(VECTORS) - {"random"}))
def test_rows_of_the_table_and_given_vectors_exclude_each_other(source):
    config = changed("model.embedding_rows", 88_588)
    validate(configs.from_json(configs.to_json(config)))
    config.data.vectors.source = source
    config.data.vectors.path = "glove.txt" if source == "file" else ""
    message = rf"embedding_rows is 88588, but given vectors \(config\.data\.vectors\.source '{source}'\) have one row"
    with pytest.raises(ConfigError, match=message):
        validate(config)
    config.model.embedding_rows = 0
    validate(config)


@pytest.mark.parametrize("pooling", ["last", "first_last", "every"])
def test_segments_are_not_pooled_at_their_ends(pooling):
    config = changed("model.pooling", pooling)
    config.model.segment = 50
    with pytest.raises(ConfigError, match=rf"pooling is '{pooling}'; with config\.model\.segment its prediction"):
        validate(config)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("epoch_{epoch}", "epoch_12"),
        ("{layer}_{hidden_size}_{learning_rate}_{seed}_{epoch}", "lstm_64_0.0001_7_12"),
        ("weights/{layer}/{epoch}", "weights/lstm/12"),
        ("{epoch}%", "12%"),
    ],
)
def test_names_of_kept_epochs(template, name):
    config = changed("train.keep_epochs", template)
    config.seed, config.optimizer.learning_rate = 7, 1e-4
    assert configs.epoch_name(validate(config), 12) == name


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{epoch", "cannot be filled in (expected '}'"),
        ("epoch}", "cannot be filled in (Single '}'"),
        ("{}", "which has {}; it may use {epoch}, {seed}, {layer}, {hidden_size}, {learning_rate}"),
        ("{epochs}", "which has {epochs}; it may use {epoch}"),
        ("{epoch.real}", "which has {epoch.real}; it may"),
        ("{epoch[0]}", "which has {epoch[0]}; it may"),
        ("{epoch!r}", "which has {epoch!r}; it may"),
        ("{epoch:c}", "which has {epoch:c}; it may"),
        ("{epoch:03d}", "which has {epoch:03d}; it may"),
        ("best", "it needs {epoch}"),
        ("{seed}_{layer}", "it needs {epoch}"),
        ("{{epoch}}", "it needs {epoch}"),
        ("/tmp/{epoch}", "which gives the name '/tmp/1'; every part between slashes must be a name"),
        ("epochs//{epoch}", "which gives the name 'epochs//1'"),
        ("{epoch}/", "which gives the name '1/'"),
        ("./{epoch}", "which gives the name './1'"),
        ("../{epoch}", "which gives the name '../1'"),
    ],
)
def test_template_of_kept_epochs_that_does_not_fit(template, fault):
    with pytest.raises(ConfigError) as caught:
        validate(changed("train.keep_epochs", template))
    assert str(caught.value).startswith(f"config.train.keep_epochs is {template!r}")
    assert fault in str(caught.value)


def test_kept_epochs_are_validated_at_their_ends():
    config = changed("train.keep_epochs", "{epoch}")
    config.train.validate_every = 100
    with pytest.raises(ConfigError, match=r"keep_epochs keeps the weights validated after each epoch; set val"):
        validate(config)


@pytest.mark.parametrize("field", ["train_entries", "eval_entries"])
def test_unused_entries_are_told(field, caplog):
    message = "config.data.data_ratio is set, so train_entries and eval_entries are not used"
    config = changed(f"data.{field}", 5)
    with caplog.at_level(logging.INFO, "lstm_jax"):
        validate(configs.from_json(configs.to_json(config)))
        validate(changed("data.data_ratio", 0.5))
        assert caplog.messages == []
        config.data.data_ratio = 0.5
        validate(config)
    assert caplog.messages == [message]


def test_whole_numbers_are_floats_too():
    assert validate(changed("optimizer.learning_rate", 1)).optimizer.learning_rate == 1


def test_validated_config_is_frozen():
    config = validate(Config())
    for group, name in ((config, "seed"), (config.model.dropout, "tokens"), (config.data.tokens, "truncation")):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"the config is frozen; {name} cannot be set to 1"):
            setattr(group, name, 1)
    for numbers in (config.optimizer.hparams, config.objectives["classification"]):
        with pytest.raises(dataclasses.FrozenInstanceError, match="the config is frozen; weight cannot be changed"):
            numbers["weight"] = 2.0
    assert validate(config) is config
    assert configs.from_json(configs.to_json(config)).model.dropout.tokens == 0
    Config().seed = 3  # other configs can still be changed


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (
            {"source": "random", "more_text": "imdb"},
            "vectors from 'random' are not learned from text",
        ),
        (
            {"source": "class_frequency", "more_text": "imdb"},
            "are not learned from text",
        ),
        ({"source": "cooccurrence", "more_text": "files"}, "more_text is 'files' but more_path is empty; give a file"),
        ({"source": "word2vec", "more_text": "imdb", "more_path": "films"}, "the source of the run itself"),
    ],
)
def test_text_to_learn_vectors_from_too(vectors, message):
    config = changed("data.source", "imdb")
    config.data.path = "films"
    config.data.vectors = VectorsConfig(**vectors)
    with pytest.raises(ConfigError) as caught:
        validate(config)
    assert message in str(caught.value)
    config.data.vectors = VectorsConfig("cooccurrence", more_text="files", more_path="games.csv")
    validate(config)


@pytest.mark.parametrize("name", ["", "glue", "a/b/c", "a b/c", "/data", "../data/x", "owner/ä"])
def test_name_of_a_data_set_on_the_hub(name):
    config = Config(data=configs.DataConfig(source="hub", name=name))
    with pytest.raises(
        ConfigError, match=r"config\.data\.source 'hub' needs the name of a data set on the Hub, OWNER/NAME"
    ):
        validate(config)


@pytest.mark.parametrize(
    ("splits", "valid"),
    [
        ((), True),
        (("train=training", "test = dev"), True),
        (("train=a", "unsupervised=b", "validation=c"), True),
        (("test=a",), False),
        (("train=a", "test=a"), False),
        (("train=a", "train=b"), False),
        (("train=",), False),
        (("train",), False),
        (("train=a", "dev=b"), False),
    ],
)
def test_splits_of_a_data_set_on_the_hub(splits, valid):
    config = Config(data=configs.DataConfig(source="hub", name="owner/set", splits=splits))
    if valid:
        validate(config)
        return
    with pytest.raises(ConfigError, match="it must hold SPLIT=NAME, once for train and at most once for validation"):
        validate(config)


def test_no_more_text_from_the_hub():
    vectors = VectorsConfig(source="cooccurrence", more_text="hub")
    with pytest.raises(ConfigError, match="more_text is 'hub', which needs a name of its own"):
        validate(Config(data=configs.DataConfig(vectors=vectors)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data.order": "first", "data.split_block": 9},
            "split_block is 9, but config.data.order 'first' takes",
        ),
        (
            {"data.tokens.url_rule": "loye"},
            "needs mark_urls=True and kind=treebank; found mark_urls=False and",
        ),
        ({"data.tokens.url_rule": "loye", "data.tokens.mark_urls": True}, "found mark_urls=True and kind=runs"),
        (
            {"data.tokens.index_path": "i.json"},
            "needs kind=keras and fit_on=train, since no word is counted;",
        ),
        (
            {"data.tokens.index_path": "i.json", "data.tokens.kind": "keras", "data.tokens.fit_on": "all"},
            "found kind=keras and fit_on=all",
        ),
        ({"data.tokens.pad_left": True, "data.tokens.pad_right": True}, "pad_left and pad_right exclude each other"),
        (
            {"data.tokens.remove_unknown": True, "data.tokens.unknown_as_padding": True},
            "remove_unknown and unknown_as_padding exclude each other",
        ),
        ({"data.tokens.stop_words": ("a", "of the")}, r"stop_words is \('a', 'of the'\); each must be one word"),
        ({"model.hidden_size_backward": 3}, "hidden_size_backward is 3, but no layer reads backwards"),
        (
            {"model.embedding_std": 1.0, "data.vectors.source": "cooccurrence"},
            "embedding_std is 1.0, but the embedding begins with given vectors",
        ),
        (
            {"train.patience": 2, "train.best_by": "last"},
            "patience is 2, but with best_by=last no validation is",
        ),
        ({"train.carry_state": True, "model.segment": 5}, "with config.model.segment every segment starts from zeros"),
    ],
)
def test_switches_that_contradict_other_fields(changes, message):
    with pytest.raises(ConfigError, match=message):
        validate(configs.with_fields(Config(), changes))
