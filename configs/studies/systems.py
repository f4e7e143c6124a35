"""The five published systems, as published and improved: the table of docs/systems.md.

    python compare.py --config=configs/studies/systems.py:DIR --workdir=runs/systems       # files in DIR
    python compare.py --config=configs/studies/systems.py --workdir=runs/systems           # all reviews of the Hub

DIR holds ``imdb/`` (parquet), ``Video_Games.json.gz`` with tens of thousands of reviews and ``train.ft.txt.bz2`` with a
few thousand. System E then uses its variant ``small``. With all reviews of the Hub, systems A and E need an accelerator
or many days. The same command resumes an interrupted study. Here: 1 h 40 min on 2 CPU cores, with files in DIR.
"""

from pathlib import Path

from lstm_jax.config import Config
from lstm_jax.configs import bilstm_glove, floydhub_amazon, ghazi_imdb, glos_amazon_stars, keras_imdb
from lstm_jax.errors import ConfigError
from lstm_jax.studies.systems import System, Systems

FILES = {"imdb": "imdb", "amazon_reviews": "Video_Games.json.gz", "amazon_polarity": "train.ft.txt.bz2"}


def at_hand(config: Config, folder: str) -> Config:
    """Lets a config read its files in a folder, if one is given."""
    if folder:
        config.data.path = str(Path(folder) / FILES[config.data.source])
        if config.data.vectors.more_text:
            config.data.vectors.more_path = str(Path(folder) / FILES[config.data.vectors.more_text])
    return config


def get_config(folder: str = "") -> Systems:
    """All systems, reading from a folder if one is given."""
    if folder and not Path(folder).is_dir():
        raise ConfigError(
            f"{folder} is not a folder; name one after the colon of --config, or leave it out for the Hub"
        )

    def system(letter: str, config, data: str, *variants: str, suffix: str = "", **asked: bool) -> System:
        found = {variant + suffix: at_hand(config.get_config(variant + suffix), folder) for variant in variants}
        return System(letter, config.__name__.rpartition(".")[2], data, found, **asked)

    small = ",small" if folder else ""
    return Systems(
        (
            system(
                "A",
                glos_amazon_stars,
                "Amazon video games, 5 stars",
                "faithful",
                "published",
                "improved,deep",
                "improved",
                baselines=True,
                leaking=True,
            ),
            system("B", ghazi_imdb, "IMDB", "faithful", "improved"),
            system("C", bilstm_glove, "IMDB", "faithful", "improved"),
            system("D", keras_imdb, "IMDB", "faithful", "improved"),
            system("E", floydhub_amazon, "Amazon polarity", "faithful", "improved", suffix=small, baselines=True),
        )
    )
