"""The connections of client SDKs to this process."""
