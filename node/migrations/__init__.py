"""How a store of an older version becomes one of this version. Run by node.store alone, never by hand."""
