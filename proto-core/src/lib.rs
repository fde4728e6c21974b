//! proto-core
