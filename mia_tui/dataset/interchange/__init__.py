"""Labels from and for other programs: `formats` lists the formats, `importing` writes what was read to the store.

Formats: `csv_labels` (on the rows of `csv_table`) and `jsonl_labels`, which collect what they read in `label_rows`;
`folders` and `folders_export`, `mia`, and those in `programs`. All write by `export_file`. `old_frames`: files
whose frames are pages.
"""
