"""Bad flags and config files: exit code 2, one line that says what is wrong, nothing written."""

import pytest

from lstm_jax import config as configs
from lstm_jax.config import Config
from tests.commands.helpers import WARNINGS

pytestmark = WARNINGS


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--config.model.hiden_size=3", "config.model has no field 'hiden_size'; did you mean 'hidden_size'? It has "),
        ("--config.optimiser.name=sgd", "config has no field 'optimiser'; did you mean 'optimizer'? It has seed, "),
        ("--config.seed.more=3", "config.seed is a value and has no field 'more'"),
        (
            "--config.train.epochs=many",
            "flag --config.train.epochs=many: invalid literal for int() with base 10: 'many'",
        ),
        ("--config.train.epochs=2.5", "flag --config.train.epochs=2.5: invalid literal for int() with base 10: '2.5'"),
        ("--config.model.residual=maybe", "flag --config.model.residual=maybe: ('Non-boolean argument"),
        ("--config.model.head=wide", "config.model.head is ('wide',); it must hold integers only"),
        ("--config.train.epochs=0", "config.train.epochs is 0; it must be at least 1"),
        ("--config.model.layer=LSTM", "config.model.layer is 'LSTM'; it must be one of 'lstm', "),
        ("--config.data.source=files", "config.data.source is 'files' but config.data.path is empty; give a file or"),
        ("--config.seed", "Missing value for flag --config.seed; see --help"),
        ("--config=nowhere.py", "nowhere.py does not exist; give the path of a Python file, or restore it"),
        ("--config.model.cell=gru", "config.model has no field 'cell'; it is called 'model.layer' now"),
        ("--config.optimizer.hparams.tau=1", "config.optimizer.hparams of 'adam' has no hyper-parameter 'tau'; there "),
        (
            "--config.optimizer.hparams=5",
            "config.optimizer.hparams is a mapping; set one of its numbers, such as config",
        ),
        ("--config.optimizer.hparams.b1.x=1", "config.optimizer.hparams.b1 is a value and has no field 'x'"),
        ("--config.optimizer.hparams.b1=a", "flag --config.optimizer.hparams.b1=a: could not convert string to float"),
        ("--config.optimizer.hparams.b1=nan", "config.optimizer.hparams.b1 is nan; it must be between 0"),
        ("--config.optimizer.hparams.b[0]=1", "config.optimizer.hparams has the name 'b[0]'; a name must be a Python"),
        (
            "--config.objectives.focal=1",
            "config.objectives.focal is a mapping; set one of its numbers, such as config.",
        ),
        ("--config.model=build", "config.model is a group of fields; set one of them: init_from, "),
        ("--noconfig.model.residul", "config.model has no field 'residul'; did you mean 'residual'?"),
        ("--epochs=3", "Unknown command line flag 'epochs'; see --help"),
        ("extra", "'extra' is not a flag; flags look like --name=value"),
    ],
)
def test_bad_flag(command, tmp_path, argument, message):
    ended = command("train", f"--workdir={tmp_path / 'run'}", argument)
    assert ended.code == 2
    assert ended.error.startswith(message)
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["train", "eval"])
def test_help_lists_the_flags_and_all_fields(command, name):
    ended = command(name, "--help")
    assert ended.code == 0
    assert "--workdir: Folder of the run." in ended.out
    for path, _, _ in configs.leaves(Config()):
        field = "objectives" if path.startswith("objectives.") else path
        assert f"\n  --config.{field}: " in ended.out, path
    assert "  --config.model.layers: Number of recurrent layers. (default: 1)" in ended.out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train", "flag --workdir=None: Flag --workdir must have a value"),
        ("eval", "give the folder of a run with --workdir, or --config=FILE.py with --naive, --linear or --gradients"),
    ],
)
def test_workdir_is_required(command, name, message):
    ended = command(name)
    assert ended.code == 2
    assert ended.error.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "def get_config():\n    return {'seed': 1}\n",
            "get_config() of the config file returned a dict, not a Config",
        ),
        ("seed = 1\n", "FILE has no function get_config(); a config file must define one"),
        (
            "from lstm_jax.config import Config\n\ndef get_config():\n    c = Config()\n    c.model.hiden_size = 3\n",
            "ModelConfig has no field 'hiden_size'; did you mean 'hidden_size'?",
        ),
    ],
)
def test_bad_config_file(command, tmp_path, text, message):
    (tmp_path / "config.py").write_text(text)
    ended = command("train", f"--workdir={tmp_path / 'run'}", f"--config={tmp_path / 'config.py'}")
    assert ended.code == 2
    assert ended.error.startswith(message.replace("FILE", str(tmp_path / "config.py")))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("def get_config(:\n", "SyntaxError: "),
        ("def get_config():\n    return 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ],
)
def test_a_bug_in_a_config_file_shows_its_traceback(command, tmp_path, text, last):
    (tmp_path / "config.py").write_text(text)
    ended = command("train", f"--workdir={tmp_path / 'run'}", f"--config={tmp_path / 'config.py'}")
    assert ended.code == 2
    assert f'File "{tmp_path / "config.py"}"' in ended.err
    assert ended.err.splitlines()[-1].startswith(last)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--explain"], "--explain draws the gates over a single text; give the text with --text"),
        (["--explain", "--text=-"], "--explain draws the gates over a single text; give the text with --text"),
        *(
            (["--text=fine", argument], "--predictions, --naive, --linear, --every_epoch and --data need examples; ")
            for argument in ("--predictions=p.jsonl", "--naive", "--linear", "--every_epoch", "--data=a.csv")
        ),
        (["--every_epoch", "--naive"], "--every_epoch evaluates the training and the test split only; leave out the "),
        (["--every_epoch", "--split=train"], "--every_epoch evaluates the training and the test split only; leave out"),
        (["--predictions="], "--predictions is empty; give a file"),
        (["--data=nowhere.csv"], "--data=nowhere.csv does not exist; give a file, a folder, or a data set of the Hub"),
        (["--data=a.csv", "--split=test"], "--data evaluates all examples of other data; leave out --split"),
        (["--predictions=p.txt"], "--predictions=p.txt ends in none of .jsonl, .json, .csv, .parquet; give it one of"),
        (["--config=configs/default.py"], "--workdir names a run, which has its own config; leave out --config, or"),
    ],
)
def test_flags_that_do_not_go_together(command, trained, arguments, message):
    ended = command("eval", f"--workdir={trained}", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.error.startswith(message)


def test_several_plugins_are_named_with_commas_by_any_path(command, tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(f"print('loaded {name}')\n")
    ended = command(
        "train", f"--workdir={tmp_path / 'w'}", f"--config.plugins={tmp_path / 'one.py'},{tmp_path / 'two.py'}",
        "--config.train.epochs=0",
    )  # fmt: skip
    assert (ended.code, ended.out.splitlines()) == (2, ["loaded one", "loaded two"])
