//! Writes what each target begins with: `seeds FOLDER`, where each gets a folder anew.

use std::path::Path;
use std::{env, fs, io};

use tristero_fuzz::{TARGETS, seeds};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| io::Error::other("no folder was named"))?;
    for target in TARGETS {
        let folder = Path::new(&folder).join(target.name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds::of(target.name, &seeds::wire_folder()).iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:03}")), seed)?;
        }
    }
    Ok(())
}
