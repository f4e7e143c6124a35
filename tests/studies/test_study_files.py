"""The studies in configs/studies: every run that they ask for has a valid config."""

import pytest

from lstm_jax.configs.studies import glos_cells, glos_rates, grid, imdb, memory, quick, systems
from lstm_jax.errors import ConfigError
from lstm_jax.studies import statistics, trials


@pytest.mark.parametrize("module", [glos_cells, glos_rates])
@pytest.mark.parametrize("path", ["", "Video_Games.json.gz"])
def test_the_tables_of_system_a(module, path):
    study = module.get_config(path)
    groups = trials.group_by_program(study.trials(), study.base)
    assert list(map(len, groups)) == {glos_cells: [2] * 5, glos_rates: [14]}[module]
    for group in groups:
        assert group[0].stage.by_epoch, "a table by epochs"
        config = trials.config_of(study.base, group[0].changes, group[0].seed)
        assert config.data.path == path
        assert config.data.vectors.fit_on == "all", "the published protocol"
        assert "learning_rate" not in config.train.keep_epochs or len(groups) > 1, "one name for lanes of all rates"


def test_the_grid_over_three_fields():
    study = grid.get_config()
    groups = trials.group_by_program(study.trials(), study.base)
    assert [len(group) for group in groups] == [4 * 2] * 6, "learning rates and seeds are lanes"
    assert not groups[0][0].stage.keeps_weights


@pytest.mark.parametrize("at_hand", [False, True])
def test_the_table_of_systems(at_hand, tmp_path):
    folder = str(tmp_path) if at_hand else ""
    study = systems.get_config(folder)
    assert [system.letter for system in study.systems] == list("ABCDE")
    for system in study.systems:
        assert next(iter(system.variants)).startswith("faithful")
        assert any(variant.startswith("improved") for variant in system.variants)
        for config in system.variants.values():
            config = trials.config_of(config, (), config.seed)
            assert config.data.path.startswith(folder)
            assert bool(config.data.path) == at_hand
            assert bool(config.data.vectors.more_path) == (at_hand and bool(config.data.vectors.more_text))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="is not a folder; name one after the colon"):
        systems.get_config(str(tmp_path / "nothing"))


@pytest.mark.parametrize(("module", "least"), [(quick, 6), (imdb, 12)])
def test_comparisons_of_optimizers(module, least):
    study = module.get_config()
    study.check()
    count = len(study.optimizers)
    assert count >= least
    assert (study.search.points, study.seeds) == (7, 3)
    assert statistics.has_power(study.held_out_seeds, count * (count - 1) // 2)
    assert all(task.target for task in study.tasks.values())


@pytest.mark.parametrize("variant", ["quick", "grid", ""])
def test_the_studies_of_memory(variant):
    study = memory.get_config(variant)
    study.check()
    assert (len(study.tasks), len(study.layers)) == {"quick": (1, 3), "grid": (2, 2), "": (6, 8)}[variant]
