use alloc::boxed::Box;
use core::cell::OnceCell;

/// Keeps values at fixed addresses, so that they can be referred to while more are added.
///
/// It is a list of links that are set once: safe, and without an allocation until the first value comes.
pub(super) struct Arena<T> {
    first: Next<T>,
}

struct Link<T> {
    value: T,
    next: Next<T>,
}

type Next<T> = OnceCell<Box<Link<T>>>;

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self { first: OnceCell::new() }
    }

    /// Takes a value. There are only few in an arena, so that the walk to its end is short.
    pub(super) fn keep(&self, value: T) -> &T {
        let mut next = &self.first;
        while let Some(link) = next.get() {
            next = &link.next;
        }
        &next.get_or_init(|| Box::new(Link { value, next: OnceCell::new() })).value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_where_they_are() {
        let arena = Arena::new();
        let values: alloc::vec::Vec<&alloc::string::String> =
            (0..5).map(|number| arena.keep(alloc::format!("{number}"))).collect();
        assert_eq!(values, ["0", "1", "2", "3", "4"]);
    }
}
