"""Each REST resource over HTTP: parameters, limits, errors, side effects."""
