//! Files that belong with the data: configuration, metrics and logs.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use larder_metrics_model::Skipped;
use tokio_util::task::AbortOnDropHandle;

use super::image;
use crate::{
    Error, Packing, Result, SideArchive,
    packing::Packer,
    passage::{self, PieceWriter},
    repository::ArtifactWriter,
    thread::{self, Work},
};

/// Files that go into one archive.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FileSet {
    /// Paths of files and folders; the last part may have `*`. Folders go in whole.
    pub paths: Vec<PathBuf>,
    /// Files that are made for the archive: name and content.
    pub made: Vec<(String, Vec<u8>)>,
    /// Whether the paths are looked for by default, so that it is no fault where there are none.
    pub is_default: bool,
}

/// Why something is missing that nobody asked for.
pub(crate) const NONE_BY_DEFAULT: &str = "it is looked for by default, and there is none";

/// What went into an archive.
#[derive(Debug, Default)]
struct Gathered {
    files: u64,
    missing: Vec<Skipped>,
}

impl FileSet {
    /// Takes these paths.
    #[must_use]
    pub fn of(paths: Vec<PathBuf>) -> Self {
        Self { paths, ..Self::default() }
    }

    /// Takes these paths, of which it is no fault where they are not there.
    #[must_use]
    pub fn by_default(paths: Vec<PathBuf>) -> Self {
        Self { paths, is_default: true, ..Self::default() }
    }

    /// Tells whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.made.is_empty()
    }
}

/// Stores an archive; `None` where not one file was found. What was missing is said.
pub(super) async fn store(
    name: &str,
    files: FileSet,
    writer: ArtifactWriter,
    packing: &Packing,
) -> Result<(Option<SideArchive>, Vec<Skipped>)> {
    let (to, packed) = passage::from_thread();
    let packing = packing.clone();
    let work = Work::start("larder-archive", packing.effort, move || gather(&files, to, &packing));
    let storing = AbortOnDropHandle::new(tokio::spawn(image::put(packed, writer)));
    let gathered = work.done().await?;
    let stored = storing.await.map_err(thread::broken)?;
    let gathered = match (gathered, stored.as_ref()) {
        // An archive of nothing is not ended, and so not stored.
        (Ok(gathered), _) if gathered.files == 0 => return Ok((None, gathered.missing)),
        (Ok(gathered), _) => gathered,
        // Where storing failed, gathering could not go on, and says only that.
        (Err(source), Ok(_)) => return Err(Error::Packing { source }),
        (Err(_), Err(_)) => return Err(stored.err().unwrap_or(Error::Stopped)),
    };
    let artifact = stored?;
    let archive = SideArchive { name: name.to_owned(), files: Some(gathered.files), artifact };
    Ok((Some(archive), gathered.missing))
}

fn gather(files: &FileSet, to: PieceWriter, packing: &Packing) -> io::Result<Gathered> {
    let mut archive = tar::Builder::new(Packer::new(to, packing)?);
    archive.follow_symlinks(true);
    let mut gathered = Gathered::default();
    for (name, content) in &files.made {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, &content[..])?;
        gathered.files += 1;
    }
    for pattern in &files.paths {
        let found = expand(pattern);
        if found.is_empty() {
            let reason = if files.is_default { NONE_BY_DEFAULT } else { "there is no such file" };
            gathered.missing.push(Skipped::new(pattern.display().to_string(), reason));
        }
        for path in found {
            gathered.add(&mut archive, &path)?;
        }
    }
    if gathered.files > 0 {
        archive.into_inner()?.finish()?.end()?;
    }
    Ok(gathered)
}

impl Gathered {
    /// Adds a file, or what is in a folder. What cannot be read is missing; what cannot be written is an error.
    fn add<W: Write>(&mut self, archive: &mut tar::Builder<W>, path: &Path) -> io::Result<()> {
        let unreadable = |error: &io::Error| Skipped::new(path.display().to_string(), error.to_string());
        match fs::metadata(path) {
            Err(error) => self.missing.push(unreadable(&error)),
            Ok(about) if about.is_dir() => match fs::read_dir(path) {
                Err(error) => self.missing.push(unreadable(&error)),
                Ok(entries) => {
                    let mut inner: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
                    inner.sort();
                    for path in &inner {
                        if path.is_symlink() && path.is_dir() {
                            let reason = "it is a link to a folder, which is not followed";
                            self.missing.push(Skipped::new(path.display().to_string(), reason));
                        } else {
                            self.add(archive, path)?;
                        }
                    }
                }
            },
            Ok(about) if about.is_file() => match File::open(path) {
                Err(error) => self.missing.push(unreadable(&error)),
                Ok(file) => self.add_file(archive, path, file)?,
            },
            Ok(_) => {
                self.missing.push(Skipped::new(path.display().to_string(), "it is neither file nor folder"));
            }
        }
        Ok(())
    }

    /// A log grows while it is read: what is taken is as long as it was at the beginning.
    fn add_file<W: Write>(
        &mut self,
        archive: &mut tar::Builder<W>,
        path: &Path,
        file: File,
    ) -> io::Result<()> {
        let about = file.metadata()?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&about);
        let length = about.len();
        header.set_size(length);
        let padded = io::Read::take(io::Read::chain(file, io::repeat(0)), length);
        archive.append_data(&mut header, inside(path), padded)?;
        self.files += 1;
        Ok(())
    }
}

/// Under which name a path is in an archive: without its root, and with nothing that leads upwards.
fn inside(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}

/// The paths that a pattern names; only its last part may have `*`.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains('*') {
        return Some(pattern.to_path_buf()).filter(|path| path.exists()).into_iter().collect();
    }
    let folder = pattern.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_meant =
        |path: &PathBuf| path.file_name().is_some_and(|found| matches_stars(&name, &found.to_string_lossy()));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_meant).collect();
    found.sort();
    found
}

/// Whether a name is of a pattern in which `*` stands for anything.
fn matches_stars(pattern: &str, name: &str) -> bool {
    let Some((front, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(left) = name.strip_prefix(front) else { return false };
    (0..=left.len()).any(|at| left.is_char_boundary(at) && matches_stars(rest, &left[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, is) in [
            (".env*", ".env", true),
            (".env*", ".env.local", true),
            ("docker-compose*.yml", "docker-compose.yml", true),
            ("docker-compose*.yml", "docker-compose.yml.bak", false),
            ("*", "ü", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXc", false),
        ] {
            assert_eq!(matches_stars(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn names_inside_lead_nowhere_else() {
        assert_eq!(inside(Path::new("/etc/redis/../redis.conf")), Path::new("etc/redis/redis.conf"));
        assert_eq!(inside(Path::new("./configs/a")), Path::new("configs/a"));
    }
}
