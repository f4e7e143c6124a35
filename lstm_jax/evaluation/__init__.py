"""Evaluation of trained runs: metrics, predictions, explanations, baselines."""
