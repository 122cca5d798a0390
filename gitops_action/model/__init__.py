"""The nouns that stages and adapters share."""
