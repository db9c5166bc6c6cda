"""Labels from and for other programs: `formats` lists the formats, `importing` writes what was read to the store."""
