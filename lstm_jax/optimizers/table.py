"""The optimizers of optax and of its contributions, by name.

Some do not fit a loop of small batches in lanes and are left out: lbfgs (its line search evaluates the loss several
times a step), rprop (it needs full batches), noisy_sgd (its noise has a key of its own) and galore (its
subspace depends on the last bits of a gradient, so a lane would not equal its solo run). The first optimistic_adam is
superseded by the second. Wrappers that are not optimizers themselves are left out too.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import optax
from optax import contrib

from lstm_jax.optimizers import special
from lstm_jax.optimizers.base import register
from lstm_jax.optimizers.masks import matrices

_DECAY = (0.0, 0.999999)
BOUNDS = {
    **dict.fromkeys(("b1", "b2", "b3", "momentum"), _DECAY),
    **dict.fromkeys(("alpha", "eps", "gamma", "weight_decay"), (0.0, math.inf)),
}
_DIVISOR = {**BOUNDS, "b1": (1e-6, _DECAY[1])}  # Schedule-free optimizers divide by b1.


def _masked(make: Callable[..., Any]) -> Callable[..., Any]:
    """An optimizer that decays weight matrices only."""
    return partial(make, mask=matrices)


def _add(name: str, make: Callable[..., Any], learning_rate: float, source: str, **others: Any) -> None:
    register(name, make, learning_rate=learning_rate, source=source, **{"bounds": BOUNDS, **others})


_adam = partial(_add, b1=0.9, b2=0.999, eps=1e-8)  # Adam's defaults (Kingma & Ba 2015, algorithm 1).
_lars = partial(optax.lars, weight_decay_mask=matrices)
_adagrad = partial(optax.adagrad, initial_accumulator_value=0.0)

# fmt: off
# Optimizers that follow gradients or their signs.
_add("sgd", optax.sgd, 1.0, "Zaremba et al. 2014, LSTM language models")
_add("momentum", optax.sgd, 0.1, "He et al. 2016", momentum=0.9)
_add("nesterov", partial(optax.sgd, nesterov=True), 0.1, "that of momentum", momentum=0.9)
_add("optimistic_sgd", optax.optimistic_gradient_descent, 1.0, "that of sgd")
_add("polyak_sgd", lambda schedule: optax.polyak_sgd(scaling=schedule), 1.0, "Loizou et al. 2021, a factor")
_add("sign_sgd", optax.sign_sgd, 1e-3, "Kingma & Ba 2015, the bound of Adam's step")
_add("signum", lambda schedule, momentum: optax.signum(schedule, momentum), 1e-4, "Bernstein et al. 2018", momentum=0.9)
_add("lion", _masked(optax.lion), 1e-4, "Chen et al. 2023", b1=0.9, b2=0.99, weight_decay=0.1)
_add("fromage", optax.fromage, 1e-2, "Bernstein et al. 2020")
_add("lars", _lars, 2.0, "You et al. 2017, AlexNet at batches of 512", momentum=0.9, weight_decay=0.0)

# Optimizers with a learning rate for every weight.
_add("adagrad", _adagrad, 1e-2, "PyTorch's default", eps=1e-10)
_add("adadelta", lambda schedule, b2, eps: optax.adadelta(schedule, b2, eps), 1.0, "Zeiler 2012", b2=0.95, eps=1e-6)
_add("rmsprop", lambda schedule, b2, eps: optax.rmsprop(schedule, b2, eps), 1e-3, "Tieleman & Hinton 2012", b2=0.9,
     eps=1e-8)
_add("adafactor", optax.adafactor, 1e-2, "Shazeer & Stern 2018, relative to the weights' size")
_add("sm3", special.sm3, 0.1, "Anil et al. 2019, BERT", momentum=0.9)
_add("madgrad", contrib.madgrad, 1e-2, "Defazio & Jelassi 2022", momentum=0.9, eps=1e-6)
_adam("adam", optax.adam, 1e-3, "Kingma & Ba 2015")
_adam("adamw", _masked(optax.adamw), 1e-3, "Loshchilov & Hutter 2019", weight_decay=1e-2)
_adam("nadam", optax.nadam, 2e-3, "Dozat 2016")
_adam("nadamw", _masked(optax.nadamw), 2e-3, "that of nadam", weight_decay=1e-2)
_adam("amsgrad", optax.amsgrad, 1e-3, "Reddi et al. 2018")
_adam("adamax", optax.adamax, 2e-3, "Kingma & Ba 2015")
_adam("adamaxw", _masked(optax.adamaxw), 2e-3, "that of adamax", weight_decay=1e-2)
_adam("adabelief", optax.adabelief, 1e-3, "Zhuang et al. 2020", eps=1e-16)
_adam("acprop", contrib.acprop, 1e-3, "Zhuang et al. 2021", eps=1e-16)
_adam("radam", optax.radam, 1e-3, "Liu et al. 2020")
_adam("yogi", optax.yogi, 1e-2, "Zaheer et al. 2018", eps=1e-3)
_adam("lamb", _masked(optax.lamb), 2e-3, "You et al. 2020, between 6e-4 and 5e-3", eps=1e-6, weight_decay=1e-2)
_adam("novograd", optax.novograd, 1e-2, "Ginsburg et al. 2019", b1=0.95, b2=0.98, eps=1e-6)
_adam("adan", _masked(optax.adan), 1e-3, "Xie et al. 2024", b1=0.98, b2=0.92, b3=0.99, weight_decay=0.0)
_adam("optimistic_adam", optax.optimistic_adam_v2, 1e-3, "that of adam")
_adam("adopt", contrib.adopt, 1e-3, "Taniguchi et al. 2024", b2=0.9999, eps=1e-6)
_adam("ademamix", _masked(contrib.ademamix), 1e-3, "Pagliardini et al. 2025", b3=0.9999, alpha=5.0, weight_decay=0.0)
_adam("simplified_ademamix", _masked(contrib.simplified_ademamix), 1e-5, "Morwani et al. 2025, Adam's times 1 - b1",
      b1=0.99, b2=0.95, alpha=0.0, weight_decay=0.0)

# Optimizers that orthogonalise updates or estimate curvature.
_adam("muon", special.muon, 1e-3, "Liu et al. 2025, that of AdamW", momentum=0.95, weight_decay=0.0)
_adam("sophia", special.sophia, 1e-3, "Liu et al. 2023, near Adam's", b1=0.965, b2=0.99, gamma=0.01, weight_decay=1e-4,
      periodic=True)

# Optimizers that claim to need no learning rate, or no schedule. The learning rate of the former is a factor on the
# one that they estimate.
_adam("prodigy", special.prodigy, 1.0, "Mishchenko & Defazio 2024, a factor")
_adam("dadapt_adamw", special.dadapt_adamw, 1.0, "Defazio & Mishchenko 2023, a factor")
_add("dog", contrib.dog, 1.0, "Ivgi et al. 2023, a factor", eps=1e-8)
_add("dowg", contrib.dowg, 1.0, "Khaled et al. 2023, a factor", eps=1e-4)
_add("cocob", special.cocob, 1.0, "Orabona & Tommasi 2017, a factor", alpha=100.0, eps=1e-8)
_add("momo", lambda schedule, momentum: contrib.momo(schedule, momentum), 1.0, "Schaipp et al. 2024", momentum=0.9)
_adam("momo_adam", contrib.momo_adam, 1e-2, "Schaipp et al. 2024")
_add("schedule_free_sgd", contrib.schedule_free_sgd, 1.0, "Defazio et al. 2024", b1=0.9, warmup_only=True,
     averages=True, bounds=_DIVISOR)
_adam("schedule_free_adamw", special.schedule_free_adamw, 2.5e-3, "Defazio et al. 2024", weight_decay=0.0,
      warmup_only=True, averages=True, bounds=_DIVISOR)
# fmt: on
