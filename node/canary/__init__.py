"""The canary: a node's own look at its whole way, every few minutes, without a byte on the wire that was not there.

Sensors and chains answer → own words are held by a quorum → a quorum is heard → the policy would decide → levers would
move and can be read back. `look` and `levers` find out, `keep` says what is silent, once, and once when it is well.
"""
