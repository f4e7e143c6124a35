"""The commands: flags, and the calls behind them. ``train.py`` and its siblings call these."""
