"""Training, validation and test part: the rule, groups that stay together, how labels are dealt out."""
