"""A file of reviews that tell their numbers."""

import pytest

from tests.reviews import write
from tests.text.helpers import rows_of


@pytest.fixture
def numbered(tmp_path):
    return write(tmp_path / "reviews.csv", rows_of(range(100)))
