//! The DEO score: rows in, numbers out. No I/O.
