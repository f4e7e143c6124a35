"""The embedding as text, in the format of GloVe, which ``data.vectors.source=file`` reads."""

from lstm_jax.data.tokenizer import tokens_of
from lstm_jax.evaluation.words import embedding_table
from lstm_jax.export.folder import Files
from lstm_jax.training.restore import Trained


def vectors_files(trained: Trained) -> Files:
    """``vectors.txt``, or ``vectors-laneN.txt`` for each of several lanes: a token and its vector per line.

    Special tokens are included. Nine digits say exactly which float32 a number is.
    """
    tokens = tokens_of(trained.tokenizer, range(trained.tokenizer.get_vocab_size()))
    files = {}
    for lane in range(trained.lanes):
        rows = zip(tokens, embedding_table(trained, lane).tolist(), strict=True)
        lines = (f"{token} {' '.join(f'{value:.9g}' for value in row)}\n" for token, row in rows)
        files["vectors.txt" if trained.lanes == 1 else f"vectors-lane{lane}.txt"] = "".join(lines).encode()
    return files
