"""Proofs of what the systems promise: crash points and chaos, on clouds in memory."""

import os

# Powertools reads these when a handler is imported: on Lambda the stack has set them by then.
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "proofs")
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "AwsOdyssey")
