"""What a comparison of optimizers is reported as: tables, pictures, files of figures, one page."""
