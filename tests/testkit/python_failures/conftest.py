"""Hides the package twilio where a run asks for it."""

from __future__ import annotations

import os
import sys

if os.environ.get("WITHOUT_TWILIO"):
    sys.modules["twilio"] = sys.modules["twilio.rest"] = None
