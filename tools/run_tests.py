"""Run all tests on both engines: Twisted's default reactor, and the asyncio reactor.

Use: ``python tools/run_tests.py [TRIAL ARGUMENT ...]``, by default ``tests``. First the JSON
schemas are fetched into ``build/schemas``, if they are not there. The exit status is 1 if a test
fails on either engine.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("default", "asyncio")


def run(*arguments: str) -> bool:
    """Whether ``python ARGUMENTS`` succeeds in the root of the repository."""
    return subprocess.run([sys.executable, *arguments], cwd=ROOT).returncode == 0


def main() -> int:
    """Run the tool; the result is its exit status."""
    if not run("tools/fetch_schemas.py", "build/schemas"):
        return 1
    tests = sys.argv[1:] or ["tests"]
    failed = []
    for engine in ENGINES:
        print(f"\n== tests on the {engine} reactor ==", flush=True)
        options = [f"--reactor={engine}", f"--temp-directory=build/trial-{engine}"]
        if not run("-m", "twisted.trial", *options, *tests):
            failed.append(engine)
    print(f"\nfailed on: {', '.join(failed)}" if failed else "\nall tests passed on both reactors")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
