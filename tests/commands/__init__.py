import pytest

pytest.register_assert_rewrite("tests.commands.helpers")  # so that failed asserts there show their values
