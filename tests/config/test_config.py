import json

import pytest

from lstm_jax import config as configs
from lstm_jax.config import Config, validate
from lstm_jax.config.tree import options
from lstm_jax.errors import ConfigError
from lstm_jax.registry import CELLS, OPTIMIZERS, POOLINGS, SOURCES, VECTORS
from tests.config.helpers import changed, field_of


def test_what_is_registered_may_be_named():
    for path, names in {
        "model.layer": CELLS,
        "model.pooling": [*POOLINGS, "every"],
        "optimizer.name": OPTIMIZERS,
        "data.source": SOURCES,
        "data.vectors.source": VECTORS,
    }.items():
        assert set(names) <= set(options(field_of(path))), path
    OPTIMIZERS.register("registered_here", OPTIMIZERS["sgd"])
    try:
        validate(changed("optimizer.name", "registered_here"))
    finally:
        OPTIMIZERS.unregister("registered_here")
    with pytest.raises(ConfigError, match=r"config\.optimizer\.name is 'registered_here'; it must be one of 'sgd', "):
        validate(changed("optimizer.name", "registered_here"))


def test_every_field_says_what_it_does_and_its_default_is_allowed():
    for path, field, value in configs.leaves(Config()):
        assert field.metadata["text"].endswith((".", ").")), path
        assert field.metadata["kind"] in ("traced", "static", "incidental"), path
        assert not field.metadata["choices"] or value in options(field), path


def test_incidental_fields_do_not_define_a_run():
    one, other = Config(), Config()
    other.data.path, other.train.log_every, other.train.lane_map, other.reference_accuracy = "a", 3, "vmap", 0.5
    assert configs.differences(one, other) == []
    other.seed, other.optimizer.hparams["b1"] = 1, 0.8
    assert configs.differences(one, other) == [("seed", 0, 1), ("optimizer.hparams.b1", 0.9, 0.8)]
    assert configs.differences(one, other, without=("seed", "optimizer")) == []
    assert "seed" not in configs.definition(one, without=("seed",))
    assert not [path for path in configs.definition(one, without=("data",)) if path.startswith("data.")]


def test_what_a_config_does_not_set_has_its_default():
    one, other = Config(), Config()
    other.optimizer.hparams.update({"b1": 0.9, "weight_decay": 0})
    other.objectives["adversarial"] = {"weight": 0.0, "epsilon": 3.0}
    assert configs.differences(one, other) == configs.differences(other, one) == []
    assert configs.hparams(one) == configs.hparams(other)  # The states of both runs have the same leaves.
    other.objectives["adversarial"] = {"weight": 1.0, "epsilon": 5.0}
    assert configs.differences(one, other) == [("objectives.adversarial.weight", 0.0, 1.0)]
    other.objectives = {"classification": {"weight": 1}}
    other.optimizer.name = "sgd"
    other.optimizer.hparams.clear()
    assert configs.differences(one, other) == [("optimizer.name", "adam", "sgd")]


def test_json_round_trip():
    config = changed("model.head", (32, 16))
    config.data.source, config.data.path = "files", "a folder/über"
    config.optimizer.learning_rate = 0.1
    config.train.validate_every = 7
    again = configs.from_json(configs.to_json(config))
    assert again == config
    assert again.model.head == (32, 16)
    assert configs.to_json(again) == configs.to_json(config)
    assert configs.to_json(Config()) == configs.to_json(Config())
    assert configs.from_json("{}") == Config()
    validate(again)


def test_leaves_go_through_every_group():
    paths = [path for path, _, _ in configs.leaves(Config())]
    assert len(paths) == len(set(paths))
    assert {"seed", "data.tokens.truncation", "data.vectors.path", "model.dropout.tokens", "train.epochs"} <= set(paths)
    nested = json.loads(configs.to_json(Config()))
    for path, _, value in configs.leaves(Config()):
        there = nested
        for part in path.split("."):
            there = there[part]
        assert there == (list(value) if isinstance(value, tuple) else value)


def test_hyper_parameters_are_the_traced_fields():
    config = changed("optimizer.learning_rate", 1)
    found = configs.hparams(config)
    assert found["optimizer.learning_rate"] == 1.0
    assert {type(value) for value in found.values()} == {float}
    assert {"model.dropout.tokens", "optimizer.hparams.b1", "optimizer.clip_norm"} <= set(found)
    assert found["objectives.classification.weight"] == 1.0
    assert found["optimizer.hparams.b2"] == 0.999
    config.optimizer.hparams["b2"] = 0.9
    assert configs.hparams(config)["optimizer.hparams.b2"] == 0.9
    assert not {"optimizer.name", "optimizer.warmup", "train.epochs", "seed"} & set(found)


def test_unknown_field_is_refused_with_the_nearest_name():
    config = Config()
    with pytest.raises(ConfigError, match="ModelConfig has no field 'hiden_size'; did you mean 'hidden_size'"):
        config.model.hiden_size = 3
    with pytest.raises(ConfigError, match="config has no field 'optimiser'; did you mean 'optimizer'"):
        configs.check_path("config.optimiser.name")
    with pytest.raises(
        ConfigError, match=r"config\.model\.dropout has no field 'zzz'; it has tokens, embedding, layers"
    ):
        configs.check_path("config.model.dropout.zzz")
    with pytest.raises(ConfigError, match=r"config\.seed is a value and has no field 'a'"):
        configs.check_path("config.seed.a")
    with pytest.raises(ConfigError, match=r"config\.train has no field 'epoch'; did you mean 'epochs'"):
        configs.from_json('{"train": {"epoch": 3}}')
    with pytest.raises(ConfigError, match=r"no field 'cell'; it is called 'model.layer' now"):
        configs.check_path("config.model.cell")
    for path in ("model.dropout.tokens", "optimizer.hparams.tau", "objectives.adversarial.epsilon"):
        configs.check_path(f"config.{path}")


def test_variants_of_a_config_file():
    known, beside = ("faithful", "padded", "improved"), ("small",)
    assert configs.variants("faithful", *known) == {"faithful"}
    assert configs.variants("small,improved,small", *known, beside=beside) == {"small", "improved"}
    assert configs.variants("small", *known, beside=beside) == {"small", "faithful"}
    with pytest.raises(ConfigError, match="the config's variants improved and padded exclude each other"):
        configs.variants("padded,improved", *known)
    for asked, wrong in (("paded", "paded"), ("padded,x,best", "best"), ("", ""), ("padded,", ""), ("a b", "a b")):
        with pytest.raises(ConfigError) as caught:
            configs.variants(asked, *known)
        assert str(caught.value) == f"the config has no variant {wrong!r}; it has faithful, padded, improved"


@pytest.mark.parametrize("text", ['{"objectives": {"a": 1}}', '{"optimizer": {"hparams": 5}}', '{"model": 3}'])
def test_a_config_file_of_a_wrong_form_is_refused(text):
    with pytest.raises(ConfigError, match="it must be a"):
        configs.from_json(text)


def test_files_from_before_data_url_have_0_for_a_ratio_that_is_not_used():
    values = json.loads(configs.to_json(Config()))
    assert values["data"]["data_ratio"] == -1
    values["data"]["data_ratio"] = 0.0
    assert configs.from_json(json.dumps(values)).data.data_ratio == 0
    del values["data"]["url"]
    assert configs.from_json(json.dumps(values)).data.data_ratio == -1
