//! Adaptive partitions.
