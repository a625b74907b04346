"""The version of the gate, as it stands in verdicts, reports and requests to registries."""

from typing import Final

VERSION: Final = "0.1.0"
