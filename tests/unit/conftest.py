"""How Hypothesis runs here: no deadlines, since the machine may be shared with an engine and a CA."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# 'make check' tries fewer.
EXAMPLES = int(os.environ.get("STACKCTL_TEST_EXAMPLES", "60"))

settings.register_profile("unit", deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
