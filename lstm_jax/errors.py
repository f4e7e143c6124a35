"""Errors that a user can fix. Each message is one line: what is wrong, where, and what to do."""


class UserError(Exception):
    """Something outside the code is wrong (a file, a download, a disk). Ends a command with exit code 1."""


class ConfigError(UserError):
    """A config or a flag is wrong. Ends a command with exit code 2."""
