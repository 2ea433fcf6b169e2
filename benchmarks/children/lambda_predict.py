"""The predict handler's own time for one record: a thousand events, an endpoint that answers at once.

Of each event the fastest of ten goes counts (as timeit's documentation advises: the rest is what else the machine
did), and of all events the median.
"""

import importlib
import json
import math
import os
import statistics
import time

from benchmarks import kdd99

os.environ |= {"ENDPOINT_NAME": "bench", "AWS_REGION": "us-east-1"}
os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
predict = importlib.import_module("lambda.predict.handler")
ANSWER = json.dumps({"predictions": [{"score": 0.25, "predicted_label": 0}]}).encode()
predict.Endpoint.invoke = lambda _self, _rows: (200, ANSWER)
headers = {"Content-Type": "application/json"}
events = [{"headers": headers, "body": json.dumps(record)} for record in kdd99.records(1000)]
seconds = [math.inf] * len(events)
for _ in range(10):
    for index, event in enumerate(events):
        started = time.perf_counter()
        answer = predict.handler(event, None)
        seconds[index] = min(seconds[index], time.perf_counter() - started)
        assert answer["statusCode"] == 200, answer
print(json.dumps({"seconds": statistics.median(seconds)}))
