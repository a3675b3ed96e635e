//! Private Redis and Postgres servers for demos and tests.
