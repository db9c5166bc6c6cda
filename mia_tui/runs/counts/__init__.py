"""Counts of classes in groups of images, from labels and predictions.

images       which class each image has by its label and by a prediction, and its group
confusions   the labelled images from which the confusions of a network are known
table        counts, shares with intervals, correction, enrichment
csv_file     the table in long form, for R and spreadsheets; as records for --json
"""
