"""First values of the embedding: read from files, or learned from text."""
