"""One `gate check` of many that run at the same time: `python -m tests.support.gates_at_once ORDER`.

ORDER is a JSON object: `root` of the installation, `own` folder, `record` (a path or URL), `reference`, `seed`. It waits a
random while, judges anew (`--reissue`), and prints what was reported to its user: the decision and the attached manifests, or
the code of the error.
"""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

import gate
from gate.errors import GateError
from tests.support.installation import Installation


def main() -> None:
    """Follow the order in the first argument."""
    order = json.loads(sys.argv[1])
    installed = Installation(root=Path(order["root"]), digests={})
    options = installed.options(Path(order["own"]), reissue=True)
    options = replace(options, places=replace(options.places, record=order["record"]))
    time.sleep(random.Random(order["seed"]).random())  # noqa: S311 - a delay by a seed
    try:
        run = gate.check(order["reference"], options)
        manifests = [str(item.manifest) for item in run.attestations]
        told = {"decision": run.verdict.decision.value, "manifests": manifests, "notices": [*run.notices]}
    except GateError as error:
        told = {"error": error.code, "message": str(error)}
    print(json.dumps(told | {"reference": order["reference"]}))  # noqa: T201


if __name__ == "__main__":
    main()
