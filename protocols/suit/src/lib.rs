//! SUIT envelopes and manifests (draft-ietf-suit-manifest-37): decode, verify, interpret, author.
