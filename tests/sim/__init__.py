"""The deterministic simulator: the code that a node runs, under faults that one number draws. See README.md."""
