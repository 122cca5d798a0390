"""One door to each system outside; `process` and `http` are the transports below them."""
