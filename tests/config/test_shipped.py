"""Configs are found by their names from any folder; files take precedence; errors say what was meant."""

import shutil

import pytest

from lstm_jax.config import Config, config_names, load_config_file
from lstm_jax.configs import imdb, keras_imdb, recipe
from lstm_jax.errors import ConfigError
from lstm_jax.studies.comparison import Comparison
from tests.reviews import ROOT

OWN = "from lstm_jax.config import Config\n\ndef get_config(seed='0'):\n    c = Config()\n    c.seed = 7 + int(seed)\n"
OWN += "    return c\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_those_of_the_files_in_configs():
    files = {path.relative_to(ROOT / "configs").with_suffix("").as_posix() for path in (ROOT / "configs").rglob("*.py")}
    assert set(config_names()) == files - {"__init__", "recipe", "studies/__init__"}
    assert config_names()[:2] == ["bilstm_glove", "default"]
    assert config_names()[-1] == "studies/systems"


def test_a_name_with_and_without_a_variant():
    assert load_config_file("imdb") == imdb.get_config()
    assert load_config_file("keras_imdb:padded") == keras_imdb.get_config("padded")
    study = load_config_file("studies/quick:adam,lion")
    assert isinstance(study, Comparison)
    assert study.optimizers == ("adam", "lion")


@pytest.mark.parametrize("asked", ["configs/imdb.py", "configs/keras_imdb.py:improved"])
def test_a_path_in_a_clone(monkeypatch, asked):
    monkeypatch.chdir(ROOT)
    assert load_config_file(asked) == load_config_file(asked.removeprefix("configs/").replace(".py", ""))


def test_a_file_takes_precedence(folder):
    for name in ("imdb.py", "imdb:old.py", "a.py.py"):
        (folder / name).write_text(OWN)
        assert load_config_file(name).seed == 7
        assert load_config_file(f"{name}:2").seed == 9
        assert load_config_file(f"{folder / name}:2").seed == 9
    assert load_config_file("imdb") == imdb.get_config()  # A name has no suffix.


def test_data_of_the_same_name_is_no_config(folder):
    (folder / "imdb").mkdir()
    (folder / "default").write_text("a review\n")
    assert load_config_file("imdb") == imdb.get_config()
    assert load_config_file("default").train.epochs == 8


def test_a_copied_config_works_in_any_folder(folder):
    shutil.copy(imdb.__file__, folder / "copied.py")
    assert load_config_file("copied.py") == imdb.get_config()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("imbd", r"^there is no config 'imbd'; did you mean 'imdb'\? There are 'bilstm_glove', .*'studies/systems'; "),
        ("imbd:improved", r"^there is no config 'imbd'; .* a file of your own ends in \.py, as in --config=mine\.py$"),
        ("quick", r"^there is no config 'quick'; did you mean 'studies/quick'\? There are 'bilstm_glove', "),
        ("studies", r"^there is no config 'studies'; "),
        ("recipe", r"^there is no config 'recipe'; "),
        ("../configs/imdb", r"^there is no config '\.\./configs/imdb'; "),
        ("own", r"^there is no config 'own'; the file of that name is --config=own\.py$"),
        (":padded", r"^there is no config ''; "),
        ("imdb.py", r"^imdb\.py does not exist; the config that comes with lstm_jax is --config=imdb$"),
        ("configs/studies/imdb.py:x", r"^configs/studies/imdb\.py does not exist; .* is --config=studies/imdb$"),
        ("nowhere.py", r"^nowhere\.py does not exist; give the path of a Python file, or restore it$"),
        ("imdb:improved", r"^get_config\(\) of .*/configs/imdb\.py takes no argument; leave out ':improved'$"),
        ("needs.py", r"^get_config\(\) of needs\.py needs an argument; give it after a colon$"),
        ("none.py", r"^none\.py has no function get_config\(\); a config file must define one$"),
    ],
)
def test_what_cannot_be_found(folder, asked, message):
    (folder / "own.py").write_text(OWN)
    (folder / "none.py").write_text("")
    (folder / "needs.py").write_text("def get_config(kind):\n    return kind\n")
    with pytest.raises(ConfigError, match=message):
        load_config_file(asked)


def test_what_configs_share_is_the_package_s_own():
    assert recipe.apply.__module__ == "lstm_jax.configs.recipe"
    assert recipe.apply(Config()).model.bidirectional
