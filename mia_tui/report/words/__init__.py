"""What a report says in words: methods, limits, checklist, settings and literature."""
