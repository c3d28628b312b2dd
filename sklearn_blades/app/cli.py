"""The command `blades`: its words and options; what they do is imported when it is done."""

import gc
import sys
import warnings

import typer

from .commands import exporting, judging, learning, scanning, telling
from .commands.saying import one_line, said

app = typer.Typer(
    name="blades",
    help="Find AI-generated faces after learning from photographs alone.",
    epilog="Example: blades fit photos/ -o my.blades && blades scan uploads/ -m my.blades",
    no_args_is_help=True,
    rich_markup_mode=None,  # boxes take twice the lines
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    learning.fit,
    scanning.scan,
    learning.calibrate,
    exporting.export,
    judging.evaluate,
    judging.audit,
    telling.report,
    telling.info,
    telling.checks,
    scanning.demo,
):
    app.command()(command)


def main(args: list[str] | None = None) -> None:
    """Run the command; ends with 0 (done), 1 (some files are unreadable) or 2 (an error).

    Parameters
    ----------
    args : list of str, default=None
        None: those of the process.
    """
    # Imports make a million objects that stay: looking through them time and again is a tenth of
    # the start of a command.
    gc.set_threshold(50_000, 20, 100)
    warnings.showwarning = lambda message, *where, **more: said(f"note: {one_line(message)}")
    try:
        app(args=args, prog_name="blades")
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        said(f"blades: {one_line(error) or type(error).__name__}")
        sys.exit(2)
