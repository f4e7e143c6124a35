"""The commands behind ``train.py``, ``eval.py``, ``compare.py`` and ``bench.py``: their flags and main functions."""
