"""The tiny run as a config file."""

from tests.training.tiny import tiny_config


def get_config():
    return tiny_config()
