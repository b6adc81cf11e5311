//! The device agent's state machine over platform traits.
