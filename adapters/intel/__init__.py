"""Exchange with others' tools: what this member knows as STIX 2.1 and MISP, and theirs read as outside intelligence.

Pure: no clock, no randomness, no file, no network. `uuid` is here for its version 5 alone, which is a hash.
"""
