"""The typed configuration, its validation and its JSON form."""

from lstm_jax.config.check import BOUNDS, CHOICES, LEARNED_FROM_TEXT, validate
from lstm_jax.config.fields import (
    Config,
    DataConfig,
    DropoutConfig,
    ModelConfig,
    OptimizerConfig,
    TokensConfig,
    TrainConfig,
    VectorsConfig,
    check_path,
    epoch_name,
    from_json,
    hparams,
    left_out,
    traced,
    variants,
)
from lstm_jax.config.tree import Group, leaves, to_json

__all__ = [
    "BOUNDS",
    "CHOICES",
    "LEARNED_FROM_TEXT",
    "Config",
    "DataConfig",
    "DropoutConfig",
    "Group",
    "ModelConfig",
    "OptimizerConfig",
    "TokensConfig",
    "TrainConfig",
    "VectorsConfig",
    "check_path",
    "epoch_name",
    "from_json",
    "hparams",
    "leaves",
    "left_out",
    "to_json",
    "traced",
    "validate",
    "variants",
]
