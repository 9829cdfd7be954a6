"""The command line of the benchmarks: ``python -m benchmarks [COMMAND] …``.

Without a command, taut is timed against `pm.fit`.
"""

import sys
from importlib import import_module

# Imported when asked for: some need the dependency group `bench`.
_COMMANDS = {
    "pm-fit": "benchmarks.pm_fit",
    "run": "benchmarks.proving.run_command",
    "odd": "benchmarks.proving.odd_command",
    "chains": "benchmarks.proving.chains_command",
    "report": "benchmarks.proving.report_command",
    "compare": "benchmarks.proving.compare",
    "references": "benchmarks.references.command",
    "engine": "benchmarks.engine.command",
    "callbacks": "benchmarks.callbacks",
    "devices": "benchmarks.devices",
    "fit-many": "benchmarks.fit_many",
    "streams": "benchmarks.streams",
    "hierarchies": "benchmarks.hierarchies.command",
    "structures": "benchmarks.structures.command",
    "repairs": "benchmarks.repairs",
    "cores": "benchmarks.cores",
    "growing-groups": "benchmarks.growing_groups",
}


def main(arguments: list[str]) -> None:
    """Hand the arguments on to a command."""
    if arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        if name not in _COMMANDS:
            sys.exit(f"There is no command {name!r}; commands are {', '.join(_COMMANDS)}.")
    else:
        name = "pm-fit"
    import_module(_COMMANDS[name]).main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
