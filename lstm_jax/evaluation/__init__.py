"""What a trained run does: figures, predictions, explanations, baselines."""
