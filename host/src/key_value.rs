//! Key-value stores: `spin:key-value@3.0.0`, and `fermyon:spin/key-value@2.0.0` for synchronous components.
//!
//! The store `default` is the file `sqlite_key_value.db` of the state directory, with Spin's own table.
//! Writes happen one after the other on one connection, reads on others beside it.

use crate::bindings::spin::fermyon::spin::key_value as v2;
use crate::bindings::spin::spin::key_value::key_value as v3;
use crate::faults::Faults;
use crate::guest::GuestState;
use crate::room::{FULL, Room};
use rusqlite::{Connection, OptionalExtension};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::component::{Accessor, FutureReader, HasData, Resource, StreamReader};

/// The largest value, as on Spin.
const MAX_VALUE_BYTES: usize = 128 << 20;
/// Larger values are written and read on a thread of their own.
const INLINE_BYTES: usize = 256 << 10;
/// Reading connections kept open.
const MAX_IDLE: usize = 4;

/// An open store. Clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<KeyValueFile>, Arc<str>);

/// The file that holds all stores.
pub struct KeyValueFile {
    path: PathBuf,
    writer: Mutex<Option<Connection>>,
    readers: Mutex<Vec<Connection>>,
    faults: Arc<Faults>,
    room: Arc<Room>,
}

impl KeyValueFile {
    /// The stores in the file `path`, which is created if needed.
    pub fn open(path: &Path, faults: Arc<Faults>, room: Arc<Room>) -> rusqlite::Result<Arc<Self>> {
        let file = Self {
            room,
            path: path.to_owned(),
            writer: Mutex::default(),
            readers: Mutex::default(),
            faults,
        };
        let writer = file.connect()?;
        writer.query_row("pragma journal_mode = wal", [], |_| Ok(()))?;
        writer.execute_batch(
            "create table if not exists spin_key_value (
                store text not null,
                key text not null,
                value blob not null,
                primary key (store, key)
            )",
        )?;
        *file.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        Ok(Arc::new(file))
    }

    /// The store named `label`.
    pub fn store(self: &Arc<Self>, label: &str) -> Store {
        Store(self.clone(), label.into())
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    }

    fn write<T>(&self, body: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        self.faults.before_key_value_set()?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match writer.take() {
            Some(connection) => connection,
            None => self.connect().map_err(|error| error.to_string())?,
        };
        let result = body(&connection).map_err(|error| error.to_string());
        *writer = Some(connection);
        result
    }

    fn read<T>(&self, body: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        let idle = self.readers.lock().ok().and_then(|mut idle| idle.pop());
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().map_err(|error| error.to_string())?,
        };
        let result = body(&connection).map_err(|error| error.to_string());
        if let Ok(mut readers) = self.readers.lock()
            && readers.len() < MAX_IDLE
        {
            readers.push(connection);
        }
        result
    }
}

impl Store {
    /// The value of `key`, if there is one.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.read(|connection| {
            connection
                .prepare_cached("select value from spin_key_value where store = ?1 and key = ?2")?
                .query_row([self.label(), key], |row| row.get(0))
                .optional()
        })
    }

    /// Sets `key`, whether or not it had a value.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
        if value.len() > MAX_VALUE_BYTES {
            return Err(format!("a value may have at most {MAX_VALUE_BYTES} bytes"));
        }
        if self.0.room.is_low() {
            return Err(FULL.to_owned());
        }
        self.0.write(|connection| {
            connection
                .prepare_cached(
                    "insert into spin_key_value (store, key, value) values (?1, ?2, ?3)
                     on conflict (store, key) do update set value = excluded.value",
                )?
                .execute((self.label(), key, value))
                .map(|_| ())
        })
    }

    /// Deletes `key`, if it has a value.
    pub fn delete(&self, key: &str) -> Result<(), String> {
        self.0.write(|connection| {
            connection
                .prepare_cached("delete from spin_key_value where store = ?1 and key = ?2")?
                .execute([self.label(), key])
                .map(|_| ())
        })
    }

    /// Whether `key` has a value.
    pub fn exists(&self, key: &str) -> Result<bool, String> {
        self.0.read(|connection| {
            connection
                .prepare_cached("select 1 from spin_key_value where store = ?1 and key = ?2")?
                .exists([self.label(), key])
        })
    }

    /// Every key of the store.
    pub fn keys(&self) -> Result<Vec<String>, String> {
        self.0.read(|connection| {
            connection
                .prepare_cached("select key from spin_key_value where store = ?1")?
                .query_map([self.label()], |row| row.get(0))?
                .collect()
        })
    }

    fn label(&self) -> &str {
        &self.1
    }

    /// Like [`Store::set`], on another thread when the value is large.
    async fn set_somewhere(&self, key: String, value: Vec<u8>) -> Result<(), String> {
        if value.len() <= INLINE_BYTES {
            return self.set(&key, &value);
        }
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.set(&key, &value))
            .await
            .unwrap_or_else(|_| Err("the writing thread was stopped".to_owned()))
    }
}

/// Marks the store data that serves these interfaces.
pub struct KeyValue;

impl HasData for KeyValue {
    type Data<'a> = &'a mut GuestState;
}

/// Why a store was not opened.
enum Refused {
    NoSuchStore,
    AccessDenied,
}

impl GuestState {
    fn find_store(&mut self, label: &str) -> wasmtime::Result<Result<Resource<Store>, Refused>> {
        match self.component.stores.get(label) {
            Some(store) => Ok(Ok(self.table.push(store.clone())?)),
            None if label == "default" => Ok(Err(Refused::AccessDenied)),
            None => Ok(Err(Refused::NoSuchStore)),
        }
    }

    fn key_value_store(&mut self, store: &Resource<Store>) -> wasmtime::Result<Store> {
        Ok(self.table.get(store)?.clone())
    }
}

impl v3::Host for GuestState {}

impl v3::HostStore for GuestState {
    fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T: Send> v3::HostStoreWithStore<T> for KeyValue {
    async fn open(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> wasmtime::Result<Result<Resource<Store>, v3::Error>> {
        let found = accessor.with(|mut access| access.get().find_store(&label))?;
        Ok(found.map_err(|refused| match refused {
            Refused::NoSuchStore => v3::Error::NoSuchStore,
            Refused::AccessDenied => v3::Error::AccessDenied,
        }))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, v3::Error>> {
        let store = accessor.with(|mut access| access.get().key_value_store(&store))?;
        store.0.faults.before_key_value().await;
        Ok(store.get(&key).map_err(v3::Error::Other))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), v3::Error>> {
        let store = accessor.with(|mut access| access.get().key_value_store(&store))?;
        store.0.faults.before_key_value().await;
        let result = store.set_somewhere(key, value).await;
        Ok(result.map_err(v3::Error::Other))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<(), v3::Error>> {
        let store = accessor.with(|mut access| access.get().key_value_store(&store))?;
        store.0.faults.before_key_value().await;
        Ok(store.delete(&key).map_err(v3::Error::Other))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<bool, v3::Error>> {
        let store = accessor.with(|mut access| access.get().key_value_store(&store))?;
        store.0.faults.before_key_value().await;
        Ok(store.exists(&key).map_err(v3::Error::Other))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), v3::Error>>)> {
        let store = accessor.with(|mut access| access.get().key_value_store(&store))?;
        store.0.faults.before_key_value().await;
        let (keys, end) = match store.keys() {
            Ok(keys) => (keys, Ok(())),
            Err(message) => (Vec::new(), Err(v3::Error::Other(message))),
        };
        accessor.with(|mut access| {
            let stream = StreamReader::new(&mut access, keys)?;
            let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(end) })?;
            Ok((stream, end))
        })
    }
}

impl v2::Host for GuestState {}

impl v2::HostStore for GuestState {
    fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Store>, v2::Error>> {
        Ok(self.find_store(&label)?.map_err(|refused| match refused {
            Refused::NoSuchStore => v2::Error::NoSuchStore,
            Refused::AccessDenied => v2::Error::AccessDenied,
        }))
    }

    fn get(
        &mut self,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, v2::Error>> {
        let store = self.key_value_store(&store)?;
        Ok(store.get(&key).map_err(v2::Error::Other))
    }

    fn set(
        &mut self,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), v2::Error>> {
        let store = self.key_value_store(&store)?;
        Ok(store.set(&key, &value).map_err(v2::Error::Other))
    }

    fn delete(
        &mut self,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<(), v2::Error>> {
        let store = self.key_value_store(&store)?;
        Ok(store.delete(&key).map_err(v2::Error::Other))
    }

    fn exists(
        &mut self,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<bool, v2::Error>> {
        let store = self.key_value_store(&store)?;
        Ok(store.exists(&key).map_err(v2::Error::Other))
    }

    fn get_keys(
        &mut self,
        store: Resource<Store>,
    ) -> wasmtime::Result<Result<Vec<String>, v2::Error>> {
        let store = self.key_value_store(&store)?;
        Ok(store.keys().map_err(v2::Error::Other))
    }

    fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_keeps_what_it_was_given() {
        let folder = std::env::temp_dir().join(format!("key-value-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("test.db");
        let faults = Arc::new(Faults::default());
        let room = Room::of(&folder, faults.clone());
        let store = KeyValueFile::open(&path, faults.clone(), room.clone())
            .unwrap()
            .store("default");
        assert_eq!(store.get("a"), Ok(None));
        store.set("a", b"1").unwrap();
        store.set("a", b"2").unwrap();
        assert_eq!(store.get("a"), Ok(Some(b"2".to_vec())));
        assert_eq!(store.keys(), Ok(vec!["a".to_owned()]));

        faults.fail_key_value_sets(true);
        assert!(store.set("a", b"3").is_err());
        faults.clear();

        // Another process sees the same, and other stores do not.
        let again = KeyValueFile::open(&path, faults, room).unwrap();
        assert_eq!(again.store("default").exists("a"), Ok(true));
        assert_eq!(again.store("other").exists("a"), Ok(false));
        store.delete("a").unwrap();
        assert_eq!(store.exists("a"), Ok(false));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
