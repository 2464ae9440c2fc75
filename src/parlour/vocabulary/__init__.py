"""The words of the API, without logic that needs anything else."""
