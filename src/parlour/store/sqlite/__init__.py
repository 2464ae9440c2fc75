"""The SQLite engine: one file, one writer, group commit, checkpoints and online backup."""
