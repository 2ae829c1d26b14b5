"""Revokes a certificate: python revoke.py DATA-DIRECTORY SERIAL-NUMBER"""

import sys
from pathlib import Path

from ocpp_twisted.security.local_authority import LocalAuthority


def main(directory, serial_number):
    LocalAuthority.in_directory(Path(directory)).revoke(int(serial_number, 16))


if __name__ == "__main__":
    main(*sys.argv[1:])
