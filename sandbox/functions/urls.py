"""Lambda's API as moto has it, with one action corrected."""

from __future__ import annotations

from typing import Any

from moto.awslambda import urls
from moto.awslambda.responses import LambdaResponse


class FunctionsResponse(LambdaResponse):
    """Lambda's actions."""

    def invoke(self) -> Any:
        """Invoke; moto looks for the version under a name no client sends."""
        if "Qualifier" in self.querystring:
            self.querystring["qualifier"] = self.querystring["Qualifier"]
        return super().invoke()


url_bases = urls.url_bases
url_paths = dict.fromkeys(urls.url_paths, FunctionsResponse.dispatch)
