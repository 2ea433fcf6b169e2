"""Load: clients that drive an endpoint or its API, and what they measured."""
