//! Fleets of devices in one process and virtual networks in namespaces.
