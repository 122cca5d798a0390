"""A package, because actions-toolkit installs a `tests` of its own, which would win otherwise."""
