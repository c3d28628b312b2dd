"""Feature matrices in, verdicts out: densities, thresholds with a promise, a perceptron."""
