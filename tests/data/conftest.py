"""A file of texts that contain their own numbers."""

import pytest

from tests.data.helpers import rows_of
from tests.reviews import write


@pytest.fixture
def numbered(tmp_path):
    return write(tmp_path / "reviews.csv", rows_of(range(100)))
