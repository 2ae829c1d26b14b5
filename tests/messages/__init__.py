"""The generated messages, held against the JSON schemas they are made from."""
