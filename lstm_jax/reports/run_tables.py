"""The tables of a run's report that describe the run and its data."""

from collections.abc import Mapping, Sequence
from typing import Any

from lstm_jax.config import Config, differences
from lstm_jax.reports.tables import SHOWN_CLASSES, Table, TableCell

NOT_RECORDED = "not recorded"
HARDWARE = ("devices", "xla_flags", "matmul_precision", "step", "command")  # In an environment, beside the versions.


def run_table(
    summary: Mapping[str, Any] | None, environments: Sequence[Mapping[str, Any]], evaluation: Mapping[str, str]
) -> Table:
    """How a run was trained.

    Args:
      summary: The content of ``summary.json``; ``None`` if the run has not ended yet.
      environments: The content of ``environments.json``.
      evaluation: Further rows: their names and values.
    """
    facts: dict[str, str] = {"status": status_of(summary)}
    if summary:
        best = summary["best_validation_accuracy"]
        kept = "–" if best is None else f"{best:.2%} at step {summary['best_step']:,}"
        facts["validation accuracy of the weights kept"] = kept
        facts["steps"] = f"{summary['steps']:,} ({summary['epochs']:.2f} epochs)"
        times = summary["train_seconds"], summary["compile_seconds"]
        facts["time"] = f"{times[0]:,.1f} s, compiling {times[1]:,.1f} s more"
        facts["parameters"] = f"{summary['parameters']:,}"
        facts["git commit"] = summary["git_commit"] or NOT_RECORDED
    for own in environments:
        since = f", from step {own['step']:,} on" if len(environments) > 1 else ""
        facts[f"trained on{since}"] = str(own["devices"])
        facts[f"versions{since}"] = ", ".join(f"{name} {own[name]}" for name in own if name not in HARDWARE)
        facts[f"command{since}"] = own.get("command") or NOT_RECORDED
    return pairs_table("", {**facts, **evaluation})


def status_of(summary: Mapping[str, Any] | None) -> str:
    """The status of a run for readers."""
    if summary is None or summary["status"] == "interrupted":
        return "not finished"
    return f"diverged at step {summary['steps']:,}" if summary["status"] == "diverged" else str(summary["status"])


def data_table(config: Config) -> Table:
    """Where the examples come from and how they are read."""
    data, tokens = config.data, config.data.tokens
    return pairs_table(
        "",
        {
            "source": data.source,
            **({"data set": data.name} if data.name else {}),
            **({"path": data.path} if data.path else {}),
            **({"url": data.url} if data.url else {}),
            "tokens": f"{tokens.kind}, {'lower case' if tokens.lower_case else 'case kept'}",
            "vocabulary": f"at most {tokens.vocabulary_size:,} tokens, each at least {tokens.min_count} times",
            "length": f"at most {tokens.max_length:,} tokens ({tokens.truncation})"
            + (", padded on the left" if tokens.pad_left else "")
            + (", padded on the right" if tokens.pad_right else ""),
        },
    )


def splits_table(facts: Mapping[str, Any]) -> Table:
    """The splits that a run was trained with, from its ``data.json``."""
    names = facts["classes"] if len(facts["classes"]) <= SHOWN_CLASSES else []
    rows = []
    for split, own in facts["splits"].items():
        shares = [own["classes"][name] / max(own["examples"], 1) for name in names]
        repeated = ", ".join(f"{count:,} in {other}" for other, count in own["repeated"].items() if count)
        texts = [split, f"{own['examples']:,}", *(f"{share:.1%}" for share in shares)]
        rows.append([*map(TableCell, texts), TableCell(f"{own['unknown_tokens']:.1%}"), TableCell(repeated or "–")])
    columns = ("split", "examples", *names, "unknown tokens", "texts also in an earlier split")
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in facts["left_out"].items() if count)
    caption = "Splits of the training" + (f"; left out: {left_out}" if left_out else "")
    return Table(caption, columns, rows)


def settings_table(config: Config) -> Table:
    """The fields of a config that differ from their defaults."""
    changed = {path: repr(own) for path, _, own in differences(Config(), config)}
    return pairs_table("Settings that differ from the defaults", changed or {"none": ""})


def pairs_table(caption: str, facts: Mapping[str, str]) -> Table:
    """A table of two columns without a head."""
    return Table(caption, (), [[TableCell(name), TableCell(value, mark="text")] for name, value in facts.items()])
