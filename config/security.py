"""Settings of encryption, isolation and how long logs are kept."""

from __future__ import annotations

from typing import Literal

from config.group import Group

Days = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]


class Security(Group):
    """How what is stored is protected."""

    kms: bool = True
    """One customer-managed key, rotated every year, for bucket, logs, topics, and the volumes and outputs of SageMaker;
    otherwise AWS's own keys."""
    network_isolation: bool = True
    """Containers of jobs and models have no network, except that those of one job reach each other."""
    log_retention_days: Days = 90
    """How long every log group of the stacks is kept; CloudWatch Logs knows these numbers."""
