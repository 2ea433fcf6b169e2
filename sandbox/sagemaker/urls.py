"""Where moto's server mounts this room; it finds the module beside the backend's by name."""

from sandbox.sagemaker.responses import SageMakerResponse

url_bases = [r"https?://api\.sagemaker\.(.+)\.amazonaws.com"]
url_paths = {"{0}/$": SageMakerResponse.dispatch}
