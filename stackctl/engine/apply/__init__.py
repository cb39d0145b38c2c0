"""Carries a plan out: the executor, what its operations need, and the proofs."""
