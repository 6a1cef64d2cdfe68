"""How a suite reports: one line per check, `PASS name` or `FAIL name: cause`, and a last line `DONE passed=N failed=M`.

The suites written in Java, JavaScript and Go print the same lines; run.py counts on them.
"""

import time
import traceback

WAIT_SECONDS_MAX = 30


class CheckFailed(Exception):
    """An expectation that did not hold; the text is the cause that is printed."""


def expect_equal(actual, expected, what):
    if actual != expected:
        raise CheckFailed(f"{what}: {shortened(actual)} where {shortened(expected)} was expected")


def expect(condition, what):
    if not condition:
        raise CheckFailed(what)


def shortened(value, length_max=160):
    text = repr(value)
    return text if len(text) <= length_max else text[:length_max] + f"... ({len(text)} characters)"


def wait_until(condition, what, seconds_max=WAIT_SECONDS_MAX):
    """Polls `condition` until it returns something true; a state of the server has no event to wait on from outside."""
    deadline = time.monotonic() + seconds_max
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise CheckFailed(f"{what}: not within {seconds_max} s")
        time.sleep(0.05)


class Suite:
    """Runs checks one after the other; a failed one does not stop the rest."""

    def __init__(self, client, only=None):
        self.client = client
        self.only = only
        self.passed = 0
        self.failed = 0

    def check(self, name, run, *arguments):
        if self.only and self.only not in name:
            return
        started = time.monotonic()
        try:
            run(*arguments)
        except Exception as error:  # a client may raise anything: whatever it is, this check failed and the next one runs
            self.failed += 1
            at = traceback.extract_tb(error.__traceback__)[-1]
            cause = str(error) if isinstance(error, CheckFailed) else f"{type(error).__name__}: {error}"
            print(f"FAIL {name}: {' '.join(cause.split())} (at {at.filename.rsplit('/', 1)[-1]}:{at.lineno})", flush=True)
        else:
            self.passed += 1
            print(f"PASS {name} {time.monotonic() - started:.2f}s", flush=True)

    def finish(self):
        print(f"DONE passed={self.passed} failed={self.failed}", flush=True)
        return 0 if self.failed == 0 and self.passed > 0 else 1
