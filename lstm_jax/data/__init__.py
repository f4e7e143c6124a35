"""From a data config to corpora: sources, splits, tokenizer, batches, word vectors."""
