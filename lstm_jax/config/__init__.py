"""The typed configuration, its validation and its JSON form."""

from lstm_jax.config.check import validate
from lstm_jax.config.definition import (
    check_path,
    definition,
    differences,
    epoch_name,
    from_json,
    hparams,
    is_off,
    optimizer_hparams,
    set_field,
    variants,
)
from lstm_jax.config.fields import (
    Config,
    DataConfig,
    DropoutConfig,
    ModelConfig,
    OptimizerConfig,
    TokensConfig,
    TrainConfig,
    VectorsConfig,
)
from lstm_jax.config.plugins import changed_files, load_file, load_plugins, user_files
from lstm_jax.config.tree import Group, Numbers, field, leaves, to_json

__all__ = [
    "Config",
    "DataConfig",
    "DropoutConfig",
    "Group",
    "ModelConfig",
    "Numbers",
    "OptimizerConfig",
    "TokensConfig",
    "TrainConfig",
    "VectorsConfig",
    "changed_files",
    "check_path",
    "definition",
    "differences",
    "epoch_name",
    "field",
    "from_json",
    "hparams",
    "is_off",
    "leaves",
    "load_file",
    "load_plugins",
    "optimizer_hparams",
    "set_field",
    "to_json",
    "user_files",
    "validate",
    "variants",
]
