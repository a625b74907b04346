"""One step of a CI job: run the gate on images or paths, and hand its answers to the platform.

Inputs come from the environment alone and reach the gate as files or as `--option=value`, so that nothing in them is read as an
option or by a shell. What is written to the platform's files are enumerated values: a decision, digests, reason codes.

    GATE_STEP_COMMAND      check (default), verify, refs or secrets
    GATE_STEP_IMAGES       references, one a line; or GATE_STEP_IMAGES_FILE
    GATE_STEP_PATHS        for refs and secrets: paths of the repository, one a line (default: .)
    GATE_STEP_POLICY, GATE_STEP_REQUIREMENT, GATE_STEP_ENVIRONMENT (one a line), GATE_STEP_NAMED_AT, GATE_STEP_ATTACH_TO
    GATE_STEP_KEY          what signs verdicts: PEM text, a key URI, or sigstore:[NAME]; GATE_STEP_VERIFY_KEY for verify
    GATE_STEP_REPORTS      the folder that reports are written to (default: gate-reports)

Ends with the gate's own exit code.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

COMMANDS = ("check", "verify", "refs", "secrets")
# The most that GitHub takes as a summary of one step.
MOST_SUMMARY_BYTES = 1024 * 1024
_PEM = "-----BEGIN "
_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,60}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_DECISIONS = {0: "passed", 1: "refused"}


class StepError(Exception):
    """The step was set up wrongly; the text says how."""


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run the step and return the exit code."""
    try:
        command = environ.get("GATE_STEP_COMMAND") or "check"
        if command not in COMMANDS:
            raise StepError(f"command: expected one of {', '.join(COMMANDS)}")
        reports = Path(environ.get("GATE_STEP_REPORTS") or "gate-reports")
        reports.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="gate-step-", dir=environ.get("RUNNER_TEMP") or None) as private:
            words = [
                *_program(environ),
                *_arguments(command, environ, Path(private)),
                *_outputs(command, environ, reports),
            ]
            code = subprocess.run(words, env=_environment(environ), check=False).returncode
        _hand_over(environ, reports, code)
    except (StepError, OSError) as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2 if isinstance(error, StepError) else 3
    return code


def _program(environ: Mapping[str, str]) -> list[str]:
    home = environ.get("GATE_HOME") or (f"{environ['RUNNER_TEMP']}/gate" if environ.get("RUNNER_TEMP") else "")
    python = f"{home}/venv/bin/python" if home else sys.executable
    # -P: no module of the checked repository takes the place of the gate's.
    return [python if Path(python).exists() else sys.executable, "-P", "-m", "gate"]


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the step's own inputs: what the gate reads, it gets as options."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GATE_STEP_")}
    if environ.get("GATE_STEP_KEY_PASSWORD"):
        kept["GATE_KEY_PASSWORD"] = environ["GATE_STEP_KEY_PASSWORD"]
    return kept


def _arguments(command: str, environ: Mapping[str, str], private: Path) -> list[str]:
    match command:
        case "check":
            return ["check", *_images(environ, private), *_check_options(environ, private)]
        case "verify":
            return ["verify", *_images(environ, private), *_verify_options(environ, private)]
        case "refs":
            return ["refs", *_option(environ, "POLICY"), "--", *_paths(environ)]
        case _:
            return ["secrets", "scan", "--", *_one_path(environ)]


def _check_options(environ: Mapping[str, str], private: Path) -> Iterator[str]:
    yield from _option(environ, "POLICY")
    yield from _option(environ, "ATTACH_TO")
    yield from (f"--environment={line}" for line in _lines(environ.get("GATE_STEP_ENVIRONMENT", "")))
    for name in ("KEY", "FAIL_KEY"):
        key = environ.get(f"GATE_STEP_{name}", "")
        if key:
            yield f"--{name.lower().replace('_', '-')}={_key(key, private, name.lower())}"
    yield from _option(environ, "UNSIGNED_VERDICT")


def _verify_options(environ: Mapping[str, str], private: Path) -> Iterator[str]:
    yield from _option(environ, "REQUIREMENT")
    yield from _option(environ, "POLICY")
    yield from _option(environ, "ENVIRONMENT")
    key = environ.get("GATE_STEP_VERIFY_KEY", "")
    if key:
        yield f"--key={_key(key, private, 'verify-key')}"


def _option(environ: Mapping[str, str], name: str) -> Iterator[str]:
    value = environ.get(f"GATE_STEP_{name}", "").strip()
    if value:
        yield f"--{name.lower().replace('_', '-')}={value}"


def _images(environ: Mapping[str, str], private: Path) -> Iterator[str]:
    listed = environ.get("GATE_STEP_IMAGES_FILE", "").strip()
    given = _lines(environ.get("GATE_STEP_IMAGES", ""))
    if bool(listed) == bool(given):
        raise StepError("images: expected references, one a line, or images-file, and not both")
    if given:
        file = private / "images.txt"
        file.write_text("".join(f"{line}\n" for line in given), encoding="utf-8")
        listed = str(file)
    yield f"--images={listed}"
    yield from _option(environ, "NAMED_AT")


def _paths(environ: Mapping[str, str]) -> list[str]:
    return _lines(environ.get("GATE_STEP_PATHS", "")) or ["."]


def _one_path(environ: Mapping[str, str]) -> list[str]:
    paths = _paths(environ)
    if len(paths) != 1:
        raise StepError("paths: expected one path for secrets")
    return paths


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _key(key: str, private: Path, name: str) -> str:
    """Return what names the key: key text is written to a file that only this user reads and that goes with the step."""
    if not key.lstrip().startswith(_PEM):
        return key.strip()
    file = private / f"{name}.pem"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(key if key.endswith("\n") else f"{key}\n")
    return str(file)


def _outputs(command: str, environ: Mapping[str, str], reports: Path) -> Iterator[str]:
    if command in {"refs", "secrets"}:
        yield f"--output=json={reports / 'gate.json'}"
        yield f"--output=markdown={reports / 'summary.md'}"
        yield "--format=table"
        return
    files = {"json": "gate.json", "sarif": "gate.sarif", "junit": "gate.junit.xml", "markdown": "summary.md"}
    if environ.get("GITLAB_CI"):
        files |= {"gitlab": "gl-container-scanning-report.json", "codequality": "gl-code-quality-report.json"}
    yield from (f"--output={form}={reports / file}" for form, file in files.items())
    yield f"--format={'github' if environ.get('GITHUB_ACTIONS') else 'table'}"


def _hand_over(environ: Mapping[str, str], reports: Path, code: int) -> None:
    """Write what later steps and people read: outputs, and the summary where there is a place for it."""
    summary = reports / "summary.md"
    place = environ.get("GITHUB_STEP_SUMMARY")
    if place and summary.is_file():
        text = summary.read_bytes()
        if len(text) <= MOST_SUMMARY_BYTES:
            with Path(place).open("ab") as stream:
                stream.write(text)
    outputs = _values(reports / "gate.json", code)
    if environ.get("GITHUB_OUTPUT"):
        with Path(environ["GITHUB_OUTPUT"]).open("a", encoding="ascii") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in outputs.items())
    dotenv = "".join(f"GATE_{name.upper().replace('-', '_')}={value}\n" for name, value in outputs.items())
    (reports / "gate.env").write_text(dotenv, encoding="ascii")


def _values(report: Path, code: int) -> dict[str, str]:
    """Return the outputs: values of fixed forms only, whatever the report holds (attack O03)."""
    images = _read(report)
    checks = [check for image in images for check in _list(image, "checks")]
    codes = [text for check in checks if check.get("outcome") in {"fail", "error"} for text in _list(check, "codes")]
    codes += [image["error"].get("code") for image in images if isinstance(image.get("error"), dict)]
    attested = [item.get("manifest") for image in images for item in _list(image, "attestations")]
    return {
        "verdict": _DECISIONS.get(code, "error"),
        "exit-code": str(code),
        "digest": ",".join(_fitting(_DIGEST, [image.get("digest") for image in images])),
        "attestation": ",".join(_fitting(_DIGEST, attested)),
        "reasons": ",".join(sorted(set(_fitting(_CODE, codes)))),
    }


def _read(report: Path) -> list[dict[str, Any]]:
    try:
        images = json.loads(report.read_text(encoding="utf-8")).get("images", [])
    except (OSError, ValueError):
        return []
    return [image for image in images if isinstance(image, dict)]


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _fitting(pattern: re.Pattern[str], values: Sequence[object]) -> list[str]:
    return [value for value in values if isinstance(value, str) and pattern.fullmatch(value)]


if __name__ == "__main__":
    sys.exit(main())
