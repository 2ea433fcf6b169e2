"""Code that runs in SageMaker jobs: the dataset's schema, preprocessing, evaluation and a local Linear Learner."""
