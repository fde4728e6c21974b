//! Names of files that strangers chose.
//!
//! What they are called here is one component of a path, which is shown as it is, opens no hidden
//! file, is no option of a command, and exists on any system.

use super::text::{cut_at, is_invisible};

/// The longest name, in bytes: systems take 255, of which a number takes some.
const BYTES_MAX: usize = 200;
/// The longest part behind the last dot that is kept when a name is cut, in bytes.
const EXTENSION_BYTES_MAX: usize = 16;
/// What a file is called that has no name left.
const NAMELESS: &str = "file";

/// What a file of this name may be called.
pub(crate) fn safe_file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe = last.chars().filter(|character| !is_invisible(*character)).map(|character| {
        // Windows takes none of these, and some of them mean something to a shell.
        if matches!(character, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { character }
    });
    let safe: String = safe.collect();
    // Windows drops what is at the end, and then it may be another name.
    let trimmed = safe.trim().trim_end_matches(['.', ' ']);
    let mut name = cut(trimmed);
    if name.is_empty() {
        return NAMELESS.to_owned();
    }
    if name.starts_with(['.', '-', '~']) || is_device(&name) {
        name.insert(0, '_');
    }
    name
}

/// The name for where the first ones are taken already: `name (2).txt`.
pub(crate) fn numbered(name: &str, number: u32) -> String {
    match (number, split_extension(name)) {
        (0 | 1, _) => name.to_owned(),
        (_, Some((stem, extension))) => format!("{stem} ({number}).{extension}"),
        (_, None) => format!("{name} ({number})"),
    }
}

/// A name of at most so many bytes, with its extension.
fn cut(name: &str) -> String {
    if name.len() <= BYTES_MAX {
        return name.to_owned();
    }
    match split_extension(name).filter(|(_, extension)| extension.len() <= EXTENSION_BYTES_MAX) {
        Some((stem, extension)) => {
            let stem = cut_at(stem, BYTES_MAX - extension.len() - 1);
            format!("{stem}.{extension}")
        }
        None => cut_at(name, BYTES_MAX).to_owned(),
    }
}

fn split_extension(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.').filter(|(stem, extension)| !stem.is_empty() && !extension.is_empty())
}

/// Whether Windows takes it for a device, whatever its extension is.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix| {
        stem.strip_prefix(prefix).is_some_and(|number: &str| {
            let mut characters = number.chars();
            matches!(
                (characters.next(), characters.next()),
                (Some('0'..='9' | '¹' | '²' | '³'), None)
            )
        })
    };
    matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_honest_name_is_kept() {
        for name in [
            "a",
            "holiday.jpg",
            "Grüße an Zoë.txt",
            "漢字 🦀.tar.gz",
            "a-b_c (2).bin",
            "console.log",
        ] {
            assert_eq!(safe_file_name(name), name);
        }
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for (name, safe) in [
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            (r"..\..\boot.ini", "boot.ini"),
            (r"C:\boot.ini", "boot.ini"),
            ("C:boot.ini", "C_boot.ini"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("a/", "file"),
            ("a/..", "file"),
            ("....", "file"),
            ("\0", "file"),
            (" \u{200b} ", "file"),
        ] {
            assert_eq!(safe_file_name(name), safe, "{name:?}");
        }
    }

    #[test]
    fn no_name_moves_the_cursor_or_looks_like_another() {
        assert_eq!(safe_file_name("a\u{1b}[2Jb\r\nc.txt"), "a[2Jbc.txt");
        assert_eq!(safe_file_name("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
    }

    #[test]
    fn no_name_is_hidden_an_option_or_a_device() {
        for (name, safe) in [
            (".bashrc", "_.bashrc"),
            ("-rf", "_-rf"),
            ("~root", "_~root"),
            ("nul", "_nul"),
            ("Com1.txt", "_Com1.txt"),
            ("LPT².dat", "_LPT².dat"),
            ("a?*.txt. . ", "a__.txt"),
        ] {
            assert_eq!(safe_file_name(name), safe);
        }
    }

    #[test]
    fn a_huge_name_is_cut_and_keeps_its_extension() {
        let name = safe_file_name(&format!("{}.tar", "ü".repeat(1_000_000)));
        assert!(name.len() <= BYTES_MAX && name.ends_with("ü.tar"), "{name}");
        let name = safe_file_name(&format!("a.{}", "x".repeat(1_000)));
        assert_eq!(name.len(), BYTES_MAX);
        assert!(numbered(&name, u32::MAX).len() < 255);
    }

    #[test]
    fn a_number_stands_before_the_extension() {
        assert_eq!(numbered("a.b.txt", 1), "a.b.txt");
        assert_eq!(numbered("a.b.txt", 2), "a.b (2).txt");
        assert_eq!(numbered("_.bashrc", 2), "_ (2).bashrc");
        assert_eq!(numbered("README", 12), "README (12)");
    }
}
