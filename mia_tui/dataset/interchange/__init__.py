"""Labels from and for other programs: `formats` lists the formats, `importing` writes what was read to the store.

Formats: `csv_labels` (on the rows of `csv_table`), `folders` and `folders_export`, `mia`. All of them write by
`export_file`.
"""
