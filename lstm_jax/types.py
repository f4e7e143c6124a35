"""Array aliases. The letters name the dimensions everywhere in the code.

T  time steps (words) of a batch; always the leading axis of a sequence
B  rows (reviews) of a batch
D  features entering a layer
H  hidden units leaving a cell or a layer
V  vocabulary entries
C  classes
N  reviews of a corpus
W  words of a corpus, all reviews end to end
K  training steps made in one call of the compiled program
L  lanes, that is whole training runs side by side
"""

from typing import Annotated, Any, Literal

import jax
import numpy as np

# A pytree of arrays whose structure belongs to the function that made it.
Params = Any
State = Any

Scalar = Annotated[jax.Array, ""]
Key = Annotated[jax.Array, "one key made by jax.random.key"]
RowKeys = Annotated[jax.Array, "B keys, one a row, so that no mask depends on a row's neighbours"]

Features = Annotated[jax.Array, "B D"]
Hidden = Annotated[jax.Array, "B H"]
Sequence = Annotated[jax.Array, "T B D"]
Outputs = Annotated[jax.Array, "T B H"]

Tokens = Annotated[jax.Array, "T B int32"]
Lengths = Annotated[jax.Array, "B int32"]
Labels = Annotated[jax.Array, "B int32"]
Weights = Annotated[jax.Array, "B float32"]
Logits = Annotated[jax.Array, "B C, or T B C for an output at every step"]

# What the operands of matrix products are rounded to; None: nothing is rounded.
MatmulDtype = Literal["bfloat16"] | None

HostArray = np.ndarray
