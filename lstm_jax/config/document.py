"""Prints the page of all config fields: ``python -m lstm_jax.config.document > docs/configuration.md``."""

from typing import Any

from lstm_jax.config.fields import Config
from lstm_jax.config.tree import Group, Numbers
from lstm_jax.registry import Registry

HEAD = """# Configuration

A config is a tree of typed dataclasses, `lstm_jax/config/fields.py`. A file in `configs/` returns one from
`get_config()`, and any field can be changed on the command line: `--config.model.hidden_size=128`. `lstm-train --help`
prints the fields with their choices and bounds, `lstm-train --help=dropout` only those that contain a word.

This page is generated from the fields: `python -m lstm_jax.config.document > docs/configuration.md`.

The *kind* of a field says how it takes part in a run. A **traced** field is a value in the training state: lanes of
one compiled program may differ in it, and a study may search over it. A **static** field shapes the program or the
data. An **incidental** field says where files are, how often a run logs or how many devices it uses; a later command
on the same run may change it.
"""


def page() -> str:
    """All groups as Markdown tables."""
    return "\n".join([HEAD, *_groups(Config(), "")])


def _groups(group: Group, path: str) -> list[str]:
    """A section for a group and for each group inside it."""
    fields = group.__dataclass_fields__.values()  # type: ignore[attr-defined]
    values = {each: getattr(group, each.name) for each in fields}
    own = {each: value for each, value in values.items() if not isinstance(value, Group)}
    title = f"## `config.{path}`" if path else "## `config`"
    summary = str(type(group).__doc__).splitlines()[0]
    lines = [
        title.replace(".`", "`"),
        "",
        summary,
        "",
        "| field | default | kind | what it does |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{path}{each.name}` | {_default(value)} | {each.metadata['kind']} | {_text(each)} |"
        for each, value in own.items()
    ]
    found = ["\n".join(lines) + "\n"]
    for each, value in values.items():
        if isinstance(value, Group):
            found += _groups(value, f"{path}{each.name}.")
    return found


def _default(value: Any) -> str:
    if isinstance(value, Numbers):
        return f"`{value!r}`" if value else "–"
    return "–" if value in ("", ()) else f"`{value}`"


def _text(field: Any) -> str:
    text = field.metadata["text"].replace("|", "\\|")
    registries = [choice for choice in field.metadata["choices"] if isinstance(choice, Registry)]
    if not registries or len(registries[0]) > 12:  # Longer lists are in docs/optimizers.md.
        return text
    names = dict.fromkeys(name for registry in registries for name in registry)
    return f"{text} Registered: {', '.join(f'`{name}`' for name in names)}."


if __name__ == "__main__":
    print(page(), end="")
