"""Where moto's server mounts this room; it finds the module beside the backend's by name."""

from moto.apigateway.urls import url_bases, url_paths

__all__ = ["url_bases", "url_paths"]
