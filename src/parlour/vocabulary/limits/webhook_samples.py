"""Samples and signatures of webhooks: single requests that nothing is stored of."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE

# The parameters of a sample or a signature, as JSON.
SAMPLE_JSON_CHARS_MAX = 64 * KIBIBYTE
# Parameters of a sample or a signature.
SAMPLE_PARAMETERS_MAX = 100
# The body of a JSON request that is signed.
SIGNED_BODY_CHARS_MAX = 256 * KIBIBYTE
# Bytes that are shown of the receiver's response to a sample.
SAMPLE_ANSWER_BYTES_MAX = 4 * KIBIBYTE
