"""Real attackers against a network of real nodes: each attack is a named function in `table.ATTACKS`."""
