"""Array types. A letter names the same dimension everywhere in the code.

T  time steps of a batch, one per token; always the leading axis of a sequence
B  examples of a batch
D  input features of a cell or a layer
H  output features of a cell or a layer: its hidden units, of both directions together if it has two
V  entries of the vocabulary
C  classes
N  examples of a corpus
W  tokens of a corpus, all examples concatenated
K  training steps in one call of the compiled program
L  lanes: whole training runs side by side

The annotations are jaxtyping's. To a static type checker ``Float[Array, "T B D"]`` is an ``Array``. The tests check
dtypes and dimensions whenever a function is called or traced; a letter must have one size within a call. Outside the
tests nothing is checked.
"""

from collections.abc import Mapping
from typing import Any, Literal

import jaxtyping
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num, PyTree, Shaped

# Pytrees of arrays whose structure is defined by the function that made them.
Params = PyTree
State = PyTree

Scalar = Num[Array, ""]
Key = jaxtyping.Key[Array, ""]
# One key for each example, so that no mask depends on the other examples of the batch.
ExampleKeys = jaxtyping.Key[Array, "B"]

Features = Float[Array, "B D"]
Hidden = Float[Array, "B H"]
Inputs = Float[Array, "T B D"]
Outputs = Float[Array, "T B H"]

Tokens = Int[Array, "T B"]
Lengths = Int[Array, "B"]
# A class for each example or for each token; -1 where a token has none.
Labels = Int[Array, "B"] | Int[Array, "T B"]
TokenMask = Bool[Array, "T B"]
Logits = Float[Array, "B C"] | Float[Array, "T B C"]

# The size of a dimension. A program that is exported for any size is traced with symbols, which are no int.
Size = int | Any

# The type that the operands of matrix products are rounded to; None rounds nothing.
MatmulDtype = Literal["bfloat16"] | None

# The smallest and the largest allowed value of hyper-parameters, by name.
Bounds = Mapping[str, tuple[float, float]]

# An array on the host, of any shape.
HostArray = Shaped[np.ndarray, "..."]
