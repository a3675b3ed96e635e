//! Upstash's REST API in front of any Redis.
