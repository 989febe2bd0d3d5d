"""The command line, `qiangdan`: a thin edge. Each command's module is imported when it is asked for.

Exit status 0 done, 1 failed, 2 wrong usage. What goes wrong is one sentence on stderr with the way out;
`--debug` shows where it came from.
"""

import importlib
import os
import sys
import traceback
from importlib.metadata import version
from typing import Any, Never

import click

from dispatch.operator_errors import OperatorError
from dispatch.store.embedded.launch import tie_to_parent

COMMANDS = {
    "serve": "dispatch.cli.serve:serve",
    "demo": "dispatch.cli.demo:demo",
    "demo-city": "dispatch.cli.demo:demo_city",
    "engine": "dispatch.cli.serve:engine",
    "planner": "dispatch.cli.serve:planner",
    "clocks": "dispatch.cli.serve:clocks",
    "migrate": "dispatch.cli.database:migrate",
    "token": "dispatch.cli.database:token",
    "city": "dispatch.cli.database:city",
    "doctor": "dispatch.cli.doctor:doctor",
    "zones": "dispatch.cli.files:zones",
    "reports": "dispatch.cli.files:reports",
    "crew": "dispatch.cli.crew:crew",
    "simulate": "dispatch.cli.simulate:simulate",
    "replay": "dispatch.cli.replay:replay",
    "plan": "dispatch.cli.plan:plan",
    "bench": "dispatch.cli.bench:bench",
}
"""Every command, in the order of `qiangdan --help`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when asked for, so that `qiangdan token` does not wait for the web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("qiangdan"), prog_name="qiangdan")
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.option("--end-with", type=int, hidden=True, help="End (SIGTERM) when this parent process does.")
@click.option("--process-name", default="qiangdan", hidden=True, help="The process's name in its logs.")
@click.pass_context
def group(ctx: click.Context, debug: bool, end_with: int | None, process_name: str) -> None:
    """Real-time dispatch of heating repair crews: technicians grab orders, what nobody grabs in time is assigned."""
    import signal

    ctx.obj = {"debug": debug, "process_name": process_name}
    if end_with is not None:
        tie_to_parent(end_with, signal.SIGTERM)


def main(arguments: list[str] | None = None) -> Never:
    """Run the command line and end the process with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        status = group.main(arguments, prog_name="qiangdan", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(status if isinstance(status, int) else 0)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        sys.exit(_tell(error))


def _tell(error: Exception) -> int:
    """Say what went wrong in one sentence and return the exit status."""
    status = 1
    if isinstance(error, click.ClickException):
        sentence, status = error.format_message(), error.exit_code
        if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the whole help
            sentence = "Missing command."
        if isinstance(error, click.UsageError) and error.ctx is not None:
            sentence = f"{sentence.rstrip('.')}: see '{error.ctx.command_path} --help'."
    elif isinstance(error, OperatorError):
        sentence, status = str(error), error.exit_code
    else:
        sentence = _detail(error) or (
            f"Something went wrong that nobody foresaw ({type(error).__name__}: {error}): "
            "run 'qiangdan --debug ...' to see where."
        )
    click.echo(" ".join(sentence.split()), err=True)
    return status


def _detail(error: Any) -> str | None:
    """Return the sentence of an error of the engine (`dispatch.errors`), None for any other."""
    from dispatch.errors import DispatchError

    return str(error.detail) if isinstance(error, DispatchError) else None
