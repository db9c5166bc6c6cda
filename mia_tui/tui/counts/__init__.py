"""Counts of classes in groups of images.

screen      the table with what is said of the cell under the cursor, and the keys
asking      the dialogs: how to group, whose predictions, which controls, where to write
reading     makes the table in a thread
table       draws it, a line for each group
words       what stands in a cell, and what is said of it
"""
