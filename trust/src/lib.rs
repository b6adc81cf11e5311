//! Joins evidence, expected values, manifests and policy into one decision with reasons.
