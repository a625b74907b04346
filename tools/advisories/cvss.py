"""The base score of a CVSS 3.0 or 3.1 vector, so that the words of curated advisories are computed and not typed.

Specification: https://www.first.org/cvss/v3.1/specification-document, sections 5, 7.1, 7.4 and appendix A.
"""

from __future__ import annotations

from typing import Final

from tools.advisories.model import Word

_WEIGHTS: Final = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES: Final = {False: {"N": 0.85, "L": 0.62, "H": 0.27}, True: {"N": 0.85, "L": 0.68, "H": 0.5}}
_BASE_METRICS: Final = {"AV", "AC", "PR", "UI", "S", "C", "I", "A"}


def base_score(vector: str) -> float:
    """Return the base score, 0.0 to 10.0. Raises `ValueError` for anything but the eight base metrics of version 3."""
    version, *parts = vector.split("/")
    metrics = dict(part.split(":", 1) for part in parts)
    if version not in {"CVSS:3.0", "CVSS:3.1"} or set(metrics) != _BASE_METRICS or len(parts) != len(metrics):
        raise ValueError(f"not a CVSS 3 base vector: {vector}")
    changed = metrics["S"] == "C"
    weight = {name: values[metrics[name]] for name, values in _WEIGHTS.items()}
    loss = 1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    impact = 7.52 * (loss - 0.029) - 3.25 * (loss - 0.02) ** 15 if changed else 6.42 * loss
    exploitability = 8.22 * weight["AV"] * weight["AC"] * _PRIVILEGES[changed][metrics["PR"]] * weight["UI"]
    if impact <= 0:
        return 0.0
    return _round_up(min((1.08 if changed else 1.0) * (impact + exploitability), 10.0))


def severity_word(score: float) -> Word:
    """Return the word of a score (section 5). Raises `ValueError` for 0.0, which none of our advisories has."""
    for least, word in ((9.0, Word.CRITICAL), (7.0, Word.HIGH), (4.0, Word.MEDIUM), (0.1, Word.LOW)):
        if score >= least:
            return word
    raise ValueError("a score of 0.0 has no word here")


def _round_up(value: float) -> float:
    # Appendix A: the smallest number of one decimal that is not less, without errors of floating point.
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
