"""The same with pandas and scikit-learn: read, one-hot encode, shuffle, split, write as NumPy arrays."""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder

with tempfile.TemporaryDirectory(dir=sys.argv[2]) as base:
    started = time.perf_counter()
    table = pd.read_csv(sys.argv[1], header=None, compression="gzip")
    labels = (table.pop(41) != "normal.").to_numpy(np.float32)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    transformer = ColumnTransformer([("symbols", encoder, [1, 2, 3])], remainder="passthrough", sparse_threshold=0)
    features = transformer.fit_transform(table).astype(np.float32, copy=False)
    for part, array in zip(
        ("train", "validation", "train_labels", "validation_labels"),
        train_test_split(features, labels, test_size=0.1, random_state=0),
        strict=True,
    ):
        np.save(Path(base, f"{part}.npy"), array)
    seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "rows": len(labels)}))
