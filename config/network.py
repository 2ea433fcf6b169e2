"""Settings of a network of one's own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.group import Group


class Network(Group):
    """A VPC without a way to the internet, in which jobs, models and the function that predicts run."""

    cidr: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,3}){3}/(1[6-9]|2[0-4])$")] = "10.0.0.0/20"
    """Addresses: every instance of a job or an endpoint takes one."""
    availability_zones: Annotated[int, Field(ge=2, le=6)] = 2
    """More than 2 need project.account and project.region: without them the zones are not known at synthesis."""
