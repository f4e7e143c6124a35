"""Settings of the tests of exports."""

import jaxtyping
import pytest


@pytest.fixture(autouse=True)
def symbolic_sizes():
    """A program for any batch is traced with sizes that are no int, which the checks of annotations refuse."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
