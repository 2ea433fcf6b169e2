"""The stacks of one environment, and the constructs they are made of."""
