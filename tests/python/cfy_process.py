"""Runs commands of `cfy` one after another, for `cfy.py`; the interpreter is that of the command line.

Starting Python and reading its modules takes ten times as long as a command. Here they are read once, and
each command is a copy of this process: it begins as a new one would, and what it leaves in memory goes with
it. A request is a line of JSON with the arguments, the folder and the files to print to; the answer is the
exit status.
"""

import importlib
import json
import os
import pkgutil
import sys


def run(request, make):
    """The command itself, in the copy."""
    os.chdir(request["folder"])
    for number, name in ((0, os.devnull), (1, request["printed"]), (2, request["told"])):
        file = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
    from cloudify_cli import env

    # Another profile may be in use than when this process began.
    env.profile = env.get_profile_context(suppress_error=True)
    sys.argv = ["cfy", *request["arguments"]]
    try:
        make()()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def main():
    from cloudify_cli import commands, main as command_line

    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"cloudify_cli.commands.{module.name}")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = run(json.loads(line), command_line._make_cfy)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
