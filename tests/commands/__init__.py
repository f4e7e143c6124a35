import pytest

pytest.register_assert_rewrite("tests.commands.helpers")  # a failed assert there shows its values
