"""From a pushed commit to a cluster that runs it, in one step of a workflow."""
