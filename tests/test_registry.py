"""Which code may register a name again, and what the messages about names say."""

import pytest

from lstm_jax.errors import ConfigError
from lstm_jax.registry import PACKAGE, Registry, executing, nearest


@pytest.fixture
def registry():
    return Registry("thing", "lstm_jax.registry")


def run_code(registry, file, code='registry.register("mine", object())'):
    """Executes code as that of a file."""
    exec(compile(code, str(file), "exec"), {"registry": registry})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/tmp/ipykernel_7/123.py", "/tmp/ipykernel_7/456.py"),
        ("<ipython-input-1-ab>", "<ipython-input-2-cd>"),
        ("<stdin>", "<stdin>"),
        ("<stdin>", "/a/file.py"),
        ("/a/file.py", "/a/file.py"),
    ],
)
def test_a_name_is_registered_again(registry, first, second):
    run_code(registry, first)
    before = registry["mine"]
    run_code(registry, second)
    assert registry["mine"] is not before
    assert registry.file_of("mine") == second


@pytest.mark.parametrize("second", ["/b/file.py", "<stdin>"])
def test_the_name_of_another_file_is_refused(registry, second):
    run_code(registry, "/a/file.py")
    message = r"^/a/file.py has registered the thing 'mine' already; .*, or call unregister\('mine'\) of its registry"
    with pytest.raises(ConfigError, match=message):
        run_code(registry, second)
    registry.unregister("mine")
    run_code(registry, second)


def test_a_name_of_the_project_is_refused(registry):
    run_code(registry, PACKAGE / "cells" / "lstm.py")
    with pytest.raises(ConfigError, match=r"^lstm_jax has registered the thing 'mine' already; register"):
        run_code(registry, "<stdin>")


def test_a_name_of_a_config_is_recorded_though_the_config_is_installed_with_the_package(registry):
    file = PACKAGE / "configs" / "imdb.py"
    with executing(str(file)):
        run_code(registry, file)
    assert registry.file_of("mine") == registry.plugin_of("mine") == str(file)


def test_a_copy_of_a_file_registers_its_names_again(registry, tmp_path):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("same")
    other.write_text("same")
    run_code(registry, one)
    run_code(registry, other)
    one.write_text("changed")
    with pytest.raises(ConfigError, match=r"other.py has registered the thing 'mine' already"):
        run_code(registry, one)


def test_one_execution_registers_a_name_once(registry):
    for _ in range(2):
        with executing("/a/file.py"):
            run_code(registry, "/a/file.py")
    assert registry.plugin_of("mine") == "/a/file.py"
    with executing("/a/file.py"), pytest.raises(ConfigError, match="has registered the thing 'other' already"):
        run_code(registry, "/a/file.py", 'for _ in range(2):\n    registry.register("other", 1)')


def test_the_message_about_an_unknown_name_says_how_to_load_own_code(registry):
    hint = "if a file of yours registers it, name that file by --config.plugins"
    with pytest.raises(ConfigError, match=hint):
        registry["yours"]
    assert hint in nearest("yours", registry)
    assert hint not in nearest("yours", ["a", "b"])
