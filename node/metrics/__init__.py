"""What a running node is measured by, for Prometheus, and whether it is alive and ready, in words.

`table` names every family, `gather` reads them off a node, `text` writes them, `counted` counts what no state keeps,
`health` says it in sentences, `door` answers HTTP. node/METRICS.md is the table for people.
"""
