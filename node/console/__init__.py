"""The page of a node, as files: no build step, nothing from elsewhere."""
