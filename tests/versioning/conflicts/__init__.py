"""Several leaves: judged, explained, predicted."""
