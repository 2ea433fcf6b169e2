"""The model server: SageMaker's container contract over a Linear Learner artifact."""
