//! The platform's Postgres tables.
