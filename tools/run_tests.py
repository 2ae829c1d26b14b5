"""Run all tests on both engines at once: Twisted's default reactor, and the asyncio reactor.

Use: ``python tools/run_tests.py [TRIAL ARGUMENT ...]``, by default ``tests``. First the JSON
schemas are fetched into ``build/schemas``, if they are not there. What the second engine has to
say is shown when the first is done. The exit status is 1 if a test fails on either engine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def command(engine: str, tests: list[str]) -> list[str]:
    """How the tests are run on an engine."""
    options = [f"--reactor={engine}", f"--temp-directory=build/trial-{engine}"]
    return [sys.executable, "-m", "twisted.trial", *options, *tests]


def main() -> int:
    """Run the tool; the result is its exit status."""
    fetch = [sys.executable, "tools/fetch_schemas.py", "build/schemas"]
    if subprocess.run(fetch, cwd=ROOT).returncode:
        return 1
    tests = sys.argv[1:] or ["tests"]
    failed = []
    with tempfile.TemporaryFile() as told:
        second = subprocess.Popen(
            command("asyncio", tests), cwd=ROOT, stdout=told, stderr=subprocess.STDOUT
        )
        try:
            print("\n== tests on the default reactor ==", flush=True)
            if subprocess.run(command("default", tests), cwd=ROOT).returncode:
                failed.append("default")
            print("\n== tests on the asyncio reactor, at the same time ==", flush=True)
            if second.wait():
                failed.append("asyncio")
        finally:
            second.kill()
        told.seek(0)
        sys.stdout.buffer.write(told.read())
    print(f"\nfailed on: {', '.join(failed)}" if failed else "\nall tests passed on both reactors")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
