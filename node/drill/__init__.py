"""A drill: the same members in a network of its own, where everything is done but the last step.

What makes a network a drill is the name in its charter, which the network's id covers: every signature there is bound
to that id, so nothing of it can be said in the real network, and nothing real can be said here. No switch exists: a
node of a drill network pulls no lever, and a node of any other has none of this code in its way.
"""
