"""Tocsin's rules, pure: bytes, numbers and keys in, values out. Imports nothing of ours and no I/O."""
