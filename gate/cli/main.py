"""The command `gate`: its commands by name, and the outermost edge, where every error becomes one line and an exit code.

No decision is made here. The exit code of an error is that of its reason (DESIGN, section 3); what the gate did not raise on
purpose is a defect of the gate, `INTERNAL`, and never a pass.
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click
from click.exceptions import NoArgsIsHelpError

from gate.cli.commands import UnknownCommandError
from gate.cli.environment_names import from_environment
from gate.cli.lazy import LazyGroup
from gate.cli.messages import say, say_error, say_variables
from gate.cli.session import Session
from gate.errors import GateError, InternalError, UsageError
from gate.model.version import VERSION
from gate.report.codes import exit_code_of

# What shells give a program that was interrupted: 128 and the number of the signal. Not one of the gate's own codes.
INTERRUPTED: Final = 130
_OBJECTS_BETWEEN_COLLECTIONS: Final = 20_000
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "check": ("gate.cli.check:check", "Judge images under a policy, and attest the verdict."),
    "verify": ("gate.cli.verify:verify", "Demand a valid passing verdict before a deployment."),
    "serve": ("gate.cli.serve:serve", "Answer a cluster's admission requests from attestations, failing closed."),
    "resolve": ("gate.cli.resolve:resolve", "Print the digest that a tag names now."),
    "refs": ("gate.cli.refs:refs", "Find references to images and other code; refuse those that can move."),
    "attest": ("gate.cli.attest:attest", "Show, sign and prune what is attached to a digest."),
    "sign": ("gate.cli.sign:sign", "Sign an image digest the way Cosign does."),
    "verify-bundle": (
        "gate.cli.verify_bundle:verify_bundle_command",
        "Verify any Sigstore bundle over a file or a digest, offline.",
    ),
    "secrets": ("gate.cli.secrets:secrets", "Search for plaintext secrets, without a policy."),
    "keys": ("gate.cli.keys:keys", "Make keys that sign."),
    "trust": ("gate.cli.trust:trust", "Show, update and import the roots that keyless signatures are checked with."),
    "policy": ("gate.cli.policy:policy", "Write, check and pin policies."),
    "requirement": ("gate.cli.requirement:requirement", "Write, check and explain what a deploy stage demands."),
    "tools": ("gate.cli.tools:tools", "Install, list and verify the pinned scanners."),
    "db": ("gate.cli.db:db", "Keep the scanners' databases."),
    "cache": ("gate.cli.cache:cache", "List and prune the local store of blobs."),
    "record": ("gate.cli.record:record_group", "Make, check and repair the record of all verdicts."),
    "audit": ("gate.cli.audit:audit", "Ask the record of all verdicts, and prove that it was not altered."),
    "explain": ("gate.cli.explain:explain", "Say what a reason code means and what to do."),
    "doctor": ("gate.cli.doctor:doctor", "Prove that everything that a check needs works."),
    "completion": ("gate.cli.completion:completion", "Print the completion script of a shell."),
    "version": ("gate.cli.version:version", "Print the version."),
}


class Gate(LazyGroup):
    """The root of all commands. Its `main` is the outermost edge, for the console and for tests alike."""

    homes = COMMANDS

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,  # noqa: ANN401  as click has it
    ) -> Any:  # noqa: ANN401
        """Run a command; in standalone mode the interpreter ends with its exit code."""
        del prog_name  # whatever wrapper or link it was called by: in every message it is called gate
        session = Session()
        extra.setdefault("obj", session)

        def run() -> object:
            edge = {"standalone_mode": False, "windows_expand_args": windows_expand_args}
            return super(Gate, self).main(args, "gate", complete_var, **edge, **extra)

        if not standalone_mode:
            return run()
        sys.exit(_exit_code(run, session))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. A broken pipe that gets here is a defect: click would end with 1, which means refused."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise InternalError("a pipe was closed on the other side") from error


def _exit_code(run: Callable[[], object], session: Session) -> int:
    """Run, and turn whatever happens into lines on standard error and an exit code."""
    try:
        result = run()
    except click.Abort:
        say("gate: interrupted")
        return INTERRUPTED
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        session.variables = session.variables or from_environment(context)
        return _ended(_usage(error), session)
    except GateError as error:
        return _ended(error, session)
    except Exception as error:  # noqa: BLE001 - the outermost edge: nothing may end as a pass or a traceback
        defect = InternalError(f"{type(error).__name__} where none was expected", seen=str(error)[:300])
        defect.__cause__ = error
        return _ended(defect, session)
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "gate"
    meant = error.suggestion if isinstance(error, UnknownCommandError) else ""
    step = f"Did you mean `{meant}`? `{command} --help` lists the commands." if meant else f"See `{command} --help`."
    usage = UsageError(error.format_message(), next_step=step)
    usage.__cause__ = error.__cause__
    return usage


def _ended(error: GateError, session: Session) -> int:
    say_error(error)
    say_variables(session.variables, exit_code_of(error))
    if session.debug:
        for line in "".join(traceback.format_exception(error)).splitlines():
            say(line)
    return exit_code_of(error)


@click.group(
    cls=Gate,
    context_settings={"max_content_width": 100},
    epilog="Exit codes: 0 passed, 1 refused, 2 invalid request, 3 could not be judged, 4 internal error.",
)
@click.version_option(VERSION, prog_name="gate", message="%(prog)s %(version)s", help="Show the version and exit.")
def cli() -> None:
    """Decide whether a container image may move on, and prove it."""


def main() -> None:
    """Run the command line; the entry point of the console script."""
    # Loading modules makes objects by the ten thousand, none of them garbage; looking for some every 700 takes a twentieth
    # of a short command's time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        cli.main()
    finally:
        # An interpreter that ends takes apart all that was loaded, object by object: a tenth of a short command's time for
        # memory that the system takes back at once.
        gc.freeze()


if __name__ == "__main__":
    main()
