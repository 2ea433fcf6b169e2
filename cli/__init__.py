"""The `sagescale` command: parse, call, print."""
