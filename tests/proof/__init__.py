"""Slower proofs: the pipeline against independent recomputation."""
