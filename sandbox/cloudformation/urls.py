"""Where moto serves CloudFormation."""

from __future__ import annotations

from sandbox.cloudformation.responses import CloudFormationResponse

url_bases = [r"https?://cloudformation\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/$": CloudFormationResponse.dispatch}
