"""What ``--help`` prints: required flags first, then the command's own flags, then every field of its config."""

import dataclasses
import difflib
import math
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from lstm_jax import runtime
from lstm_jax.config import Config, Group, Numbers
from lstm_jax.config.tree import options
from lstm_jax.errors import ConfigError

WIDTH = 120  # Maximum number of columns.
_FLAG = re.compile(r"--?(?P<kind>help|helpshort|helpfull|h|\?)(?:=(?P<term>.*))?", re.DOTALL)


class HelpAsked(NamedTuple):
    """The help that a command line asks for."""

    kind: str  # ``help``; ``helpshort``, without the fields; ``helpfull``, with the flags of libraries too.
    term: str  # What to search for; empty if nothing.


class HelpEntry(NamedTuple):
    """A flag, or a field of the config, which is set like a flag."""

    name: str
    text: str
    default: str  # Empty if there is none.
    allowed: str  # Its choices or bounds; empty if there are none.

    def lines(self) -> list[str]:
        """The entry as it is printed."""
        default = f" (default: {self.default})" * bool(self.default)
        allowed = f" [{self.allowed}]" * bool(self.allowed)
        first, *more = f"--{self.name}: {self.text}{default}{allowed}".splitlines()
        return [line for n, each in enumerate([first, *more]) for line in _wrapped(each, 2 if n == 0 else 6)]

    def matches(self, term: str) -> bool:
        """Whether its name, text or choices contain a term that ``_plain`` returned."""
        return term in _plain(f"{self.name} {self.text} {self.allowed}")


class HelpSection(NamedTuple):
    """Entries that belong together."""

    title: str
    entries: list[HelpEntry]


def asked_help(arguments: Sequence[str]) -> HelpAsked | None:
    """What the arguments ask for by ``--help``, ``--help=TERM`` or ``--help TERM``; ``None`` if by nothing."""
    for n, argument in enumerate(arguments):
        if found := _FLAG.fullmatch(argument):
            kind = found["kind"] if found["kind"].startswith("help") else "help"
            following = [each for each in arguments[n + 1 : n + 2] if not each.startswith("-")]
            return HelpAsked(kind, found["term"] if found["term"] is not None else "".join(following))
    return None


def command_help(asked: HelpAsked, module: str) -> str:
    """The help of the running command, whose flags are defined.

    Args:
      asked: What to show.
      module: The name of the command's module.

    Raises:
      ConfigError: Nothing contains the term, and no name is similar to it.
    """
    sections = _sections(module, asked.kind)
    if term := _plain(asked.term):
        return _search(sections, term, asked.term)
    called = runtime.command_name(Path(sys.argv[0]).stem.removeprefix("lstm-"))
    required = [f"--{flag.name}=..." for flag in flags.FLAGS.get_key_flags_for_module(module) if _is_required(flag)]
    usage = " ".join(["usage:", called, *required, "[--flag=value ...]"])
    return "\n\n".join([str(sys.modules[module].__doc__).strip(), usage, _text(sections)])


def _sections(module: str, kind: str) -> list[HelpSection]:
    own = flags.FLAGS.get_key_flags_for_module(module)
    found = [
        HelpSection("Required:", [_flag_entry(flag) for flag in own if _is_required(flag)]),
        HelpSection("Flags:", [_flag_entry(flag) for flag in own if not _is_required(flag)]),
    ]
    if kind == "helpfull":  # A flag may have two names.
        others = dict.fromkeys(flags.FLAGS[name] for name in sorted(flags.FLAGS) if flags.FLAGS[name] not in own)
        found.append(HelpSection("Flags of libraries:", [_flag_entry(flag) for flag in others]))
    config = flags.FLAGS["config"].default if "config" in flags.FLAGS else None
    if isinstance(config, Config) and kind != "helpshort":
        found += _field_sections(config, "config")
    return [each for each in found if each.entries]


def _field_sections(group: Group, path: str) -> Iterator[HelpSection]:
    fields = [(each, getattr(group, each.name)) for each in dataclasses.fields(group)]  # type: ignore[arg-type]
    own = [_field_entry(f"{path}.{each.name}", each, value) for each, value in fields if not isinstance(value, Group)]
    yield HelpSection(f"{path}: {str(type(group).__doc__).splitlines()[0]}", own)
    for each, value in fields:
        if isinstance(value, Group):
            yield from _field_sections(value, f"{path}.{each.name}")


def _field_entry(name: str, field: Any, value: Any) -> HelpEntry:
    bounded = not isinstance(value, bool | str | Numbers) and field.type != tuple[str, ...]
    low, high = (field.metadata["low"], field.metadata["high"]) if bounded else (None, None)
    return HelpEntry(name, field.metadata["text"], repr(value), _allowed(options(field), low, high))


def _flag_entry(flag: flags.Flag) -> HelpEntry:
    default = ",".join(flag.default) if isinstance(flag.default, list) else flag.default
    shown = "" if default in (None, "") or isinstance(default, Config) else repr(default)
    bounds = [getattr(flag.parser, name, None) for name in ("lower_bound", "upper_bound")]
    choices = getattr(flag.parser, "enum_values", ())
    text = str(flag.help).removeprefix(f"<{'|'.join(choices)}>: ")  # absl puts the choices before the text.
    return HelpEntry(flag.name, text, shown, _allowed(choices, *bounds))


def _is_required(flag: flags.Flag) -> bool:
    """Whether absl refuses the command without the flag, which it checks by a validator."""
    return flag.default is None and any(not each.checker(None) for each in flag.validators)


def _allowed(choices: Sequence[str], low: float | None, high: float | None) -> str:
    if choices:
        return f"one of: {', '.join(each or repr(each) for each in choices)}"
    above, below = low not in (None, -math.inf), high not in (None, math.inf)
    if above and below:
        return f"{low} to {high}"
    return f"at least {low}" * above + f"at most {high}" * below


def _search(sections: Sequence[HelpSection], term: str, asked: str) -> str:
    """The entries that contain a term; if there are none, those with the most similar name, which is said."""
    if found := _filtered(sections, term):
        return _text(found)
    words = dict.fromkeys(_plain(part) for each in sections for entry in each.entries for part in entry.name.split("."))
    if not (near := difflib.get_close_matches(term, words, 1)):
        raise ConfigError(f"no flag or field contains {asked!r}; --help lists all of them")
    return f"Nothing contains {asked!r}. The nearest name is {near[0]!r}.\n\n{_text(_filtered(sections, near[0]))}"


def _filtered(sections: Sequence[HelpSection], term: str) -> list[HelpSection]:
    found = [HelpSection(each.title, [entry for entry in each.entries if entry.matches(term)]) for each in sections]
    return [each for each in found if each.entries]


def _text(sections: Sequence[HelpSection]) -> str:
    blocks = [_wrapped(each.title, 0) + [line for entry in each.entries for line in entry.lines()] for each in sections]
    return "\n\n".join("\n".join(block) for block in blocks)


def _wrapped(line: str, indent: int) -> list[str]:
    return textwrap.wrap(
        line, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * max(6, indent), break_on_hyphens=False
    )


def _plain(text: str) -> str:
    """A text for searching: ``--learning_rate``, ``learning-rate`` and ``Learning rate`` are equal."""
    return text.replace("_", " ").replace("-", " ").strip().casefold()
