//! Prints what a crate offers to others, an item a line, from what rustdoc wrote of it:
//! `public-api FILE.json`.
//!
//! Traits that are implemented for everything are left out, and so is what every type is by itself
//! (`Unpin`, `UnwindSafe`) but for `Send` and `Sync`, which an application can lose by a change deep
//! down.

use std::env;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let path = env::args_os().nth(1).context("name the file that rustdoc wrote")?;
    let api = public_api::Builder::from_rustdoc_json(path).omit_blanket_impls(true).build()?;
    for item in api.items().map(ToString::to_string).filter(|item| !is_by_itself(item)) {
        println!("{item}");
    }
    Ok(())
}

/// Whether nobody asks for it, and nobody decided it.
fn is_by_itself(item: &str) -> bool {
    item.starts_with("impl") && AUTOMATIC.iter().any(|of_trait| item.contains(of_trait))
}

const AUTOMATIC: [&str; 6] = [
    "core::marker::Freeze for ",
    "core::marker::StructuralPartialEq for ",
    "core::marker::Unpin for ",
    "core::marker::UnsafeUnpin for ",
    "core::panic::unwind_safe::RefUnwindSafe for ",
    "core::panic::unwind_safe::UnwindSafe for ",
];
