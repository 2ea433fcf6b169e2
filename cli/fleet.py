"""The instances an environment may run at once, by what SageMaker's quotas call them."""

from __future__ import annotations

from collections import Counter

from config.settings import Settings

FLEETS_OF_AN_UPDATE = 2  # blue/green: the new fleet comes up beside the old one


def wanted_instances(settings: Settings) -> Counter[str]:
    """Return how many instances are wanted by quota, such as `ml.m4.xlarge for endpoint usage`."""
    wanted: Counter[str] = Counter()
    for variant in settings.endpoint.variants:
        most = settings.scaling_of(variant).max_capacity
        wanted[f"{variant.instance_type} for endpoint usage"] += FLEETS_OF_AN_UPDATE * most
    if settings.trains:
        training = settings.training
        jobs = training.tuning.max_parallel_jobs if training.tuning else 1
        wanted[f"{training.instance_type} for training job usage"] += training.instance_count * jobs
        sharded = training.preprocess
        processing = {sharded.instance_type: sharded.instance_count}
        evaluate = training.evaluate.instance_type  # after the preprocessing, not beside it
        processing[evaluate] = max(processing.get(evaluate, 0), 1)
        wanted.update({f"{name} for processing job usage": count for name, count in processing.items()})
    if settings.notebook:
        wanted[f"{settings.notebook.instance_type} for notebook instance usage"] += 1
    return wanted
