"""The progress of a study as lines in a log file."""

from lstm_jax.studies.progress import Progress


def test_lines_count_lanes_of_all_commands(capsys):
    with Progress(10, 4) as progress:
        progress.begin("adam (search)", 4)
        progress.follow(5, 10)
        assert not progress.made
        progress.end()
        assert progress.made
        progress.expect(12, 8)
        progress.begin("adam (held_out)", 4)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(" 40% 4/10 [")
    assert "adam (search)" in first
    assert second.startswith(" 67% 8/12 [")
