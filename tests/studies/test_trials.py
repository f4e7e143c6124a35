"""The key and the config of a trial depend on all that defines its run, and on nothing else."""

import pytest

from lstm_jax import config as configs
from lstm_jax.data import corpus, vectors
from lstm_jax.errors import ConfigError
from lstm_jax.registry import CELLS, LAYERS, OBJECTIVES, POOLINGS, SOURCES, VECTORS
from lstm_jax.studies import trials
from lstm_jax.studies.plan import Plan
from lstm_jax.studies.search import Search
from lstm_jax.studies.trials import HELD_OUT, SEARCH, Trial
from tests.studies.tiny_study import tiny_task

RATE = ("optimizer.learning_rate", 0.1)


def key(task, trial, fingerprint="x"):
    return trials.key(trials.config_of(task, trial.changes, trial.seed), trial, fingerprint)


def test_keys_tell_apart_all_that_defines_a_run(planted):
    task = tiny_task().config
    base = Trial("tiny", "adam", (RATE,), 0, SEARCH)
    others = [
        base._replace(seed=1),
        base._replace(changes=(RATE, ("optimizer.name", "adamw"))),
        base._replace(changes=(RATE, ("optimizer.name", "planted"))),
        base._replace(changes=(("optimizer.learning_rate", 0.2),)),
        base._replace(changes=(RATE, ("model.dropout.pooled", 0.5))),
        base._replace(changes=(RATE, ("model.hidden_size", 4))),
        base._replace(changes=(RATE, ("ensemble", 2))),  # Its lanes are in one folder and are tested together.
        base._replace(stage=HELD_OUT),  # A run of the search was never tested.
    ]
    changed = tiny_task().config
    changed.train.steps = 25
    keys = [key(task, trial) for trial in (base, *others)] + [key(changed, base), key(task, base, "other data")]
    assert len(set(keys)) == len(keys)
    assert key(task, base._replace(task="renamed", name="moved")) == keys[0]
    moved = tiny_task().config
    moved.data.source, moved.train.devices, moved.seed = "files", 1, 7
    paths = []
    for path in ("here", "/there"):
        moved.data.path = path
        paths.append(key(moved, base))
    assert paths[0] == paths[1]


def test_keys_do_not_depend_on_words():
    trial = Trial("tiny", "all", (), 0, SEARCH)
    base = key(tiny_task().config, trial)
    same = (
        [("optimizer.hparams.b1", 0.9)],
        [("optimizer.hparams.b2", 0.999), ("optimizer.hparams.b1", 0.9), ("optimizer.hparams.weight_decay", 0)],
        [("model.dropout.pooled", 0)],
        [("optimizer.clip_norm", 0), ("model.hidden_size", 8)],
        [("objectives.adversarial.weight", 0.0), ("objectives.adversarial.epsilon", 3.0)],
        [("objectives.classification.weight", 1)],
        [("train.log_every", 7)],
    )
    for changes in same:
        assert key(tiny_task().config, trial._replace(changes=tuple(changes))) == base
    for name, default in (("epsilon", 5.0), ("epsilon", 5)):
        on = ("objectives.adversarial.weight", 0.5)
        spelled = trial._replace(changes=(on, (f"objectives.adversarial.{name}", default)))
        assert key(tiny_task().config, spelled) == key(tiny_task().config, trial._replace(changes=(on,)))
    for one, other in (((("optimizer.learning_rate", 1),), (("optimizer.learning_rate", 1.0),)),):
        keys = [key(tiny_task().config, trial._replace(changes=each)) for each in (one, other)]
        assert keys[0] == keys[1]
    pair = (("optimizer.hparams.b1", 0.5), ("optimizer.hparams.b2", 0.5))
    keys = [key(tiny_task().config, trial._replace(changes=each)) for each in (pair, pair[::-1])]
    assert keys[0] == keys[1] != base


CODE = {
    CELLS: "from lstm_jax import cells\nW = 1\ncells.register('own', lambda hidden_size: cells.gru(W * hidden_size))",
    LAYERS: "from lstm_jax import layers\nW = 1\n"
    "def own(hidden_size, *, reverse=False): return layers.scan(layers.gru(W * hidden_size), reverse)\n"
    "layers.register('own', own)",
    POOLINGS: "from lstm_jax.layers import pooling\nW = 1\n"
    "pooling.register('own', lambda y, lengths, backward: W * pooling.last(y, lengths, backward))",
    OBJECTIVES: "from lstm_jax import objectives\nfrom lstm_jax.objectives.classification import cross_entropy\nW = 1\n"
    "def own(network, params, batches, keys, hparams): return W * cross_entropy(batches)\n"
    "objectives.register('own', own)",
    VECTORS: "from lstm_jax.data import vectors\nW = 1\n"
    "vectors.register('own', vectors.Vectors(lambda config, corpora: W * corpora))",
    SOURCES: "from lstm_jax.data import sources\nW = 1\n"
    "sources.register('own', sources.Source(lambda config, splits: W * splits))",
}


@pytest.mark.parametrize("kind", CODE, ids=lambda kind: kind.kind)
def test_own_code_distinguishes_runs_unless_its_examples_do(kind, tmp_path):
    task = tiny_task().config
    task.plugins = (str(tmp_path / "own.py"),)
    path = {CELLS: "model.layer", LAYERS: "model.layer", POOLINGS: "model.pooling"}.get(kind)
    path = path or {VECTORS: "data.vectors.source", SOURCES: "data.source"}.get(kind, "objectives.own.weight")
    configs.set_field(task, path, 1.0 if kind is OBJECTIVES else "own")
    keys = []
    try:
        for code in (CODE[kind], CODE[kind] + "  # the same", CODE[kind].replace("W = 1", "W = 2")):
            (tmp_path / "own.py").write_text(code, encoding="utf-8")
            keys.append(key(task, Trial("tiny", "all", (RATE,), 0, SEARCH)))
    finally:
        kind.unregister("own")
    assert keys[0] == keys[1]
    assert (keys[0] == keys[2]) == (kind is SOURCES)


def test_trials_are_alike_where_only_hyper_parameters_and_seeds_differ():
    changes = [
        (RATE,),
        (("optimizer.learning_rate", 0.2),),
        (RATE, ("model.hidden_size", 4)),
        (RATE, ("model.dropout.pooled", 0.5)),
        (RATE, ("model.dropout.pooled", 0.1)),
    ]
    planned = [Trial("tiny", "all", each, seed, SEARCH) for each in changes for seed in (0, 1)]
    groups = trials.group_by_program(planned, tiny_task().config)
    assert [[planned.index(trial) for trial in group] for group in groups] == [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9]]


def scheduled(optimizer, schedule, warmup):
    task = tiny_task().config
    task.optimizer.schedule, task.optimizer.warmup = schedule, warmup
    trial = Plan("tiny", optimizer, task, {}, Search(), (1, 1)).trial((("learning_rate", 0.1),), 0, SEARCH)
    return trials.config_of(task, trial.changes, 0).optimizer.schedule


def test_an_optimizer_whose_learning_rate_must_not_fall_keeps_the_warm_up_alone():
    assert scheduled("schedule_free_adamw", "one_cycle", 0.3) == "warmup"
    assert scheduled("adam", "one_cycle", 0.3) == "one_cycle"
    assert scheduled("schedule_free_sgd", "cosine", 0.0) == "constant"


def test_a_study_may_search_over_every_traced_field():
    config = tiny_task().config
    config.objectives["adversarial"] = {"weight": 0.0}
    found = trials.searchable(config)
    assert found[:5] == ["learning_rate", "weight_decay", "b1", "b2", "eps"]
    others = {"optimizer.clip_norm", "optimizer.ema", "optimizer.embedding_lr_scale"}
    assert {*others, "objectives.classification.weight", "objectives.adversarial.weight"} <= set(found)
    assert not {"optimizer.learning_rate", "optimizer.hparams.b1", "model.hidden_size"} & set(found)
    assert len(set(found)) == len(found)
    planned = [Trial("tiny", "adam", (("optimizer.clip_norm", value),), 0, SEARCH) for value in (0.0, 0.5, 1.0)]
    groups = trials.group_by_program(planned, tiny_task().config)
    assert [[planned.index(trial) for trial in group] for group in groups] == [[0], [1, 2]]


def test_vectors_of_ones_own_may_read_a_file(tmp_path):
    vectors.register("mine", vectors.Vectors(lambda config, corpora: None, reads_file=True))
    config = tiny_task().config
    config.data.vectors.source, file = "mine", tmp_path / "table.txt"
    try:
        with pytest.raises(ConfigError, match="source is 'mine', which reads a file, but "):
            trials.config_of(config, (), 0)
        config.data.vectors.path = str(file)
        config = trials.config_of(config, (), 0)
        found = []
        for text in ("one", "other"):
            file.write_text(text)
            found.append(trials.fingerprint(config, corpus.prepare(config.data)))
        assert found[0] != found[1]
    finally:
        VECTORS.unregister("mine")


def test_the_content_of_given_weights_is_part_of_the_fingerprint(tmp_path):
    config, found = tiny_task().config, []
    corpora = corpus.prepare(config.data)
    for files in ({"w.pt": "a"}, {"w.pt": "b"}, {"tokenizer.json": "c"}, {"run/summary.json": "d"}):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
        config.model.init_from = str(tmp_path / "w.pt")
        found.append(trials.fingerprint(config, corpora))
    assert found[2] == found[3]  # A run's folder that is not named does not count.
    config.model.init_from = str(tmp_path / "run")
    found.append(trials.fingerprint(config, corpora))
    assert len(set(found)) == 4
