"""labels.db: what people decided, who did what and when, and how it is undone."""
