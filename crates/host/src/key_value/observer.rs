//! A look at every call of the component to its store, and a way to spoil single ones: for tests.

use std::sync::Arc;
use std::time::Duration;

/// A function that sees each call before it is made, and decides its fate.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use mpay_host::{Fault, Observer, Operation};
///
/// let writes = Arc::new(AtomicUsize::new(0));
/// let counter = writes.clone();
/// let observer: Observer = Arc::new(move |call| {
///     if call.operation.writes() {
///         counter.fetch_add(1, Ordering::Relaxed);
///     }
///     match call.operation {
///         Operation::Set if call.keys == ["done/1"] => Fault::Refuse,
///         _ => Fault::None,
///     }
/// });
/// ```
pub type Observer = Arc<dyn Fn(&Call<'_>) -> Fault + Send + Sync>;

/// A call that the component is about to make.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The store's name.
    pub store: &'a str,
    /// The operation that is called.
    pub operation: Operation,
    /// The keys it names; none for `list-keys`.
    pub keys: Vec<&'a str>,
}

/// A function of `wasi:keyvalue` that reaches the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the function of that name")]
pub enum Operation {
    Get,
    Set,
    Delete,
    Exists,
    ListKeys,
    GetMany,
    SetMany,
    DeleteMany,
    Increment,
}

impl Operation {
    /// True if it may change the store.
    pub fn writes(self) -> bool {
        use Operation::{Delete, DeleteMany, Increment, Set, SetMany};
        matches!(self, Set | Delete | SetMany | DeleteMany | Increment)
    }
}

/// A fault that shall meet a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is made as usual.
    #[default]
    None,
    /// It is made after this time.
    Delay(Duration),
    /// It is not made; the component gets an error.
    Refuse,
    /// It is made, and the component gets an error all the same, as when an answer is lost.
    LoseAnswer,
}
