"""The key and the config of a trial follow all that defines its run, and no more."""

from lstm_jax.studies import trials
from lstm_jax.studies.trials import FRESH, SEARCH, Trial
from tests.studies.tiny_study import tiny_task


def test_keys_tell_apart_all_that_defines_a_run(planted):
    task = tiny_task().config
    base = Trial("tiny", SEARCH, "adam", (("learning_rate", 0.1),), 0)
    others = [
        base._replace(seed=1),
        base._replace(optimizer="adamw"),
        base._replace(optimizer="planted"),
        base._replace(setting=(("learning_rate", 0.2),)),
        base._replace(setting=(("learning_rate", 0.1), ("b1", 0.5))),
        base._replace(stage=FRESH),  # for a run of the search was never tested
    ]
    changed = tiny_task().config
    changed.train.steps = 25
    keys = [trials.key(task, trial, "x") for trial in (base, *others)]
    keys += [trials.key(changed, base, "x"), trials.key(task, base, "other reviews")]
    assert len(set(keys)) == len(keys)
    assert trials.key(task, base._replace(task="renamed"), "x") == keys[0]
    moved = tiny_task().config
    moved.data.source, moved.train.devices, moved.seed = "files", 1, 7
    paths = []
    for path in ("here", "/there"):
        moved.data.path = path
        paths.append(trials.key(moved, base, "x"))
    assert paths[0] == paths[1]


def test_an_optimizer_whose_rate_must_not_fall_keeps_the_warm_up_alone():
    task = tiny_task().config
    task.optimizer.schedule, task.optimizer.warmup = "one_cycle", 0.3
    rate = (("learning_rate", 0.1),)
    assert trials.config_of(task, "schedule_free_adamw", rate).optimizer.schedule == "warmup"
    assert trials.config_of(task, "adam", rate).optimizer.schedule == "one_cycle"
    task.optimizer.schedule, task.optimizer.warmup = "cosine", 0.0
    assert trials.config_of(task, "schedule_free_sgd", rate).optimizer.schedule == "constant"
