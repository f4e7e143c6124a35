"""Helpers for tests of the config."""

from lstm_jax import config as configs
from lstm_jax.config import Config


def changed(path: str, value) -> Config:
    config = Config()
    configs.set_field(config, path, value)
    return config


def field_of(path: str):
    return {known: field for known, field, _ in configs.leaves(Config())}[path]
