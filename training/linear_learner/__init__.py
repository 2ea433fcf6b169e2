"""A local stand-in for SageMaker's built-in Linear Learner: its hyperparameters, channels, metrics and artifact.

Mini-batch optimisation in NumPy, on one machine or on several that each have rows of their own (`machines`). Like the
original it reads rows in their order, so training data must be shuffled before, and it writes the artifact that
`serving` and Amazon SageMaker serve. Unlike the original it trains one model, not several in parallel, and its "auto"
values are its own, because Amazon does not publish theirs. What it does not implement it refuses by name.

Of several machines the first logs the metrics. Those of the train channel, but for the loss of each epoch, are of its
own rows.
"""
