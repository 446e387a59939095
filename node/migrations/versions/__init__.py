"""One module per revision. A published revision never changes: a later one does."""
