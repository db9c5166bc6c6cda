"""Predicting classes of images: result files, suggestions for the app, and the process that predicts."""
