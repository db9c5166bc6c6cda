"""The work of each kind of job: `work` in the module with the name of the kind, see config/jobs.py."""
