"""Checks that this checkout gives the same metrics as the first edition, bit by bit, on one machine.

    python tools/same_as_first_edition.py --first=CHECKOUT --data=DIR --scratch=DIR [--case=NAME]

CHECKOUT is a worktree of commit 55c31d8, DIR the folder that ``configs/studies/systems.py`` reads. Each case is a
command of the first edition and the same command of this one. Durations are not compared. The results of the first
edition are kept in the scratch folder, so a second call runs this edition alone.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLOCK = ("seconds", "tokens_per_second", "seconds_to_target")
RENAMED = {"fresh": "held_out"}  # Values of the first edition and of this one.

STUDY = """
from lstm_jax.config import Config
from lstm_jax.optimizers import {registry}
from lstm_jax.studies.comparison import Comparison, Search, Task


def get_config():
    config = Config()
    config.data.{count} = 600
    config.model.embedding_size = config.model.hidden_size = 16
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup = 0.3
    config.train.steps = 24
    config.train.validate_every = 8
    config.train.buckets = 2
    spaces = {{name: {registry}[name].{rates}(1, 100) for name in ("adam", "muon")}}
    return Comparison(
        tasks={{"embedded reviews": Task(config, target=0.5)}},
        optimizers=("adam", "muon"),
        spaces=spaces,
        search=Search(points=3),
        seeds=2,
        {held_out}=3,
    )
"""


def cases(data: Path) -> dict[str, list[str]]:
    """The flags of ``train.py`` by case."""
    imdb, games, polarity = data / "imdb", data / "Video_Games.json.gz", data / "train.ft.txt.bz2"
    short = ["--config.train.steps=20", "--config.train.keep_epochs="]
    systems = {
        "A": ("glos_amazon_stars.py", games),
        "A published": ("glos_amazon_stars.py:published", games),
        "B": ("ghazi_imdb.py", imdb),
        "B improved": ("ghazi_imdb.py:improved", imdb),
        "C": ("bilstm_glove.py", imdb),
        "D": ("keras_imdb.py", imdb),
        "D padded": ("keras_imdb.py:padded", imdb),
        "E": ("floydhub_amazon.py:small", polarity),
        "imdb": ("imdb.py", imdb),
    }
    found = {"default": ["--config=configs/default.py"]}
    for name, (config, path) in systems.items():
        found[name] = [f"--config=configs/{config}", f"--config.data.path={path}", *short]
    return found


def run(checkout: Path, command: list[str], cache: Path) -> None:
    """Runs a command in a checkout with caches of its own."""
    own = os.environ | {"LSTM_JAX_CACHE": str(cache), "HF_DATASETS_CACHE": str(cache / "datasets")}
    done = subprocess.run([sys.executable, *command], cwd=checkout, env=own, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} in {checkout} ended with {done.returncode}: {done.stderr[-2000:]}")


def rows(file: Path) -> list[dict]:
    """The rows of ``metrics.jsonl`` or ``runs.csv`` without durations."""
    text = file.read_text(encoding="utf-8")
    found = list(csv.DictReader(text.splitlines())) if file.suffix == ".csv" else map(json.loads, text.splitlines())
    return [{name: RENAMED.get(value, value) for name, value in row.items() if name not in CLOCK} for row in found]


def compared(name: str, first: Path, own: Path) -> bool:
    """Prints and returns whether two files are equal."""
    a, b = rows(first), rows(own)
    keys = set(a[0]) & set(b[0])
    a, b = ([{key: row[key] for key in sorted(keys)} for row in each] for each in (a, b))
    differing = [n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    same = not differing and len(a) == len(b)
    print(f"{name:<14} {len(a):>4} rows {'equal' if same else f'DIFFER, first at row {differing[:1]}'}", flush=True)
    if differing:
        print(f"    first edition {a[differing[0]]}\n    this edition  {b[differing[0]]}", flush=True)
    return same


def main() -> int:  # noqa: C901
    parser = argparse.ArgumentParser()
    for flag in ("--first", "--data", "--scratch"):
        parser.add_argument(flag, type=Path, required=True)
    parser.add_argument("--case", action="append")
    parser.add_argument("--only-first", action="store_true")
    asked = parser.parse_args()
    scratch, first = asked.scratch.resolve(), asked.first.resolve()
    same = True
    for name, flags in cases(asked.data.resolve()).items():
        if asked.case and name not in asked.case:
            continue
        for checkout, label in ((first, "first"), (ROOT, "own")):
            workdir = scratch / label / name.replace(" ", "-")
            if label == "own":
                if asked.only_first:
                    continue
                shutil.rmtree(workdir, ignore_errors=True)
            if not (workdir / "summary.json").exists():
                run(checkout, ["train.py", *flags, f"--workdir={workdir}"], scratch / f"cache-{label}")
        if not asked.only_first:
            folder = name.replace(" ", "-")
            same &= compared(name, *(scratch / label / folder / "metrics.jsonl" for label in ("first", "own")))
    if not asked.case or "study" in asked.case:
        for checkout, label in ((first, "first"), (ROOT, "own")):
            workdir, file = scratch / label / "study", scratch / f"study_{label}.py"
            names = {
                "first": {"registry": "OPTIMIZERS", "count": "reviews", "rates": "rates", "held_out": "fresh_seeds"},
                "own": {
                    "registry": "OPTIMIZERS",
                    "count": "reviews",
                    "rates": "learning_rates",
                    "held_out": "held_out_seeds",
                },
            }
            file.write_text(STUDY.format(**names[label]))
            if label == "own":
                if asked.only_first:
                    continue
                shutil.rmtree(workdir, ignore_errors=True)
            if not (workdir / "runs.csv").exists():
                run(checkout, ["compare.py", f"--config={file}", f"--workdir={workdir}"], scratch / f"cache-{label}")
        if not asked.only_first:
            same &= compared("study", *(scratch / label / "study" / "runs.csv" for label in ("first", "own")))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
