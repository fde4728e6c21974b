//! engine-str0m
