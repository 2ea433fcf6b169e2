"""The feature flags of cdk.json, for the apps that tests build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FLAGS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "cdk.json").read_text())["context"]
# Validating takes more than half of a synth's time, and the templates of every environment are validated.
UNVALIDATED = {**FLAGS, "@aws-cdk/core:validateAgainstDefaultRules": False}
