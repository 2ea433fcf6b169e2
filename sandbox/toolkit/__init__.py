"""What trains inside AWS's framework containers: the user's script, or Amazon's XGBoost algorithm.

Each instance of a training job is one process, `python -m sandbox.toolkit`, which stands in for the container. Only
scikit-learn and XGBoost are here; the libraries are the sandbox's own, whatever version the image names.
"""
