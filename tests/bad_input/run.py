#!/usr/bin/env python3
"""Treats running nodes badly, with raw sockets and damaged files. Arguments: the binary, then unittest's (a module or test)."""

import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: run.py BINARY [MODULE[.CLASS[.TEST]]...]")
    os.environ["PYRALOG_BINARY"] = str(pathlib.Path(sys.argv[1]).resolve())
    sys.path.insert(0, str(HERE))
    names = sys.argv[2:]
    loader = unittest.defaultTestLoader
    tests = loader.loadTestsFromNames(names) if names else loader.discover(HERE, pattern="test_*.py")
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1)


if __name__ == "__main__":
    main()
