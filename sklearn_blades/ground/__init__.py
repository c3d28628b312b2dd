"""What everything stands on: devices and precision, rows and splits, scikit-learn's privates."""
