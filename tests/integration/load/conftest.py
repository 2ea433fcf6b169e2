"""The load tests drive the scaling tests' endpoint, or what the operations' tests deploy."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operations.conftest import operator
from tests.integration.scaling.conftest import scalable

__all__ = ["operator", "scalable"]

JARS = Path("/usr/share/java")
JMETER = Path("/usr/share/jmeter/bin/ApacheJMeter.jar")
Options = dict[str, Any]
needs_jmeter = pytest.mark.skipif(
    not (JMETER.exists() and shutil.which("javac")),
    reason="needs Debian's jmeter and a JDK: apt-get install jmeter",
)


@pytest.fixture(scope="session")
def jmeter(tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Options of Taurus's JMeter module for Debian's JMeter."""
    folder = tmp_path_factory.mktemp("jmeter")
    source = Path(__file__).parent / "NoTypePermission.java"
    subprocess.run(["javac", "-cp", JARS / "xstream.jar", "-d", folder / "override", source], check=True)
    classes = [folder / "override", JMETER, *sorted(JARS.glob("groovy-all.jar"))]
    launcher = folder / "jmeter"
    opened = "--add-opens java.base/java.lang=ALL-UNNAMED --add-opens java.base/java.util=ALL-UNNAMED"
    launcher.write_text(
        f"#!/bin/sh\nexec java {opened} -cp {':'.join(map(str, classes))} "
        '-Djmeter.home=/usr/share/jmeter org.apache.jmeter.NewDriver "$@"\n'
    )
    launcher.chmod(0o755)
    return {"path": str(launcher), "version": "2.13", "detect-plugins": False, "plugins": [], "force-ctg": False}
