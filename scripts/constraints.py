"""Write the exact versions of this environment to constraints.txt, without any address.

Run it with `uv run scripts/constraints.py` after the tests have passed; install the same versions
elsewhere with `uv pip install taut -c constraints.txt`.
"""

import re
from importlib.metadata import distribution, distributions
from pathlib import Path

TARGET = Path(__file__).parents[1] / "constraints.txt"
# A requirement's name, at its start; what stands behind it are bounds and markers.
NAME = re.compile(r"[A-Za-z0-9._-]+")


def required(project: str, seen: set[str]) -> set[str]:
    """Collect the installed distributions a project needs, its own needs first."""
    installed = {normalised(d.metadata["Name"]) for d in distributions()}
    for requirement in distribution(project).requires or []:
        match = NAME.match(requirement)
        name = normalised(match.group()) if match else ""
        if name in installed and name not in seen and "extra ==" not in requirement:
            seen.add(name)
            required(name, seen)
    return seen


def normalised(name: str) -> str:
    """Write a name the way package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Write the file."""
    names = sorted(required("taut", set()))
    lines = [f"{name}=={distribution(name).version}" for name in names]
    TARGET.write_text("# The versions last tested; made by scripts/constraints.py.\n")
    with TARGET.open("a") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{len(lines)} versions written to {TARGET.name}")


if __name__ == "__main__":
    main()
