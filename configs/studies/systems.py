"""The five published systems, as published and improved: the table of README.

    python compare.py --config=configs/studies/systems.py --workdir=runs/systems           # reviews from the Hub
    python compare.py --config=configs/studies/systems.py:DIR --workdir=runs/systems       # files in DIR

DIR holds ``imdb/`` (parquet), ``Video_Games.json.gz`` and ``train.ft.txt.bz2``. Of the last only some thousand
reviews are expected, so that system E takes its variant ``small``. The same command goes on after an interruption.
"""

from pathlib import Path

from configs import bilstm_glove, floydhub_amazon, ghazi_imdb, glos_amazon_stars, keras_imdb
from lstm_jax.config import Config
from lstm_jax.errors import ConfigError
from lstm_jax.studies.systems import System, Systems

FILES = {"imdb": "imdb", "amazon_reviews": "Video_Games.json.gz", "amazon_polarity": "train.ft.txt.bz2"}


def get_config(folder: str = "") -> Systems:
    """All systems, reading from a folder where one is given."""
    if folder and not Path(folder).is_dir():
        raise ConfigError(f"{folder} is no folder; name one after the colon of --config, or leave it out for the Hub")

    def at_hand(config: Config) -> Config:
        if folder:
            config.data.path = str(Path(folder) / FILES[config.data.source])
            if config.data.vectors.more_text:
                config.data.vectors.more_path = str(Path(folder) / FILES[config.data.vectors.more_text])
        return config

    def system(letter: str, config, data: str, *variants: str, suffix: str = "", baselines: bool = False) -> System:
        found = {variant: at_hand(config.get_config(variant + suffix)) for variant in variants}
        return System(letter, config.__name__.removeprefix("configs."), data, found, baselines)

    stars = "Amazon video games, 5 stars"
    polarity = "Amazon polarity, 5,259 reviews" if folder else "Amazon polarity, 1,000,000 reviews"
    return Systems(
        (
            system("A", glos_amazon_stars, stars, "faithful", "published", "improved", baselines=True),
            system("B", ghazi_imdb, "IMDB", "faithful", "improved"),
            system("C", bilstm_glove, "IMDB", "faithful", "improved"),
            system("D", keras_imdb, "IMDB", "faithful", "improved"),
            system(
                "E", floydhub_amazon, polarity, "faithful", "improved", suffix=",small" * bool(folder), baselines=True
            ),
        )
    )
