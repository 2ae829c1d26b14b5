"""``python -m ocpp_twisted``: see `ocpp_twisted.shell`."""

import sys

from ocpp_twisted.shell import main

if __name__ == "__main__":
    sys.exit(main())
