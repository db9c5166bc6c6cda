"""What people decide about labels, kept beside them: issues, answers of an audit, opinions of several people.

edits       issues that were kept, answers of an audit (`records`), and how they are undone (`undo`); `audits`: draws
opinions    a blind second pass and decisions about disputes; `ratings`: who said what of which image
merging     what is taken over from the labels.db of a copy of the dataset
leases      which images somebody is about to label
"""
