"""The same work done with pandas, NumPy and polars, written as their users write it."""
