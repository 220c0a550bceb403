//! Large documents, a file each: `incoming/uuid` while it arrives, then `large/xx/uuid`, xx being the first two digits.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub(super) struct LargeFiles {
    incoming: PathBuf,
    large: PathBuf,
    /// Held while a folder within `large` is made: whoever finds one finds it durable.
    making: Arc<Mutex<()>>,
}

/// A file that goes away unless it is kept.
#[derive(Debug)]
pub(super) struct Unkept {
    name: String,
    path: Option<PathBuf>,
    /// Where it goes away: it may be dropped on the store's writer, whom nothing may hold up.
    runtime: Option<Handle>,
}

impl LargeFiles {
    /// Makes the folders.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let (incoming, large) = (directory.join("incoming"), directory.join("large"));
        let files = Self { incoming, large, making: Arc::default() };
        for folder in [&files.incoming, &files.large] {
            fs::create_dir_all(folder)?;
        }
        sync_folder(directory)?;
        // A process that was killed may have made folders in it that are not durable yet.
        sync_folder(&files.large)?;
        Ok(files)
    }

    /// A new file to write a document into.
    pub(super) fn create(&self) -> io::Result<(Unkept, File)> {
        let name = Uuid::new_v4().simple().to_string();
        let path = self.incoming.join(&name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok((Unkept { name, path: Some(path), runtime: Handle::try_current().ok() }, file))
    }

    /// Makes a file that was written whole durable, under the name by which it can be retrieved.
    pub(super) fn finish(&self, mut unkept: Unkept, file: &File) -> io::Result<Unkept> {
        file.sync_all()?;
        let path = self.path(&unkept.name);
        let folder = path.parent().unwrap_or(&self.large);
        self.make(folder)?;
        fs::rename(self.incoming.join(&unkept.name), &path)?;
        // From here on it is this name that goes away if it is not kept.
        unkept.path = Some(path.clone());
        sync_folder(folder)?;
        Ok(unkept)
    }

    /// Makes a folder within `large` durably, unless it is there.
    fn make(&self, folder: &Path) -> io::Result<()> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if !folder.exists() {
            fs::create_dir_all(folder)?;
            sync_folder(&self.large)?;
        }
        Ok(())
    }

    /// A document's file, for reading.
    pub(super) fn read(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name))
    }

    /// How many bytes a document's file has.
    pub(super) fn size(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(name))?.len())
    }

    /// Files that were still arriving.
    pub(super) fn incoming(&self) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(&self.incoming)?.map(|entry| Ok(entry?.path())).collect()
    }

    /// Files that arrived whole, by name.
    pub(super) fn finished(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for folder in fs::read_dir(&self.large)? {
            for entry in fs::read_dir(folder?.path())? {
                names.extend(entry?.file_name().into_string());
            }
        }
        Ok(names)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.large.join(name.get(..2).unwrap_or_default()).join(name)
    }
}

impl Unkept {
    /// Opens it for reading.
    pub(super) fn read(&self) -> io::Result<File> {
        self.path.as_ref().map_or_else(|| Err(io::ErrorKind::NotFound.into()), File::open)
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Keeps the file.
    pub(super) fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for Unkept {
    fn drop(&mut self) {
        let Some(path) = self.path.take() else { return };
        let remove = move || {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "a document that was not kept is still there");
            }
        };
        // Taking away a file of gigabytes takes a while.
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn_blocking(remove)),
            None => remove(),
        }
    }
}

/// Makes durable which names a folder holds.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes all slices, in as few calls as the kernel makes possible.
pub(super) fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
