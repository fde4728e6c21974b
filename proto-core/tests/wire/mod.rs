//! The golden vectors and captures, as part of the test: where it runs in WebAssembly there are no
//! files.

use include_dir::{Dir, include_dir};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tests/wire");

/// The text of a file in this folder.
pub(crate) fn read(name: &str) -> &'static str {
    let file = FILES.get_file(name).unwrap_or_else(|| panic!("there is no {name}"));
    file.contents_utf8().unwrap_or_else(|| panic!("{name} is no text"))
}
