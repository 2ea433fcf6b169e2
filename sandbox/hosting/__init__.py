"""Model servers for what AWS's framework containers host: a script with model_fn and friends, or their defaults.

Each instance is one process, `python -m sandbox.hosting`, which stands in for the container. Only scikit-learn and
XGBoost are here; the libraries are the sandbox's own, whatever version the image names.
"""
