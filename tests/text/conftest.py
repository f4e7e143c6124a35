"""Settings of the tests of the text pipeline."""

import datasets
import pytest


@pytest.fixture(autouse=True, scope="session")
def own_datasets_cache(tmp_path_factory):
    """No test reads or fills the user's cache of ``datasets``, whose place is fixed when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
        datasets.disable_progress_bars()
        yield
