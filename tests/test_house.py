"""The structure of the package: imports point one way, and a public name is defined in one module."""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "lstm_jax"
# As in README's layout. The first row holds the modules that stand beside the packages.
FOUNDATIONS = ("types", "errors", "files", "identity", "registry", "runtime", "stages", "timer")
ORDER = (
    *("optimizers", "config", "data", "cells", "layers", "models", "reports", "objectives", "training", "evaluation"),
    *("export", "studies", "configs", "benchmarks", "help", "cli", "commands"),
)


def modules(*folders: str) -> dict[str, ast.Module]:
    """The syntax tree of each module by its path in the package."""
    files = sorted(file for folder in folders or (".",) for file in (PACKAGE / folder).rglob("*.py"))
    return {file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def test_a_package_imports_only_what_stands_above_it():
    place = dict.fromkeys(FOUNDATIONS, 0) | {name: n + 1 for n, name in enumerate(ORDER)}
    upward = []
    for path, tree in modules(".", "configs").items():  # The folder of configs is a link, which is not followed.
        own = path.removesuffix(".py").split("/")[0]
        if own == "__init__":  # The public door stands below everything and imports it where it is called.
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lstm_jax"):
                names = [node.module] if "." in node.module else [f"{node.module}.{each.name}" for each in node.names]
                for name in names:
                    imported = name.split(".")[1]
                    if place.get(imported, 0) > place[own]:
                        upward.append(f"{path} imports {name}")
    assert not upward


def test_a_public_name_is_defined_in_one_module():
    defined = defaultdict(set)
    for path, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            else:
                targets = getattr(node, "targets", [getattr(node, "target", None)])
                names = [each.id for target in targets if target for each in ast.walk(target) if hasattr(each, "id")]
            for name in names:
                if not name.startswith("_"):
                    defined[name].add(path)
    several = {name: paths for name, paths in defined.items() if len(paths) > 1}
    assert set(several) == {"register"}, several  # Each package that has a registry has its function.
