"""Keeps the run within 600 requests a person and minute without waiting: the local stack's clock can be moved."""

import os
import urllib.request

import schemathesis

# A few are left for replays after a new sign-in.
REQUESTS = 500
sent = 0


@schemathesis.hook
def before_call(context, case, kwargs):
    global sent
    sent += 1
    if sent % REQUESTS == 0:
        url = os.environ["TANIGO_URL"] + "/_local/clock"
        urllib.request.urlopen(url, data=b'{"advance": "1m"}', timeout=60).close()
