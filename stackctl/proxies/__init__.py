"""Model and issued lineages to the set of files they mean: pure, no disk, no clock."""
