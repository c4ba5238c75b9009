//! What nodes of a plan share: kept once in memory, and once where it is stored.
//!
//! A full plan repeats these values, so equal ones are found by their text. A stored plan has a list of
//! them, and numbers in their places.

use super::Operations;
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The source of shared values while a plan is read.
pub(super) trait Source: Sized {
    fn shared(&mut self, value: Value) -> Arc<Value>;

    fn operations(&mut self, value: Value) -> Arc<Operations> {
        Arc::new(operations(value, self))
    }

    fn interfaces(&mut self, value: Value) -> Arc<IndexMap<String, Operations>> {
        Arc::new(interfaces(value, self))
    }
}

fn operations(value: Value, source: &mut impl Source) -> Operations {
    let Value::Object(map) = value else {
        return Operations::new();
    };
    map.into_iter()
        .map(|(name, value)| (name, source.shared(value)))
        .collect()
}

fn interfaces(value: Value, source: &mut impl Source) -> IndexMap<String, Operations> {
    let Value::Object(map) = value else {
        return IndexMap::new();
    };
    map.into_iter()
        .filter(|(_, value)| value.is_object())
        .map(|(name, value)| (name, operations(value, source)))
        .collect()
}

/// For a full plan: equal values are kept once.
#[derive(Default)]
pub(super) struct Pool(HashMap<String, Arc<Value>>);

impl Source for Pool {
    fn shared(&mut self, value: Value) -> Arc<Value> {
        let text = value.to_string();
        self.0
            .entry(text)
            .or_insert_with(|| Arc::new(value))
            .clone()
    }
}

/// For a stored plan: shared values are numbers in a list. Nodes of a type have the same number for
/// all of their operations; in older plans each node has the list of them.
#[derive(Default)]
pub(super) struct Stored {
    values: Vec<Arc<Value>>,
    operations: HashMap<u64, Arc<Operations>>,
    interfaces: HashMap<u64, Arc<IndexMap<String, Operations>>>,
}

impl Stored {
    /// The numbers that are read are places in these values.
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self {
            values: values.into_iter().map(Arc::new).collect(),
            ..Self::default()
        }
    }
}

impl Source for Stored {
    fn shared(&mut self, value: Value) -> Arc<Value> {
        let place = value.as_u64().and_then(|place| usize::try_from(place).ok());
        place
            .and_then(|place| self.values.get(place))
            .cloned()
            .unwrap_or_default()
    }

    fn operations(&mut self, value: Value) -> Arc<Operations> {
        let Some(place) = value.as_u64() else {
            return Arc::new(operations(value, self));
        };
        if let Some(known) = self.operations.get(&place) {
            return known.clone();
        }
        let list = (*self.shared(value)).clone();
        let read = Arc::new(operations(list, self));
        self.operations.insert(place, read.clone());
        read
    }

    fn interfaces(&mut self, value: Value) -> Arc<IndexMap<String, Operations>> {
        let Some(place) = value.as_u64() else {
            return Arc::new(interfaces(value, self));
        };
        if let Some(known) = self.interfaces.get(&place) {
            return known.clone();
        }
        let list = (*self.shared(value)).clone();
        let read = Arc::new(interfaces(list, self));
        self.interfaces.insert(place, read.clone());
        read
    }
}

/// Collects the shared values of a plan, to store each of them once.
#[derive(Default)]
pub(super) struct Table {
    values: Vec<Value>,
    by_address: HashMap<usize, Value>,
    /// Keeps the values of `by_address` alive, so that no address is used twice.
    kept: Vec<Arc<Value>>,
    by_text: HashMap<String, usize>,
}

impl Table {
    /// The place of a value. One that is shared in memory is found by its address.
    pub(super) fn place(&mut self, value: &Arc<Value>) -> Value {
        let address = Arc::as_ptr(value) as usize;
        if let Some(place) = self.by_address.get(&address) {
            return place.clone();
        }
        let place = self.place_own((**value).clone());
        self.by_address.insert(address, place.clone());
        self.kept.push(value.clone());
        place
    }

    /// The place of a value that has no address by which it could be known.
    pub(super) fn place_own(&mut self, value: Value) -> Value {
        let values = &mut self.values;
        let place = *self.by_text.entry(value.to_string()).or_insert_with(|| {
            values.push(value);
            values.len() - 1
        });
        json!(place)
    }

    /// What is stored: every value at its place.
    pub(super) fn into_values(self) -> Vec<Value> {
        self.values
    }
}
