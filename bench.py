"""Measures speed: python bench.py --suite=NAME --workdir=DIR."""

from lstm_jax.commands.bench import bench_command

if __name__ == "__main__":
    bench_command()
