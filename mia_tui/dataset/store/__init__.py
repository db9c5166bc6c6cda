"""labels.db: what people decided, who did what and when, and how it is undone.

label_store     `LabelStore`, which others use: queries, edits, undo
store_file      the file: created, opened, and checked not to have been replaced
errors          what SQLite reports, as sentences
file_changes    labelled files that were moved, changed or lost
frame_numbers   labelled stacks whose frames had other numbers in earlier versions
review/         what people say beside the labels: issues that were kept, audits, opinions, disputes; leases
records         what is returned: labels, marks, changes; `rows` reads and writes them
"""
