"""Import the handler of one Lambda function, as Lambda's runtime does before the first event."""

import importlib
import json
import os
import sys
import time
from pathlib import Path

root = Path(__file__).parents[2]
sys.path.insert(0, str(root / "lambda"))
os.environ.setdefault("AWS_REGION", "us-east-1")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
started = time.perf_counter()
if sys.argv[1]:
    importlib.import_module(f"{sys.argv[1]}.handler")
print(json.dumps({"seconds": time.perf_counter() - started}))
