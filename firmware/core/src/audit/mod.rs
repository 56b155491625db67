//! The audit log: what somebody with special rights did, each entry bound to the one before it by its hash.
