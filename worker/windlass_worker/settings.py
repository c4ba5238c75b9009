"""What a worker is told: options, else environment variables, else a configuration file."""

import argparse
import dataclasses
import os
import socket
import sys
import tomllib
from urllib.parse import urlsplit

from . import __version__

ABOUT = """\
Runs operations of plugins for a Windlass.

A worker asks the control plane for operations that wait on its queues, runs each in a process of its own as
Cloudify's agents did, and tells what came of it. It needs no open port: all connections go out.

  windlass-worker --url https://windlass.example.com --token-file /etc/windlass/worker.token

The token is one of a user who may lease operations: an administrator, or one with the role `worker` in the
tenant. Make one with `cfy tokens create` or `POST /api/v3.1/tokens`."""

MORE = """\
Every option can also be an environment variable, --stop-grace as WINDLASS_WORKER_STOP_GRACE, or a line of the
configuration file, which is TOML: `stop_grace = 60`, `queues = ["central_deployment_agent", "host_a1b2c3"]`.
Options go before variables, variables before the file.

The first SIGTERM or Ctrl-C stops the worker in order: it takes nothing more, waits for what runs, and gives back
what does not end in time. A second one does not wait.

Ends with 0 when it was stopped, 2 when something it was told cannot be, 3 when the control plane does not let it in."""


class Unusable(Exception):
    """A setting that cannot be used; the text says which and why."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a worker is told. Times are in seconds."""

    url: str
    token: str
    tenant: str
    queues: tuple[str, ...]
    name: str
    concurrency: int
    lease_seconds: int
    operation_timeout: int
    stop_grace: int
    ca_file: str
    work_dir: str
    log_level: str
    shell_steps: bool = False
    workflows: int = 4

    @property
    def protocol(self):
        """`http` or `https`."""
        return urlsplit(self.url).scheme

    @property
    def host(self):
        """The name or address of the control plane."""
        return urlsplit(self.url).hostname

    @property
    def port(self):
        """Its port, also where the URL leaves it out."""
        return urlsplit(self.url).port or (443 if self.protocol == "https" else 80)


def parser():
    """The command line, with all that `--help` says."""
    command = argparse.ArgumentParser(
        "windlass-worker", description=ABOUT, epilog=MORE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = command.add_argument
    add("--url", metavar="URL", help="where the control plane answers, such as http://127.0.0.1:3000")
    add("--token", metavar="TOKEN", help="the token to log in with; better from a file, which `ps` does not show")
    add("--token-file", metavar="FILE", help="a file that holds the token")
    add("--tenant", metavar="NAME", help="the tenant whose operations to run (default_tenant)")
    add("--queue", metavar="NAME", action="append", dest="queues",
        help="a queue to take operations from, central_deployment_agent without it; may be repeated")
    add("--name", metavar="NAME", help="what the worker is called in `GET /agents` and in events (this machine's name)")
    add("--concurrency", metavar="N", help="how many operations run at once at most (4)")
    add("--workflows", metavar="N",
        help="how many workflows of plugins run at once at most, beside operations; 0 is none (4)")
    add("--shell-steps", action="store_true", default=None,
        help="also run shell steps of pipelines: whoever may write such pipelines runs commands here then")
    add("--lease-seconds", metavar="S", help="how long one may be silent before it is given to another worker, 10 to 600 (60)")
    add("--operation-timeout", metavar="S", help="how long an operation may take that says nothing else; 0 is for ever (0)")
    add("--stop-grace", metavar="S", help="how long to wait for what runs when the worker is stopped (30)")
    add("--ca-file", metavar="FILE", help="certificates to trust, PEM, instead of the system's")
    add("--work-dir", metavar="DIR", help="where plugins are installed and operations run (~/.windlass-worker)")
    add("--log-level", metavar="LEVEL", help="debug, info, warning or error (info)")
    add("--config", metavar="FILE", help="a configuration file")
    add("--version", action="version", version=f"windlass-worker {__version__}")
    return command


DEFAULTS = {
    "url": "", "token": "", "token_file": "", "tenant": "default_tenant", "queues": ["central_deployment_agent"],
    "name": "", "concurrency": 4, "lease_seconds": 60, "operation_timeout": 0, "stop_grace": 30, "ca_file": "",
    "work_dir": "~/.windlass-worker", "log_level": "info", "shell_steps": False, "workflows": 4,
}


def read(arguments=None, environment=os.environ):
    """The settings from the command line, the environment and the file. Raises `Unusable`."""
    options = vars(parser().parse_args(arguments))
    file = options.pop("config") or environment.get("WINDLASS_WORKER_CONFIG")
    values = {**DEFAULTS, **(_from_file(file) if file else {})}
    for name in DEFAULTS:
        variable = "WINDLASS_WORKER_" + name.upper()
        if environment.get(variable):
            text = environment[variable]
            values[name] = text.split(",") if name == "queues" else text
        if options[name] is not None:
            values[name] = options[name]
    return _checked(values)


def _from_file(path):
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise Unusable(f"the configuration file {path} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise Unusable(f"the configuration file {path} is no TOML: {error}") from None
    for name in values:
        if name not in DEFAULTS:
            raise Unusable(f"{path}: there is no setting `{name}`; there are {', '.join(DEFAULTS)}")
    return values


def _checked(values):
    url = str(values["url"]).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        raise Unusable(f"--url must be like https://windlass.example.com, not `{url}`" if url else "--url is missing")
    queues = values["queues"]
    if not isinstance(queues, list) or not queues or not all(isinstance(name, str) and name for name in queues):
        raise Unusable("--queue must name a queue")
    level = str(values["log_level"]).lower()
    if level not in ("debug", "info", "warning", "error"):
        raise Unusable(f"--log-level must be debug, info, warning or error, not `{level}`")
    ca_file = str(values["ca_file"])
    if ca_file and not os.path.isfile(ca_file):
        raise Unusable(f"--ca-file: there is no file {ca_file}")
    return Settings(
        url=url, token=_token(values), tenant=str(values["tenant"]), queues=tuple(queues),
        name=str(values["name"]) or socket.gethostname(),
        concurrency=_number(values, "concurrency", 1, 100),
        lease_seconds=_number(values, "lease_seconds", 10, 600),
        operation_timeout=_number(values, "operation_timeout", 0, 10_000_000),
        stop_grace=_number(values, "stop_grace", 0, 86_400),
        ca_file=os.path.abspath(ca_file) if ca_file else "",
        work_dir=os.path.abspath(os.path.expanduser(str(values["work_dir"]))), log_level=level,
        shell_steps=_flag(values, "shell_steps"), workflows=_number(values, "workflows", 0, 100),
    )


def _token(values):
    if values["token"]:
        return str(values["token"])
    path = values["token_file"]
    if not path:
        raise Unusable("--token-file is missing: the worker logs in with a token")
    try:
        with open(path) as file:
            token = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"--token-file {path} cannot be read: {error}") from None
    if not token:
        raise Unusable(f"--token-file {path} is empty")
    return token


def _flag(values, name):
    value = values[name]
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in known:
        raise Unusable(f"--{name.replace('_', '-')} is true or false, not `{value}`")
    return known[str(value).lower()]


def _number(values, name, least, most):
    option = "--" + name.replace("_", "-")
    try:
        number = int(values[name])
    except (TypeError, ValueError):
        raise Unusable(f"{option} must be a whole number, not `{values[name]}`") from None
    if not least <= number <= most:
        raise Unusable(f"{option} must be from {least} to {most}, not {number}")
    return number


def read_or_exit(arguments=None):
    """The same for a program: what is wrong goes to standard error, and the program ends with 2."""
    try:
        return read(arguments)
    except Unusable as problem:
        print(f"windlass-worker: {problem} (see windlass-worker --help)", file=sys.stderr)
        raise SystemExit(2) from None
