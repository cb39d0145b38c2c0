"""What holds for every test."""

from __future__ import annotations

import os
import time

# Times are printed in the user's time zone.
os.environ["TZ"] = "UTC"
time.tzset()
