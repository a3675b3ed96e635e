//! A Redis and a database of its own for each test.

use std::ops::{Deref, DerefMut};

pub(super) use fixture::{config, connect, data, drain as recompute, nowhere, queue};

/// A Redis and a database of its own for one test, without projects.
pub(super) struct World(fixture::World);

impl World {
    pub(super) async fn new() -> Self {
        Self(fixture::World::builder().own_redis().database("").start().await)
    }

    /// As it was built.
    pub(super) fn of(built: fixture::World) -> Self {
        Self(built)
    }

    /// Adds so many projects: `p0000`, `p0001` and so on.
    pub(super) async fn numbered(&self, n: usize) -> Vec<String> {
        self.projects((0..n).map(|i| format!("p{i:04}"))).await
    }
}

impl Deref for World {
    type Target = fixture::World;

    fn deref(&self) -> &fixture::World {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut fixture::World {
        &mut self.0
    }
}
