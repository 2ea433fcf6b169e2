"""Start AWS's stack as its container does, nginx before gunicorn with gevent; its files go to one directory."""

import collections
import collections.abc
import os
from pathlib import Path

collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined] # sagemaker-containers is of Python 3.6

from sagemaker_containers.beta.framework import server  # noqa: E402

directory = Path(os.environ["BENCH_DIRECTORY"])
socket = f"unix:{directory}/gunicorn.sock"
template = Path(server.nginx_config_template_file).read_text()
template = template.replace("unix:/tmp/gunicorn.sock", socket).replace("/tmp/nginx.pid", f"{directory}/nginx.pid")
(directory / "nginx.conf.template").write_text(template)
server.nginx_config_template_file = str(directory / "nginx.conf.template")
server.nginx_config_file = str(directory / "nginx.conf")
server.UNIX_SOCKET_BIND = socket
server.start("benchmarks.peers.sagemaker_app:app")
