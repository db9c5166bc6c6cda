"""Statistics of predictions: metrics with intervals, curves, calibration, thresholds, counts; numpy only."""
