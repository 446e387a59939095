"""Vectors: other people's against our code, ours against a reader that has only the specification."""
