"""One function each: a frozen request in, a frozen result out."""
