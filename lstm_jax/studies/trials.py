"""What a study trains: a setting of an optimizer on a task with a seed, known by the content of what defines it."""

from typing import NamedTuple

from lstm_jax import config as configs
from lstm_jax import optimizers
from lstm_jax.config import Config, validate
from lstm_jax.errors import ConfigError
from lstm_jax.files import digest
from lstm_jax.registry import OPTIMIZERS
from lstm_jax.studies.search import RATE, Setting
from lstm_jax.training.workdir import Lane

SEARCH, FRESH = "search", "fresh"  # the two stages: choosing a setting, and comparing the chosen ones


class Trial(NamedTuple):
    """One training run of a study: a lane."""

    task: str
    stage: str
    optimizer: str
    setting: Setting
    seed: int

    @property
    def lane(self) -> Lane:
        """The run as a lane of ``config_of``'s config."""
        return Lane(self.seed, {path_of(name): value for name, value in self.setting})


def path_of(name: str) -> str:
    """The dotted path of a hyper-parameter of a search space: the optimizer's by its name, others by their path."""
    if "." in name:
        return name
    return f"optimizer.{name}" if name == RATE else f"optimizer.hparams.{name}"


def config_of(task: Config, optimizer: str, setting: Setting) -> Config:
    """The config under which ``train.py`` makes the run of a setting; its seed is the task's.

    An optimizer whose rate must not fall keeps of the task's schedule the warm-up alone.

    Raises:
      ConfigError: the setting has a hyper-parameter that the optimizer or the config does not know.
    """
    config = configs.from_json(configs.to_json(task))
    config.optimizer.name = optimizer
    config.optimizer.hparams = configs.Numbers()
    if OPTIMIZERS[optimizer].warmup_only and config.optimizer.schedule != "constant":
        config.optimizer.schedule = "warmup" if config.optimizer.warmup else "constant"
    known = list(configs.hparams(config))
    for name, value in setting:
        path = path_of(name)
        if path not in known:
            raise ConfigError(
                f"the search space of {optimizer!r} holds {name!r}, which is no hyper-parameter of it; those are "
                f"{', '.join((RATE, *OPTIMIZERS[optimizer].hparams))}, and by their path "
                f"{', '.join(path for path in known if path.startswith('model.'))}"
            )
        configs.change(config, path, value)
    return validate(config)


def parts_of(config: Config) -> tuple[bool, ...]:
    """Which optional parts of the program a config leaves out; lanes of one program agree in it."""
    return tuple(configs.is_off(config, path, value) for path, value in configs.hparams(config).items())


def key(task: Config, trial: Trial, fingerprint: str) -> str:
    """What tells runs apart: config, hyper-parameters, seed, examples, the code of the optimizer.

    Where the examples lie and how they are computed on do not. The stage does, since only held-out seeds are tested.
    """
    frozen = config_of(task, trial.optimizer, trial.setting)
    hparams = sorted(configs.hparams(frozen).items())
    code = optimizers.identity(trial.optimizer)
    return digest(essence(frozen), hparams, trial.seed, trial.stage, fingerprint, code)


def essence(config: Config) -> list[tuple[str, object]]:
    """What defines a lane of a config besides its seed."""
    return list(configs.definition(config, without=("seed", "ensemble")).items())
