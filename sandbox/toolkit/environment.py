"""What SageMaker tells a training container, and how AWS's training toolkit tells the script: the ``SM_*`` variables.

References
----------
aws/sagemaker-training-toolkit, ENVIRONMENT_VARIABLES.md and mapping.py
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWN = "sagemaker_"  # hyperparameters that are meant for the container itself
FORCED = "_tuning_objective_metric"  # added by tuning jobs


class UserError(Exception):
    """What the user can mend; the text becomes the job's FailureReason."""


@dataclass(frozen=True, kw_only=True)
class TrainingEnvironment:
    """One instance of a training job.

    Parameters
    ----------
    base : Path
        What stands in for ``/opt/ml``.
    hyperparameters : dict
        As they came: strings.
    channels : dict
        What inputdataconfig.json says of each.
    resources : dict
        resourceconfig.json.
    """

    base: Path
    hyperparameters: dict[str, str]
    channels: dict[str, Any]
    resources: dict[str, Any]

    @classmethod
    def read(cls) -> TrainingEnvironment:
        """Return the environment this process runs in."""
        base = Path(os.environ["SAGEMAKER_BASE_DIR"])
        config = base / "input" / "config"
        names = ("hyperparameters", "inputdataconfig", "resourceconfig")
        hyperparameters, channels, resources = (json.loads((config / f"{name}.json").read_text()) for name in names)
        return cls(base=base, hyperparameters=hyperparameters, channels=channels, resources=resources)

    @property
    def decoded(self) -> dict[str, Any]:
        """The hyperparameters as the toolkit reads them: JSON where they are, else text."""
        return {name: _decoded(value) for name, value in self.hyperparameters.items()}

    @property
    def program(self) -> str | None:
        """The script to run, if one is to be run."""
        return self.decoded.get("sagemaker_program")

    @property
    def users(self) -> dict[str, Any]:
        """The hyperparameters that are meant for the script."""
        return {name: value for name, value in self.decoded.items() if not name.startswith(OWN) and name != FORCED}

    @property
    def hosts(self) -> list[str]:
        """The machines of the job."""
        return list(self.resources["hosts"])

    @property
    def host(self) -> str:
        """The name of this machine."""
        return str(self.resources["current_host"])

    @property
    def model_dir(self) -> Path:
        """Where the model goes."""
        return self.base / "model"

    def channel(self, name: str) -> Path:
        """Return the directory of a channel."""
        return self.base / "input" / "data" / name

    def write_failure(self, reason: str) -> None:
        """Leave the reason of a failure where SageMaker looks for it."""
        directory = self.base / "output"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "failure").write_text(reason)

    def arguments(self) -> list[str]:
        """Return the script's command line: ``--name value`` of every hyperparameter, ``-n value`` of a letter."""
        dashed = ((f"--{name}" if len(name) > 1 else f"-{name}", value) for name, value in sorted(self.users.items()))
        return [part for name, value in dashed for part in (name, str(value))]

    def variables(self, module_dir: str) -> dict[str, str]:
        """Return the ``SM_*`` variables.

        Parameters
        ----------
        module_dir : str
            Where the source came from.
        """
        values: dict[str, Any] = {
            "CHANNELS": sorted(self.channels),
            "CURRENT_HOST": self.host,
            "CURRENT_INSTANCE_TYPE": self.resources["current_instance_type"],
            "HOSTS": self.hosts,
            "HPS": self.users,
            "INPUT_CONFIG_DIR": str(self.base / "input" / "config"),
            "INPUT_DATA_CONFIG": self.channels,
            "INPUT_DIR": str(self.base / "input"),
            "LOG_LEVEL": self.decoded.get("sagemaker_container_log_level", 20),
            "MODEL_DIR": str(self.model_dir),
            "MODULE_DIR": module_dir,
            "MODULE_NAME": str(self.program).removesuffix(".py"),
            "NETWORK_INTERFACE_NAME": self.resources["network_interface_name"],
            "NUM_CPUS": os.cpu_count() or 1,
            "NUM_GPUS": 0,
            "OUTPUT_DATA_DIR": str(self.base / "output" / "data"),
            "OUTPUT_DIR": str(self.base / "output"),
            "RESOURCE_CONFIG": self.resources,
            "USER_ARGS": self.arguments(),
            "USER_ENTRY_POINT": self.program,
        }
        values |= {f"CHANNEL_{name.upper()}": str(self.channel(name)) for name in self.channels}
        values |= {f"HP_{name.upper()}": value for name, value in self.users.items()}
        return {f"SM_{name}": _text(value) for name, value in values.items()}


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
