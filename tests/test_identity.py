"""An optimizer's identity depends on its code and all that it calls, and is the same in every process."""

import functools
import importlib
import itertools
import linecache
import subprocess
import sys
import types
from pathlib import Path

import jax.numpy as jnp
import optax
import pytest

from lstm_jax.errors import ConfigError
from lstm_jax.identity import identity_of
from lstm_jax.optimizers import OPTIMIZERS, identity

ROOT = Path(__file__).parents[1]


NUMBERS = itertools.count()


def module(text):
    """A user's module with this code, whose source can be read like that of a file."""
    made, file = types.ModuleType("users_own"), f"users_own_{next(NUMBERS)}.py"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    made.__file__, sys.modules["users_own"] = file, made  # Classes look up their module there.
    exec(compile(text, file, "exec"), made.__dict__)
    return made


BASE = """
import optax
B = 0.5
def inner(b): return optax.trace(b)
class Factory:
    def __init__(self, b): self.b = b
    def __call__(self, rate): return optax.sgd(rate, self.b)
def make(rate): return optax.chain(inner(B), optax.scale_by_learning_rate(rate))
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("B = 0.5", "B = 0.9"), ("optax.trace(b)", "optax.trace(1 - b)"), ("inner(B)", "inner(2 * B)")],
    ids=["a constant", "a function that it calls", "itself"],
)
def test_what_a_function_names_is_part_of_it(old, new):
    assert identity_of(module(BASE).make) == identity_of(module(BASE + "unused = 1").make)
    assert identity_of(module(BASE.replace(old, new)).make) != identity_of(module(BASE).make)


def test_comments_docstrings_and_layout_make_no_difference():
    told = BASE.replace(
        "def make(rate): return optax", 'def make(rate):\n    """Makes it."""\n    # In two parts.\n    return optax'
    )
    assert identity_of(module(told).make) == identity_of(module(BASE).make)


def test_what_an_object_holds_and_does_is_part_of_it():
    one, other = (identity_of(module(BASE).Factory(b)) for b in (0.5, 0.9))
    assert one != other
    assert one != identity_of(module(BASE.replace("optax.sgd", "optax.rmsprop")).Factory(0.5))
    assert one == identity_of(module(BASE).Factory(0.5))


def test_what_other_modules_of_the_users_define_is_part_of_it():
    outer = "def make(rate): return users.make(rate)"
    found = []
    for text in (BASE, BASE, BASE.replace("0.5", "0.9")):
        using = module(outer)
        using.users = module(text)
        found.append(identity_of(using.make))
    assert found[0] == found[1] != found[2]


def test_values_of_arrays_and_arguments_are_part_of_it():
    slow, fast = (functools.partial(optax.sgd, momentum=value) for value in (0.1, 0.9))
    assert identity_of(slow) != identity_of(fast)
    few, many = ((lambda rate, values=values: optax.scale(values)) for values in (jnp.arange(2), jnp.arange(3)))
    assert identity_of(few) != identity_of(many)


CLASSES = """
import optax
class Base:
    scale = 2.0
    def made(self, rate): return optax.sgd(rate)
class Factory(Base):
    @staticmethod
    def b(): return 0.5
    @property
    def c(self): return 0.25
    def __call__(self, rate): return optax.chain(self.made(rate), optax.scale(self.scale * self.b() * self.c))
def make(rate): return Factory()(rate)
"""


@pytest.mark.parametrize(
    "change",
    [("2.0", "3.0"), ("optax.sgd", "optax.rmsprop"), ("0.5", "0.6"), ("0.25", "0.26"), ("* self.c", "/ self.c")],
    ids=["an attribute", "an inherited method", "a static method", "a property", "a method"],
)
def test_classes_are_known_by_all_that_they_define(change):
    changed = CLASSES.replace(*change)
    assert identity_of(module(CLASSES).make) == identity_of(module(CLASSES).make)
    assert identity_of(module(CLASSES).make) != identity_of(module(changed).make)
    assert identity_of(module(CLASSES).Factory()) != identity_of(module(changed).Factory())


def test_names_that_collide_are_kept_apart():
    found = set()
    for own, theirs in ((1, 1), (1, 2), (2, 1)):
        using = module(f"def inner(): return {own}\ndef make(rate): return inner() * helpers.inner()")
        using.helpers = module(f"def inner(): return {theirs}")
        found.add(identity_of(using.make))
    assert len(found) == 3


def test_modules_in_modules_and_imports_inside_are_followed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for n, value in enumerate((1, 1, 2)):
        name = f"users_package_{n}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("from . import sub")
        (tmp_path / name / "sub.py").write_text(f"def f(rate): return rate * {value}")
        using = module("def make(rate): return package.sub.f(rate)")
        using.package = importlib.import_module(name)
        inside = module("def make(rate):\n    from users.sub import f\n    return f(rate)")
        monkeypatch.setitem(sys.modules, "users", using.package)
        monkeypatch.setitem(sys.modules, "users.sub", using.package.sub)
        found.append((identity_of(using.make), identity_of(inside.make)))
    assert found[0][1] == found[1][1]
    assert found[0][0] != found[2][0]
    assert found[0][1] != found[2][1]


def test_the_order_of_arguments_is_part_of_it():
    one, other = "def make(rate, a=1, b=1): return rate * (a - b)", "def make(rate, b=1, a=1): return rate * (a - b)"
    assert identity_of(module(one).make) != identity_of(module(other).make)


def test_what_jax_wraps_is_read():
    text = "import jax\n@jax.vmap\ndef g(x): return 2 * x\ndef make(rate): return g(rate)\nkey = jax.random.key(0)"
    text += "\ndef drawn(rate): return key"
    assert identity_of(module(text).make) != identity_of(module(text.replace("2 *", "3 *")).make)
    assert identity_of(module(text).drawn) != identity_of(module(text.replace("key(0)", "key(1)")).drawn)


STABLE = """
import optax
from lstm_jax.optimizers import OPTIMIZERS, identity, register
inner = optax.trace(0.9)
table = {inner.init: 1, inner.update: 2}
def make(schedule): return optax.chain(inner, optax.scale(2.0 if "a" in {"a", "b", "c"} else table))
register("mine", make, learning_rate=0.1)
print([identity(name) for name in OPTIMIZERS])
"""


def test_an_identity_is_the_same_in_every_process(tmp_path):
    (tmp_path / "stable.py").write_text(STABLE)
    command = [sys.executable, str(tmp_path / "stable.py")]
    found = {
        subprocess.run(
            command,
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_optimizers_have_identities_of_their_own():
    by_identity = {}
    for name in OPTIMIZERS:
        by_identity.setdefault(identity(name), []).append(name)
    shared = [names for names in by_identity.values() if len(names) > 1]
    assert shared == [["sgd", "momentum"]]  # these differ in their hyper-parameters


@pytest.mark.parametrize(
    "text",
    [
        "makers = [lambda s: optax.sgd(s), lambda s: optax.X(s)]\nmake = makers[1]",
        'makers = {\n    "lambda_sgd": lambda s: optax.X(s),\n}\nmake = makers["lambda_sgd"]',
        "import functools\ndef twice(f):\n    @functools.wraps(f)\n"
        "    def inner(s): return optax.chain(f(s), optax.X(1.0))\n"
        "    return inner\n@twice\ndef make(s): return optax.sgd(s)",
        "def factory(b):\n    class Make:\n        def __call__(self, s): return optax.sgd(s, b)\n    return Make()\n"
        "make = factory(optax.X)",
        "class A:\n    scale = 1\nA.scale = optax.X\ndef make(s): return A.scale * s",
    ],
    ids=["a second lambda of a line", "a lambda behind its name", "a wrapper", "a closure of a class", "an attribute"],
)
def test_edits_that_are_easily_missed(text):
    one, other, again = (module(f"import optax\n{text.replace('X', name)}").make for name in ("scale", "clip", "scale"))
    assert identity_of(one) != identity_of(other)
    assert identity_of(one) == identity_of(again)


@pytest.mark.parametrize(
    "text",
    [
        "def make(s):\n    from sklearn.metrics import accuracy_score\n    return accuracy_score(s)",
        "def make(s):\n    try:\n        import not_there_xyz\n    except ImportError:\n        pass\n    return s",
        "import collections\nState = collections.namedtuple('State', 'a b')\ndef make(s): return State(s, s)",
        "import threading\nlock = threading.Lock()\ndef make(lock): return lock",
        'def outer():\n    def make(s):\n        """x\nat column zero"""\n'
        "        return s\n    return make\nmake = outer()",
    ],
    ids=["a library's import", "an optional import", "a named tuple", "a parameter named as a global", "column zero"],
)
def test_code_that_is_easily_misread(text):
    assert identity_of(module(text).make) == identity_of(module(text).make)


def test_where_an_optimizer_is_registered_is_no_part_of_it():
    text = (
        "makers = []\ndef add(make, learning_rate): makers.append(make)\nadd(lambda s: optax.sgd(s), learning_rate=X)"
    )
    one, other = (module(f"import optax\n{text.replace('X', value)}").makers[0] for value in ("0.1", "0.3"))
    assert identity_of(one) == identity_of(other)


def test_generated_code_is_not_taken_for_that_of_the_command_line(monkeypatch):
    """Python 3.13 keeps the text of ``python -c`` under the name that generated code has too."""
    scope = {"inner": module("def make(s): return s").make}
    exec("def make(s): return inner(s)", scope)
    scope["make"].__wrapped__ = scope["inner"]
    monkeypatch.setitem(linecache.cache, "<string>", (10, None, ["import sys\n"], "<string>"))
    assert identity_of(scope["make"]) == identity_of(scope["inner"])


def test_code_without_source_is_refused():
    scope = {}
    exec("def make(rate): return rate", scope)
    with pytest.raises(ConfigError, match="the source of 'make' cannot be read"):
        identity_of(scope["make"])


def test_what_only_its_place_in_memory_tells_is_refused():
    place = object()
    with pytest.raises(ConfigError, match=r"holds <object object at 0x.*; create it inside the registered function"):
        identity_of(lambda rate: (place, rate))


@pytest.mark.parametrize("decorators", ["@beartype", "@jaxtyped(typechecker=beartype)"])
def test_code_that_a_decorator_generates_stands_for_the_function(decorators):
    text = f"from beartype import beartype\nfrom jaxtyping import jaxtyped\n{decorators}\n"
    text += "def make(rate: float) -> float: return X * rate"
    one, other, again = (identity_of(module(text.replace("X", factor)).make) for factor in ("2", "3", "2"))
    assert one == again != other
